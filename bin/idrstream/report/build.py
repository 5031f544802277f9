"""The report on an output folder: a page for a browser and its pictures, one section per module of a workflow."""

from pathlib import Path

from idrstream.report import page
from idrstream.report.pictures import Pictures

PICTURES = "qc/pictures"
TITLE = "idrstream"


def make(modules, results, target, look):
    """Write `multiqc_report.html` and `qc/pictures/` into the folder TARGET.

    modules  those of the workflow's sections, in their order
    results  output.Output of a run that has ended or is still going
    look     folder with multiqc.yml and multiqc.css
    """
    target = Path(target)
    pictures = Pictures(target / PICTURES)
    content = sections(modules, results, pictures)
    page.write(content, pictures.addresses, target / page.NAME, Path(look), TITLE)


def sections(modules, results, pictures):
    """The sections of MODULES on an output folder.

    results   output.Output
    pictures  pictures.Pictures, which stores their pictures
    returns   list of page.Section
    """
    return [module.section(results, pictures) for module in modules]
