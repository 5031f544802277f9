"""The checkpoints that were compared, and the one that was chosen."""

from idrstream.report import page
from idrstream.report.pictures import COLOURS, panel

HEADS = {
    "checkpoint": "checkpoint",
    "iteration": "iteration",
    "label": "class",
    "f1_half": "F1 at 0.5",
    "best_threshold": "best threshold",
    "best_f1": "F1 there",
    "best_precision": "precision",
    "best_recall": "recall",
    "chosen": "chosen",
}


def section(results, pictures):
    """A table of the checkpoints, and F1 against the iteration."""
    content = page.Section(
        "checkpoints",
        "Checkpoints",
        "Of the last run that had several, over all regions by which one is chosen, outside of exclusion zones. The "
        "chosen one has the highest mean F1 "
        "of its classes, each at its best threshold.",
    )
    table = results.checkpoints
    if table.empty:
        content.html.append(page.paragraph("No run had several checkpoints to choose from."))
        return content
    rows = [tuple("" if value != value else value for value in row) for row in table[[*HEADS]].itertuples(index=False)]
    content.html.append(page.table([*HEADS.values()], rows, "Checkpoints"))
    if table["iteration"].notna().all() and table["iteration"].nunique() > 1:
        content.html.append(page.panels([_curve(table, pictures)]))
    return content


def _curve(table, pictures):
    drawn, axes = panel()
    for colour, (number, rows) in zip(COLOURS, table.groupby("class"), strict=False):
        axes.plot(rows["iteration"], rows["best_f1"], "o-", color=colour, label=f"class {number}, best threshold")
        axes.plot(rows["iteration"], rows["f1_half"], "o:", color=colour, label=f"class {number}, at 0.5")
    axes.set(xlabel="iteration", ylabel="F1", ylim=(0, 1.02), title="Checkpoints")
    axes.legend(fontsize=8)
    chosen = table[table["chosen"] == "yes"]
    words = ", ".join(chosen["checkpoint"].unique())
    return pictures.add(drawn, "checkpoints", f"F1 of the checkpoints by iteration; {words} is chosen.")
