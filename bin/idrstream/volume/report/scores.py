"""How segmentations compare with labels: F1 and its kin, at every threshold."""

from idrstream.report import page
from idrstream.report.pictures import COLOURS, GREY, panel
from idrstream.volume import scores

KINDS = {"all": "all voxels", "scored": "outside of exclusion zones"}
HEADS = ("volume", "checkpoint", "class", "voxels", "at", "threshold", "F1", "Jaccard", "precision", "recall")
MOST = 12  # pictures


def section(results, pictures):
    """A table, and the scores against the threshold of each volume."""
    content = page.Section(
        "scores",
        "Scores",
        "Voxel by voxel against the labels, at a probability of 0.5, at the volume's --threshold if it has one, and "
        "at the threshold of highest F1. Voxels outside of the sample mask, and those that the labels do not cover, "
        "do not count; plots are of those outside of exclusion zones. A threshold that was chosen on the same labels "
        "flatters: take it from a validation region.",
    )
    if not results.compared:
        content.html.append(page.paragraph("Nothing was compared with labels (--task evaluate)."))
        return content
    shown = [(each, number, kinds) for each in results.compared for number, kinds in each.counts.items()]
    rows = [row for each, number, kinds in shown for row in _rows(each, number, kinds, results.threshold(each.name))]
    content.html.append(page.table(HEADS, rows, "Scores"))
    figures = [_curve(*one, results.threshold(one[0].name), pictures) for one in shown[:MOST]]
    content.html.append(page.panels(figures))
    return content


def _rows(compared, number, kinds, threshold):
    rows = []
    for kind in KINDS if _differ(kinds) else ("all",):
        for at, score in scores.told(scores.of(kinds[kind]), threshold).items():
            shares = [_text(value) for value in (score.f1, score.jaccard, score.precision, score.recall)]
            about = (compared.name, compared.checkpoint, _class(compared, number), KINDS[kind])
            rows.append((*about, at, f"{score.threshold:.3f}", *shares))
    return rows


def _text(value):
    return page.NONE if value is None else f"{value:.3f}"


def _class(compared, number):
    """A class as other tables call it, and the names of its labels."""
    names = ", ".join(name.rsplit("/", 1)[-1] for name in compared.labels[number])
    return f"class_{number} ({names})"


def _differ(kinds):
    """Whether an exclusion zone leaves anything out."""
    return kinds["all"] != kinds["scored"]


def _curve(compared, number, kinds, threshold, pictures):
    """F1, precision and recall against the threshold, with lines at those that are told."""
    drawn, axes = panel()
    found = scores.of(kinds["scored"])
    names = {"f1": "F1", "precision": "precision", "recall": "recall"}
    for colour, (name, words) in zip(COLOURS, names.items(), strict=False):
        points = [(score.threshold, getattr(score, name)) for score in found if getattr(score, name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=words)
    told = scores.told(found, threshold)
    for style, (at, score) in zip((":", "--", "-"), reversed(told.items()), strict=False):
        axes.axvline(score.threshold, color=GREY, linewidth=1, linestyle=style, label=at, zorder=0)
    best = told.get("best")
    axes.set(xlabel="threshold (probability)", ylabel="score", ylim=(0, 1.02), xlim=(0, 1))
    axes.set_title(f"{compared.name}, {compared.checkpoint}, {_class(compared, number)}")
    axes.legend(loc="lower left", frameon=True, fontsize=8)
    words = f"highest F1 {best.f1:.3f} at {best.threshold:.3f}" if best else scores.NO_VOXEL
    name = f"scores_{compared.name}_{compared.checkpoint}_{number}"
    return pictures.add(drawn, name, f"Scores of {compared.name} by threshold; {words}.")
