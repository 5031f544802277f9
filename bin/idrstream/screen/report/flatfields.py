"""The flat-fields: pictures, figures, and refusals."""

from collections import Counter

import numpy as np
from matplotlib import pyplot as plt
from PIL import Image

from idrstream.base import units
from idrstream.report import page
from idrstream.report.pictures import FLAGGED, panel
from idrstream.screen import plates

SHOWN = 24  # pictures; of more plates, those with the largest split-half difference
ROWS = 50  # of a table
AGREEMENT = 5  # %, above which a field is refused


def section(results, pictures):
    """Pictures of the fields with the largest split-half difference, figures, and refusals."""
    content = page.Section(
        "flatfields",
        "Flat-fields",
        "Grey from 0.5 (black) to 1.5 (white), with a contour every 0.05. A good flat-field is smooth, brightest near "
        "the middle and similar on all plates; nuclei or edges in it mean that its frames were too dense. The "
        "split-half difference compares the fields fitted to two halves of the frames. Above 5 % a flat-field is "
        "refused, and its images are used uncorrected.",
    )
    fields = results.fields
    if not fields:
        illumination = next((batch.recipe.get("illumination") for batch in results.batches), None)
        why = "--illumination is none" if illumination == "none" else "no batch is finished yet"
        content.html.append(page.paragraph(f"There are no flat-fields: {why}."))
        return content
    trusted = {name: facts for name, facts in fields.items() if facts["status"] == "ok"}
    content.html.append(page.paragraph(f"{len(trusted):,} of {len(fields):,} flat-fields were accepted."))
    refused = [(name, facts["reason"]) for name, facts in fields.items() if facts["status"] == "refused"]
    if refused:
        content.html.append(page.table(("refused", "why"), refused[:ROWS], _caption("Refused", refused)))
    content.html += [page.paragraph(sentence) for sentence in _offsets(fields)]
    left_out = [(key, reason) for facts in trusted.values() for key, reason in facts.get("left_out", {}).items()]
    if left_out:
        rows = left_out[:ROWS]
        content.html.append(
            page.table(("image", "why"), rows, _caption("Frames not used for their plate's flat-field", left_out))
        )
    of_plates = {name: facts for name, facts in trusted.items() if facts.get("kind") == "plate"}
    if of_plates:
        worst = sorted(of_plates, key=lambda name: (-of_plates[name]["halves_rms"], name))
        content.html.append(page.panels([_montage(results, worst[:SHOWN], of_plates, pictures)], wide=len(worst) > 6))
        if len(worst) > 3:
            content.html.append(page.panels([_agreement(of_plates, pictures)]))
        rows = [(name, *_figures(of_plates[name])) for name in worst[:ROWS]]
        heads = (
            "plate",
            "split-half difference (%)",
            "lowest",
            "highest",
            "frames used",
            "frames fetched",
            "bytes fetched",
        )
        if any("camera_offset" in facts for facts in of_plates.values()):
            heads += ("camera offset", "from", "to", "resulting error of the field (%)", "nuclei", "offset known")
        content.html.append(page.table(heads, rows, _caption("Fields, by split-half difference", worst)))
    elif trusted:
        content.html.append(
            page.paragraph("They belong to single images (--illumination frames), and no pictures of them are saved.")
        )
    return content


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
    """A sentence about the offsets that were estimated."""
    states = Counter(facts["camera_offset"]["state"] for facts in fields.values() if "camera_offset" in facts)
    if states:
        yield (
            f"The camera's offset was estimated from the nuclei: well for {states['sure']:,} plates, roughly for "
            f"{states['rough']:,} (the error of the field may be above 2 %), and not for {states['none']:,}, where 0 "
            "is used and the field may be several per cent too flat. Where nuclei are dimmer for another reason than "
            "the lamp, the estimate is wrong without notice."
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
    alt = f"Flat-fields of {len(names)} plates, by split-half difference: {', '.join(names[:6])}."
    return pictures.add(drawn, "flatfields", alt, "Above each, its split-half difference.")


def _agreement(fields, pictures):
    drawn, axes = panel()
    values = np.array([100 * facts["halves_rms"] for facts in fields.values()])
    axes.hist(values, bins=min(40, max(5, len(values) // 4)), range=(0, max(AGREEMENT * 1.1, values.max())))
    axes.axvline(AGREEMENT, color=FLAGGED, ls="--", label="refused above")
    axes.set(xlabel="split-half difference (%, RMS)", ylabel="plates", title="Flat-field split-half difference")
    axes.legend()
    spread = f"median {np.median(values):.2f} %, at most {values.max():.2f} %"
    alt = f"Histogram of the split-half difference of {len(values)} plates: {spread}."
    return pictures.add(drawn, "flatfield_agreement", alt)


def _caption(words, rows):
    return words if len(rows) <= ROWS else f"{words}: the first {ROWS} of {len(rows):,}"
