"""Failed slides, the reasons, and what to do."""

from idrstream.report import page

REMEDIES = {
    "failed": "mend the file, or take its row out of the table; then run again",
    "lost": "a task of it failed (pipeline_info/lost_<slide>.log): fix what the reason names; the next run tries again",
    "missing": "it was not finished: the next run goes on with it",
    "unmatched": "make its NPZ file, or name the channel of its nuclei by --nuclear; then run again",
}
OTHER = "see the reason; the next run tries it again"


def section(results, _pictures):
    """Each failed slide, with the reason and the remedy."""
    content = page.Section("failures", "Failures", "Slides without a result, as in failures.tsv.")
    if not results.failed:
        content.html.append(page.paragraph("No slide failed."))
        return content
    rows = [(row["slide"], row["status"], row["reason"], REMEDIES.get(row["status"], OTHER)) for row in results.failed]
    content.html.append(page.table(("slide", "status", "reason", "what to do"), rows, "Failed slides"))
    return content
