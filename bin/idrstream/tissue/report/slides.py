"""What was read and found of every slide."""

from idrstream.report import page

HEADS = ("slide", "size", "pixel size", "nuclei from", "diameter", "nuclei", "per mm²", "searched", "uncertified")
GIVEN = "a label image"


def section(results, _pictures):
    """A table with a row per slide, and its warnings."""
    content = page.Section(
        "slides",
        "Slides",
        "What was read, assumed and found. Nuclei per mm² are counted over the whole slide or region, glass included. "
        "Searched is the share of it in which nuclei were looked for (--tissue). Uncertified nuclei may depend on how "
        "the slide was cut; there must be none.",
    )
    if not results.slides:
        content.html.append(page.paragraph("No slide is finished yet."))
        return content
    content.html.append(page.table(HEADS, [_row(slide) for slide in results.slides], "Slides"))
    warnings = [(slide.name, sentence) for slide in results.slides for sentence in slide.facts["warnings"]]
    if warnings:
        content.html.append(page.table(("slide", "warning"), warnings, "Warnings"))
    return content


def size(facts):
    """Size of a slide in words, with its region where only that was read."""
    height, width = facts["size"]
    words = f"{height:,} x {width:,} px"
    if facts["region"]:
        y, x = facts["region"][:2]
        whole = " x ".join(f"{side:,}" for side in facts["whole_size"])
        words += f", region at row {y:,}, column {x:,} of {whole}"
    return words


def pixel_size(facts):
    """Edges of a pixel in words, and where they are stated."""
    known = facts["pixel_size"]
    if not known:
        return "not known"
    sides = dict.fromkeys(f"{known[axis]:.4g}" for axis in "yx")
    return f"{' x '.join(sides)} µm ({known['source']})"


def diameter(facts):
    """Diameter of the nuclei in words, and where it comes from; a dash where no network looked for them."""
    if not facts["diameter"]:
        scale = (facts.get("scales") or {}).get("nuclei")  # slides of earlier runs have none
        return f"seen at {scale[0]:.3g} times its size" if scale else page.NONE
    micrometres = f" = {facts['diameter_um']:.3g} µm" if facts["diameter_um"] else ""
    return f"{facts['diameter']:.3g} px{micrometres} ({facts['diameter_source']})"


def channels(facts):
    """Where the nuclei come from, in words: the channels they were found in, or a label image."""
    if not facts["tissue"]:
        return GIVEN
    return " + ".join(f"{each['name'] or 'channel'} ({each['number']})" for each in facts["nuclear"])


def _row(slide):
    facts = slide.facts
    searched = f"{facts['tissue']['share']:.0%}" if facts["tissue"] else page.NONE
    found = (facts["nuclei"], slide.density, searched, facts["uncertified"])
    return (slide.name, size(facts), pixel_size(facts), channels(facts), diameter(facts), *found)
