"""Where the code that is tested lies."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / "bin"
MODEL = ROOT / "assets/models/nuclei/nuclei.pth"  # the network of nuclei that is shipped
