"""What tests read of a report, and of the folder that it is made of."""

import re
from html import unescape


def listed(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def sections(page):
    """Id -> text of each section of the page."""
    parts = page.split('<div id="mqc-module-section-')[1:]
    return {part.split('"')[0]: text(part) for part in parts}


def text(html):
    """What is read in it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())
