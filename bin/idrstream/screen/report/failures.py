"""What failed, why, and what can be done about it."""

from idrstream.report import page

ROWS = 100  # of the table of images
NEXT = "the next run takes it up"
REMEDIES = {
    "MissingWell": "no candidate location has the file: compare the study's locations with the archive, and the long "
    "plate name in --screens; then --redo",
    "NotReadable": "the file is not what its name promises: open it by hand, or name another --reader; then --redo",
    "Truncated": "the file ends too early: where it is yours, copy it anew; then --redo",
    "NoSuchFrame": "the movie has fewer frames: correct the frame in the input table",
    "UnchosenPlane": "the file has several channels or z planes: choose by --nuclear and --z, or in a column channel",
    "NoSuchPlane": "the file lacks the channel or z plane: correct --nuclear, --z or the column channel",
    "UnwrittenFrame": "the microscope never wrote it: choose another frame in the input table",
    "NotFinite": "some pixels are no numbers: cut them off or fill them, in the file; then --redo",
    "ConstantFrame": "every pixel has one value, a lost exposure: choose another frame in the input table",
    "Unreachable": f"the server did not answer: {NEXT}",
    "lost": f"its batch was given up (pipeline_info/lost_<batch>.log): mend what the reason names; {NEXT}",
    "missing": f"its batch was not finished: {NEXT}",
}
OTHER = "see the reason; --redo tries it again"


def section(results, _pictures):
    """Failures by kind, with the remedy; and by image."""
    made = page.Section("failures", "Failures", "Images without a result. All of them stand in failures.tsv.")
    failed = results.failed
    if failed.empty:
        made.html.append(page.paragraph("No image failed."))
        return made
    kinds = failed.apply(kind, axis=1)
    rows = [(name, int(count), REMEDIES.get(name, OTHER)) for name, count in kinds.value_counts().items()]
    made.html.append(page.table(("kind", "images", "what to do"), rows, "By kind"))
    listed = failed.assign(kind=kinds).sort_values(["plate", "well_number", "site", "frame"])[:ROWS]
    rows = [(row["plate"], row["well"], row["site"], row["frame"], row["reason"]) for _, row in listed.iterrows()]
    caption = f"By image{f', the first {ROWS} of {len(failed):,}' if len(failed) > ROWS else ''}"
    made.html.append(page.table(("plate", "well", "site", "frame", "reason"), rows, caption))
    return made


def kind(row):
    """The kind of a failure: the class that its reason begins with, or its status."""
    return row["status"] if row["status"] in REMEDIES else row["reason"].split(":")[0]
