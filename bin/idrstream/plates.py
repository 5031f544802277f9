"""What was learnt of a plate, kept in the output folder: its flat-field, and the diameter of its nuclei.

`flatfields/PLATE/` holds the field and its picture, `fields.json` and, if it was estimated, `diameter.json`. The third
is written last and says by its `id` what all was made of: a later run takes the folder as it is, or makes it anew.
Standard library only, for it runs on the head.
"""

import hashlib
import json
import shutil
from pathlib import Path

from idrstream import files, image

FOLDER = "flatfields"


def identity(frames, making):
    """What a plate's knowledge is made of, as 16 hexadecimal digits: its reference frames, and the recipe."""
    content = [[frame["key"] for frame in frames], making]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def settled(outdir, wanted):
    """Those of the plates WANTED (plate -> identity) of which OUTDIR holds just that, whole."""
    found = set()
    for plate, id in wanted.items():
        path = Path(outdir) / FOLDER / plate / image.FIELDS
        content = files.read_json(path) if path.exists() else {}
        kept = content.get("files", {}).items()
        if content.get("id") == id and all(files.unchanged(path.with_name(name), facts) for name, facts in kept):
            found.add(plate)
    return found


def keep(packet, known, outdir):
    """Copy what KNOWN holds of a plate to OUTDIR, in place of what lies there; returns the folder.

    packet  the planner's JSON of the plate, read
    known   folder with that of FLATFIELD in it and, perhaps, the estimate of DIAMETER
    """
    target = Path(outdir) / FOLDER / packet["id"]
    shutil.rmtree(target, ignore_errors=True)
    ((fields, content),) = image.read_fields(known)
    own = packet["id"] in content["fields"]  # those of single frames were only for the diameter
    wanted = {path.name: path for path in fields.glob(f"{packet['id']}.*")} if own else {}
    wanted |= {"diameter.json": path for path in Path(known).glob(f"{packet['id']}.json")}  # noqa: B035  (one or none)
    content |= {"files": {name: files.copy(path, target / name) for name, path in sorted(wanted.items())}}
    content |= {"id": None if content["lost"] else packet["identity"]}
    files.write_json(target / image.FIELDS, content if own else content | {"fields": {}})
    return target
