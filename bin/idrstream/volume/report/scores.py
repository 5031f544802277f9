"""How segmentations compare with labels: F1 and its kin, at every threshold."""

from idrstream.report import page
from idrstream.report.pictures import COLOURS, panel
from idrstream.volume import scores

KINDS = {"all": "all voxels", "scored": "outside of exclusion zones"}
HEADS = ("volume", "checkpoint", "class", "voxels", "threshold", "F1", "Jaccard", "precision", "recall")
MOST = 12  # pictures


def section(results, pictures):
    """A table, and the scores against the threshold of each volume."""
    content = page.Section(
        "scores",
        "Scores",
        "Voxel by voxel against the labels, at a probability of 0.5 and at the threshold of highest F1. Voxels outside "
        "of the sample mask, and those that the labels do not cover, do not count. A threshold that was chosen on the "
        "same labels flatters: take it from a validation region. --threshold applies one.",
    )
    if not results.compared:
        content.html.append(page.paragraph("Nothing was compared with labels (--task evaluate)."))
        return content
    shown = [(each, number, kinds) for each in results.compared for number, kinds in each.counts.items()]
    rows = [row for each, number, kinds in shown for row in _rows(each, number, kinds)]
    content.html.append(page.table(HEADS, rows, "Scores"))
    figures = [_curve(*one, pictures) for one in shown[:MOST]]
    content.html.append(page.panels(figures))
    return content


def _rows(compared, number, kinds):
    rows = []
    for kind in KINDS if _differ(kinds) else ("all",):
        found = scores.of(kinds[kind])
        for score in dict.fromkeys(filter(None, (scores.half(found), scores.best(found)))):
            shares = [
                page.NONE if value is None else value
                for value in (score.f1, score.jaccard, score.precision, score.recall)
            ]
            label = ", ".join(name.rsplit("/", 1)[-1] for name in compared.labels[number]) or f"class {number}"
            rows.append((compared.name, compared.checkpoint, label, KINDS[kind], f"{score.threshold:.3f}", *shares))
    return rows


def _differ(kinds):
    """Whether an exclusion zone leaves anything out."""
    return kinds["all"] != kinds["scored"]


def _curve(compared, number, kinds, pictures):
    """F1, precision and recall against the threshold."""
    drawn, axes = panel()
    found = scores.of(kinds["scored"])
    names = {"f1": "F1", "precision": "precision", "recall": "recall"}
    for colour, (name, words) in zip(COLOURS, names.items(), strict=False):
        points = [(score.threshold, getattr(score, name)) for score in found if getattr(score, name) is not None]
        if points:
            axes.plot(*zip(*points, strict=True), color=colour, label=words)
    best = scores.best(found)
    if best:
        axes.axvline(best.threshold, color="#8A8A8A", linewidth=1)
    axes.set(xlabel="threshold (probability)", ylabel="score", ylim=(0, 1.02), xlim=(0, 1))
    axes.set_title(f"{compared.name}, {compared.checkpoint}, class {number}")
    axes.legend(loc="lower left")
    words = f"highest F1 {best.f1:.3f} at {best.threshold:.3f}" if best else scores.NO_VOXEL
    name = f"scores_{compared.name}_{compared.checkpoint}_{number}"
    return pictures.add(drawn, name, f"Scores of {compared.name} by threshold; {words}.")
