"""Failed results of slabs, the reasons, and what to do."""

from idrstream.report import page

REMEDIES = {
    "failed": "mend the file; then run again",
    "lost": "a task of it failed (pipeline_info/lost_<slab>.log): fix what the reason names; the next run tries again",
    "missing": "it was not finished: the next run goes on with it",
}
OTHER = "see the reason; the next run tries it again"


def section(results, _pictures):
    """Each failed result, with the reason and the remedy."""
    content = page.Section("failures", "Failures", "What is missing of slabs, as in failures.tsv.")
    if not results.failed:
        content.html.append(page.paragraph("No slab failed."))
        return content
    rows = [(row["result"], row["status"], row["reason"], REMEDIES.get(row["status"], OTHER)) for row in results.failed]
    content.html.append(page.table(("slab", "status", "reason", "what to do"), rows, "Failed slabs"))
    return content
