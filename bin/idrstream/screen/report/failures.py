"""Failed images, the reasons, and what to do."""

from idrstream.report import page

ROWS = 100  # of the table of images
NEXT = "the next run tries it again"
REMEDIES = {
    "MissingWell": "no candidate location has the file: compare the study's locations with the archive, and the long "
    "plate name in --screens; then --redo",
    "NotReadable": "the file is not of the format of its suffix: open it by hand, or choose a --reader; then --redo",
    "Truncated": "the file is incomplete: copy it again if it is yours; then --redo",
    "NoSuchFrame": "the movie has fewer frames: correct the frame in the input table",
    "UnchosenPlane": "the file has several channels or z planes: choose by --nuclear and --z, or in a column channel",
    "NoSuchPlane": "the file lacks the channel or z plane: correct --nuclear, --z or the column channel",
    "UnwrittenFrame": "the microscope never wrote it: choose another frame in the input table",
    "NotFinite": "some pixels are NaN or infinite: replace them in the file, or crop it; then --redo",
    "ConstantFrame": "all pixels have one value, a lost exposure: choose another frame in the input table",
    "Unreachable": f"the server did not answer: {NEXT}",
    "lost": f"its batch failed (pipeline_info/lost_<batch>.log): fix what the reason names; {NEXT}",
    "missing": f"its batch was not finished: {NEXT}",
}
OTHER = "see the reason; --redo tries it again"


def section(results, _pictures):
    """Failures by kind, with the remedy; and by image."""
    content = page.Section("failures", "Failures", "Images without a result. failures.tsv lists all of them.")
    failed = results.failed
    if failed.empty:
        content.html.append(page.paragraph("No image failed."))
        return content
    kinds = failed.apply(kind, axis=1)
    rows = [(name, int(count), REMEDIES.get(name, OTHER)) for name, count in kinds.value_counts().items()]
    content.html.append(page.table(("kind", "images", "what to do"), rows, "By kind"))
    listed = failed.assign(kind=kinds).sort_values(["plate", "well_number", "site", "frame"])[:ROWS]
    rows = [(row["plate"], row["well"], row["site"], row["frame"], row["reason"]) for _, row in listed.iterrows()]
    caption = f"By image{f', the first {ROWS} of {len(failed):,}' if len(failed) > ROWS else ''}"
    content.html.append(page.table(("plate", "well", "site", "frame", "reason"), rows, caption))
    return content


def kind(row):
    """The kind of a failure: the class at the start of its reason, or its status."""
    return row["status"] if row["status"] in REMEDIES else row["reason"].split(":")[0]
