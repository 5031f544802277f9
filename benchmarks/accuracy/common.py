"""Where things lie for the measurements of accuracy."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / "bin"
DATA = Path(os.environ.get("IDRSTREAM_DATA", ROOT.parent / "shared" / "data"))
MODEL = ROOT / "assets/models/nuclei/nuclei.pth"


def python_of(tool):
    """The interpreter of a tool's environment."""
    return ROOT / ".venvs" / tool / "bin" / "python"
