"""Sections of HTML, which MultiQC (doi:10.1093/bioinformatics/btw354) combines into one page that needs no network."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from idrstream.base import processes

SOURCE = re.compile(r'src="picture:([^"]+)"')
NAME = "multiqc_report.html"
NONE = "-"
FOLDED = 15  # rows; a longer table is folded
LONG = ' class="long"'


@dataclass
class Section:
    """A section of the page.

    id           its anchor
    name         its heading
    description  what it shows and how to read it, a sentence or two of HTML
    html         its content, see the functions below
    plot         a plot of MultiQC's own (the content of one of its JSON files), below the html or instead of it
    """

    id: str
    name: str
    description: str
    html: list = field(default_factory=list)
    plot: dict | None = None


def write(sections, pictures, target, look, title):
    """Write SECTIONS as one HTML file to TARGET.

    pictures  name -> address that holds a picture's data; inserted after MultiQC, which would embed each twice
    look      folder with multiqc.yml and multiqc.css
    title     of the page
    """
    content = Path(target).with_suffix(".content")
    content.mkdir()
    order = []
    for section in sections:
        about = {"section_name": section.name, "description": section.description}
        html = {"id": section.id, "plot_type": "html", "data": "\n".join(section.html)}
        parts = [about | html] if section.html else []
        if section.plot:
            parts.append((about if not parts else {}) | {"id": f"{section.id}_plot"} | section.plot)
        for part in parts:
            (content / f"{part['id']}_mqc.json").write_text(json.dumps(part))
            order.append(part["id"])
    options = ["--config", look / "multiqc.yml", "--custom-css-file", look / "multiqc.css", "--title", title]
    options += ["--cl-config", json.dumps({"custom_content": {"order": order}}), "--filename", Path(target).name]
    command = [sys.executable, "-m", "multiqc", content, "--outdir", Path(target).parent, *options]
    if code := subprocess.run(processes.tied(list(map(str, command)))).returncode:
        raise RuntimeError(f"MultiQC ended with exit code {code}; its output is above")
    shutil.rmtree(content)
    whole = Path(target).read_text(encoding="utf-8")
    Path(target).write_text(SOURCE.sub(lambda match: f'src="{pictures[match[1]]}"', whole), encoding="utf-8")


def paragraph(text):
    """A paragraph of TEXT, which is escaped."""
    return f"<p>{escape(text)}</p>"


def table(columns, rows, caption):
    """A table, numbers right-aligned. It scrolls where the page is narrow; a long one opens by a click.

    columns  headings
    rows     lists of cells: text, which is escaped, or numbers
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    body = "\n".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    scrolled = (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table class="table table-sm">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    if len(rows) > FOLDED:
        return f'<details><summary class="caption">{escape(caption)}</summary>{scrolled}</details>'
    return f'<p class="caption">{escape(caption)}</p>{scrolled}'


def tiles(facts):
    """The most important figures: (what, number in words) each."""
    each = [f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts]
    return f'<dl class="tiles">{"".join(each)}</dl>'


def panels(figures, wide=False):
    """Figures side by side where there is room; WIDE ones below each other, scrolling where there is none."""
    return f'<div class="panels{" wide" * wide}">{"".join(figures)}</div>'


def figure(name, alt, caption=""):
    """A picture, by its name; ALT is the alternative text for screen readers."""
    text = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="picture:{escape(name)}" alt="{escape(alt)}">{text}</figure>'


def number(value, digits=3):
    """A number in words: 12,345; 0.0123; a dash for None or NaN."""
    if value is None or value != value:
        return NONE
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def time(seconds):
    """Seconds in words: 4.2 s, 12 min, 3.1 h."""
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"


def _cell(value):
    if isinstance(value, str):
        return f"<td{LONG if len(value) > 24 else ''}>{escape(value)}</td>"
    return f'<td class="number">{number(value)}</td>'
