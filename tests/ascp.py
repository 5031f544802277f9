"""A program that stands in for IBM's `ascp`, and takes no other call than the one meant."""

import sys

from support import CONTENT

USER = "aspera://fasp-public@127.0.0.1"

# What it is called with is checked and written down; then it does the next of the moods that the test has left for it.
STAND_IN = (
    f"#!{sys.executable} -IS"
    + """
import json, os, pathlib, shutil, sys, time
home = pathlib.Path(__file__).parent
arguments = sys.argv[1:]
moods = (home / "moods").read_text().split("\\n")
(home / "moods").write_text("\\n".join(moods[1:]))
with open(home / "log", "a") as log:
    log.write(json.dumps(arguments) + "\\n")

def stop(said, status=1):
    print("Completed: 0K bytes transferred in 0 seconds\\n", file=sys.stderr)
    sys.exit(print(f"Session Stop  (Error: {said})", file=sys.stderr) or status)

*options, source, target = arguments
if options != ["-T", "-Q", "-l", "300m", "-P", "33001", "-i", str(home / "a key"), "-k", "2"]:
    stop(f"bad options {options}")
host, _, path = source.partition(":")
if host != "fasp-public@127.0.0.1" or not path.startswith("/"):
    stop("Host not found")
path, target = pathlib.Path(str(home / "archive") + path), pathlib.Path(target)
if path.is_dir():
    sys.exit(shutil.copytree(path, target) and 0)
if not path.is_file():
    stop("Server aborted session: No such file or directory")
content = path.read_bytes()
before = target.read_bytes() if target.exists() else b""
assert content.startswith(before)
mood, _, said = moods[0].partition(" ")
if mood == "fails":
    target.write_bytes(content[: len(before) + 100_000])
    pathlib.Path(f"{target}.aspx").write_text("how far it came")
    stop(said)
if mood == "exits":
    sys.exit(print(said.partition(" ")[2], file=sys.stderr) or int(said.partition(" ")[0]))
if mood == "hangs":
    time.sleep(60)
if mood == "writes":
    sys.exit(target.write_bytes(content[: int(said)]) and 0)
if mood != "says":
    target.write_bytes(content)
print("Completed: 292K bytes transferred in 1 seconds")
"""
)


class StandIn:
    """The program, its key and an archive, in one folder."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "archive").mkdir()
        (folder / "a key").write_text("secret")
        (folder / "ascp").write_text(STAND_IN)
        (folder / "ascp").chmod(0o755)
        (folder / "log").touch()
        (self.archive / "movie.bin").write_bytes(CONTENT)
        self.is_in_the_mood()

    @property
    def archive(self):
        return self.folder / "archive"

    @property
    def calls(self):
        return len((self.folder / "log").read_text().splitlines())

    def is_in_the_mood(self, *moods):
        (self.folder / "moods").write_text("\n".join(moods))
