"""Failed slides, the reasons, and what to do."""

from idrstream.report import failures

REMEDIES = {
    "failed": "mend the file, or take its row out of the table; then run again",
    "lost": "a task of it failed (pipeline_info/lost_<slide>.log): fix what the reason names; the next run tries again",
    "missing": "it was not finished: the next run goes on with it",
    "unmatched": "make its NPZ file, or name the channel of its nuclei by --nuclear; then run again",
}


def section(results, _pictures):
    """Each of them, with the reason and the remedy."""
    return failures.section(results.failed, "slide", REMEDIES, "Slides without a result, as in failures.tsv.")
