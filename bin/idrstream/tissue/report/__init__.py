"""The report on slides: a page for a browser and its pictures, one section per module of SECTIONS."""

from pathlib import Path

from idrstream.report import page, provenance, throughput
from idrstream.report.pictures import Pictures
from idrstream.tissue.report import failures, overlays, slides, steps, summary
from idrstream.tissue.report.results import Results

SECTIONS = (summary, slides, overlays, steps, failures, throughput, provenance)
PICTURES = "qc/pictures"
TITLE = "idrstream"


def make(outdir, target, look):
    """Write `multiqc_report.html` and `qc/pictures/` into the folder TARGET.

    outdir  the output folder of a run that has ended or is still going; nothing is written to it
    look    folder with multiqc.yml and multiqc.css
    """
    target = Path(target)
    results, pictures = Results(outdir), Pictures(target / PICTURES)
    page.write(sections(results, pictures), pictures.addresses, target / page.NAME, Path(look), TITLE)


def sections(results, pictures):
    """All sections on an output folder.

    results   results.Results
    pictures  pictures.Pictures, which stores their pictures
    returns   list of page.Section
    """
    return [module.section(results, pictures) for module in SECTIONS]
