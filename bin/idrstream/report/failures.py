"""What has no result, the reasons, and what to do."""

from idrstream.report import page

OTHER = "see the reason; the next run tries it again"


def section(rows, noun, remedies, description):
    """A section with each of the ROWS of failures.tsv, which name what failed in the column NOUN, and the remedy.

    remedies     status -> what to do
    description  of the section
    """
    content = page.Section("failures", "Failures", description)
    if not rows:
        content.html.append(page.paragraph(f"No {noun} failed."))
        return content
    cells = [(row[noun], row["status"], row["reason"], remedies.get(row["status"], OTHER)) for row in rows]
    content.html.append(page.table((noun, "status", "reason", "what to do"), cells, f"Failed {noun}s"))
    return content
