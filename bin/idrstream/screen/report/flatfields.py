"""The flat-fields: pictures, figures, and why some were refused."""

from collections import Counter

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from idrstream.base import units
from idrstream.report import page
from idrstream.report.pictures import FLAGGED, panel
from idrstream.screen import plates

SHOWN = 24  # pictures; of more plates, those whose halves agree least
ROWS = 50  # of a table
AGREEMENT = 5  # %, above which a field is refused


def section(results, pictures):
    """Pictures of the fields whose halves agree least, figures, and refusals."""
    made = page.Section(
        "flatfields",
        "Flat-fields",
        "Grey from 0.5 (black) to 1.5 (white), a contour every 0.05. A good one is smooth, brightest near the "
        "middle and much alike on all plates; nuclei or edges in it mean that its frames were too dense. Where the "
        "fields from two halves of its frames differ by more than 5 % it is refused, and its images are used as "
        "they were stored.",
    )
    fields = results.fields
    if not fields:
        asked = next((batch.recipe.get("illumination") for batch in results.batches), None)
        why = "illumination is none" if asked == "none" else "no batch is finished yet"
        made.html.append(page.paragraph(f"There are no flat-fields: {why}."))
        return made
    trusted = {name: facts for name, facts in fields.items() if facts["status"] == "ok"}
    made.html.append(page.paragraph(f"{len(trusted):,} of {len(fields):,} flat-fields could be trusted."))
    refused = [(name, facts["reason"]) for name, facts in fields.items() if facts["status"] == "refused"]
    if refused:
        made.html.append(page.table(("refused", "why"), refused[:ROWS], _caption("Refused", refused)))
    made.html += [page.paragraph(sentence) for sentence in _offsets(fields)]
    left_out = [(key, reason) for facts in trusted.values() for key, reason in facts.get("left_out", {}).items()]
    if left_out:
        rows = left_out[:ROWS]
        made.html.append(page.table(("image", "why"), rows, _caption("Left out of their plate's flat-field", left_out)))
    of_plates = {name: facts for name, facts in trusted.items() if facts.get("kind") == "plate"}
    if of_plates:
        worst = sorted(of_plates, key=lambda name: (-of_plates[name]["halves_rms"], name))
        made.html.append(page.panels([_montage(results, worst[:SHOWN], of_plates, pictures)], wide=len(worst) > 6))
        if len(worst) > 3:
            made.html.append(page.panels([_agreement(of_plates, pictures)]))
        rows = [(name, *_figures(of_plates[name])) for name in worst[:ROWS]]
        heads = ("plate", "halves differ by %", "lowest", "highest", "frames used", "frames fetched", "bytes fetched")
        if any("camera_offset" in facts for facts in of_plates.values()):
            heads += ("camera's offset", "from", "to", "error it leaves in the field, %", "nuclei", "offset is known")
        made.html.append(page.table(heads, rows, _caption("Fields, those whose halves agree least first", worst)))
    elif trusted:
        made.html.append(
            page.paragraph("They are of single images (illumination frames), of which no picture is kept.")
        )
    return made


def _figures(facts):
    used, candidates = len(facts["used"]), len(facts["candidates"])
    offset, size = facts.get("camera_offset"), units.size(facts.get("bytes", 0))
    row = 100 * facts["halves_rms"], facts["low"], facts["high"], used, candidates, size
    if offset is None:
        return row
    if offset["state"] == "none":
        return *row, 0, "", "", "", "", f"no: {offset['reason']}"
    limits = offset["offset"], offset["low"], offset["high"], 100 * offset["bound"], offset["nuclei"]
    return *row, *limits, {"sure": "well", "rough": "roughly"}[offset["state"]]


def _offsets(fields):
    """What is known of the offsets that were not given, a sentence."""
    states = Counter(facts["camera_offset"]["state"] for facts in fields.values() if "camera_offset" in facts)
    if states:
        yield (
            f"The camera's offset was estimated from the nuclei: well for {states['sure']:,} plates, roughly for "
            f"{states['rough']:,} (the field may be off by more than 2 %), not at all for {states['none']:,}, where it "
            "is taken for 0 and the field, if there is one, may be several per cent too flat. Nuclei that are dimmer "
            "by place for another reason than the lamp are not noticed."
        )


def _montage(results, names, fields, pictures):
    across = min(len(names), 6)
    down = -(-len(names) // across)
    width = max(1.85, 5.2 / across)
    drawn, axes = plt.subplots(down, across, figsize=(across * width, down * (0.8 * width + 0.25)), squeeze=False)
    for place in axes.flat:
        place.axis("off")
    for place, name in zip(axes.flat, names, strict=False):
        path = results.outdir / plates.FOLDER / name / f"{name}.png"
        place.set_title(f"{name}  {100 * fields[name]['halves_rms']:.2f} %", fontsize=8)
        if path.exists():
            place.imshow(Image.open(path).convert("RGB"))
        else:
            place.text(0.5, 0.5, "no picture", ha="center", transform=place.transAxes)
    alt = f"Flat-fields of {len(names)} plates, those whose halves agree least first: {', '.join(names[:6])}."
    return pictures.add(drawn, "flatfields", alt, "Above each, by how much its halves differ.")


def _agreement(fields, pictures):
    drawn, axes = panel()
    values = np.array([100 * facts["halves_rms"] for facts in fields.values()])
    axes.hist(values, bins=min(40, max(5, len(values) // 4)), range=(0, max(AGREEMENT * 1.1, values.max())))
    axes.axvline(AGREEMENT, color=FLAGGED, ls="--", label="refused above")
    axes.set(xlabel="halves differ by % (RMS)", ylabel="plates", title="How well the halves of each field agree")
    axes.legend()
    spread = f"median {np.median(values):.2f} %, at most {values.max():.2f} %"
    alt = f"Histogram over {len(values)} plates of the difference between halves: {spread}."
    return pictures.add(drawn, "flatfield_agreement", alt)


def _caption(words, rows):
    return words if len(rows) <= ROWS else f"{words}: the first {ROWS} of {len(rows):,}"
