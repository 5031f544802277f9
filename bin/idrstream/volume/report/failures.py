"""Failed results of slabs, the reasons, and what to do."""

from idrstream.report import failures

REMEDIES = {
    "failed": "mend the file; then run again",
    "lost": "a task of it failed (pipeline_info/lost_<slab>.log): fix what the reason names; the next run tries again",
    "missing": "it was not finished: the next run goes on with it",
}


def section(results, _pictures):
    """Each of them, with the reason and the remedy."""
    return failures.section(
        results.failed, "result", REMEDIES, "What is missing of slabs and volumes, as in failures.tsv."
    )
