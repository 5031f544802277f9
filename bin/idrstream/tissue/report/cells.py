"""Objects of every slide: how many, how large, how bright; and nuclei and cells that found no partner."""

from idrstream.base.sampling import spread
from idrstream.report import page
from idrstream.report.pictures import COLOURS, PANEL, panel

SLIDES = 12  # with pictures at most, evenly from all
LINE = 0.22  # inches a channel
HEADS = ("slide", "cells from", "objects", "nuclei", "cells", "nuclei without cell", "cells without nucleus")
HEADS += ("median nucleus", "median cell")
COLOUR = {"nucleus": COLOURS[0], "cell": COLOURS[1]}


def section(results, pictures):
    """A table with a row per slide, and pictures of areas and intensities."""
    content = page.Section(
        "cells",
        "Cells",
        "An object is a nucleus, a cell, or both under one number. Where nuclei and cells are looked for apart, "
        "those without a partner are kept and counted: if they are many, one of the two was not found well. Histograms "
        "leave out half a percent of the objects at either end. Lines of intensities are thin from the 5th to the 95th "
        "percentile of the objects and thick from the 25th to the 75th; the dot is the median.",
    )
    slides = [slide for slide in results.slides if slide.counts]
    if not slides:
        content.html.append(page.paragraph("No slide was measured yet."))
        return content
    content.html.append(page.table(HEADS, [_row(slide) for slide in slides], "Objects"))
    shown = [slides[place] for place in spread(len(slides), SLIDES)]
    for slide in shown:
        content.html.append(f"<h4>{page.escape(slide.name)}</h4>")
        figures = [_areas(slide, pictures), _intensities(slide, pictures)]
        content.html.append(page.panels([figure for figure in figures if figure]))
    if len(shown) < len(slides):
        content.html.append(page.paragraph(f"{len(shown)} of {len(slides):,} slides are shown."))
    return content


def source(facts):
    """Where the cells of a slide come from, in words."""
    kind = facts["cells_from"]
    if kind == "expand":
        return f"nuclei grown by {page.number(facts['expansion'])} px"
    if kind == "model":
        channels = " + ".join(channel["name"] or f"channel {channel['number']}" for channel in facts["membrane"])
        return f"a network, {channels}"
    return {"labels": "a label image", "none": "not looked for"}[kind]


def _row(slide):
    counts = slide.counts
    numbers = [counts[name] for name in ("objects", "nuclei", "cells", "nuclei_alone", "cells_alone")]
    medians = {area["compartment"]: f"{page.number(area['median'])} {area['unit']}" for area in counts["areas"]}
    return (slide.name, source(slide.facts), *numbers, *(medians.get(part, page.NONE) for part in COLOUR))


def _areas(slide, pictures):
    """Histograms of the areas of nuclei and cells; an empty text if there are none."""
    areas = [area for area in slide.counts["areas"] if area["counts"]]
    if not areas:
        return ""
    drawn, axes = panel()
    for area in areas:
        axes.stairs(area["counts"], area["edges"], color=COLOUR[area["compartment"]], label=area["compartment"])
    axes.legend()
    axes.set(xlabel=f"area ({areas[0]['unit']})", ylabel="objects", title=f"Areas{_sampled(slide)}")
    words = ", ".join(f"{each['compartment']} {page.number(each['median'])} {each['unit']}" for each in areas)
    return pictures.add(drawn, f"{slide.name}_areas", f"Histograms of areas in {slide.name}; medians: {words}.")


def _intensities(slide, pictures):
    """Percentiles of the intensities of each channel; an empty text if there are none."""
    channels = [each for each in slide.counts["intensities"] if each["percentiles"]["50"] is not None]
    if not channels:
        return ""
    drawn, axes = panel((PANEL[0], max(PANEL[1], 1 + LINE * len(channels))))
    for place, channel in enumerate(channels):
        low, begin, middle, end, high = (channel["percentiles"][at] for at in ("5", "25", "50", "75", "95"))
        axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1)
        axes.plot([begin, end], [place, place], color=COLOURS[0], linewidth=5, solid_capstyle="butt")
        axes.plot(middle, place, "o", color="white", markeredgecolor=COLOURS[0], markersize=4)
    axes.set_yticks(range(len(channels)), [channel["channel"] for channel in channels], parse_math=False)
    axes.invert_yaxis()
    axes.set_xscale("symlog", linthresh=1)  # of 0 too, which a background that is subtracted leaves
    axes.margins(x=0)
    what = f"{channels[0]['statistic']} in the {channels[0]['compartment']}"
    axes.set(xlabel=f"{what} (grey levels)", title=f"Intensities{_sampled(slide)}")
    words = ", ".join(f"{each['channel']} {page.number(each['percentiles']['50'])}" for each in channels)
    return pictures.add(drawn, f"{slide.name}_intensities", f"Intensities in {slide.name}, medians: {words}.")


def _sampled(slide):
    counts = slide.counts
    few = counts["sampled"] < counts["objects"]
    return f" of {counts['sampled']:,} objects, evenly from all" if few else ""
