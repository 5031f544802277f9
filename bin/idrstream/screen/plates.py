"""What was learnt of a plate, kept in the output folder: flat-field, range of grey levels, diameter of its nuclei.

`flatfields/PLATE/` holds the field and its picture, `fields.json`, which has the range too, and, if it was estimated,
`diameter.json`. The third says by its `id` what all was made of, the manifest whether all is there: a later run takes
it as it is, or makes it anew. Standard library only, for it runs on the head.
"""

import hashlib
import json
from pathlib import Path

from idrstream.base import files
from idrstream.images.calibration import FIELDS, read_fields
from idrstream.runs import manifest

FOLDER = "flatfields"


def identity(frames, making):
    """What a plate's knowledge is made of, as 16 hexadecimal digits: its reference frames, and the recipe."""
    content = [[frame["key"] for frame in frames], making]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def settled(outdir, wanted):
    """Those of the plates WANTED (plate -> identity) of which OUTDIR holds just that, whole."""
    found = set()
    for plate, id in wanted.items():
        path = Path(outdir, FOLDER, plate, FIELDS)
        if path.exists() and files.read_json(path).get("id") == id and manifest.intact(outdir, part(plate)):
            found.add(plate)
    return found


def part(plate):
    """The part of the manifest that a plate is."""
    return f"{FOLDER}-{plate}"


def file_names(plate):
    """All files that may be kept of a plate, relative to the output folder."""
    return [f"{FOLDER}/{plate}/{name}" for name in (f"{plate}.tif", f"{plate}.png", "diameter.json", FIELDS)]


def keep(packet, calibration, outdir):
    """Copy what CALIBRATION holds of a plate to OUTDIR, in place of what lies there of it; returns the folder.

    packet       the planner's JSON of the plate, read
    calibration  folder with that of FLATFIELD in it and, perhaps, the estimate of DIAMETER

    Raises tables.Problems where a file of somebody else lies there.
    """
    plate, folder = packet["id"], f"{FOLDER}/{packet['id']}"
    ((fields, content),) = read_fields(calibration)
    sources, estimate = {}, Path(calibration, f"{plate}.json")
    if plate in content["fields"]:
        sources = {f"{folder}/{path.name}": path for path in fields.glob(f"{plate}.*")}
    else:  # those of single frames were only for the diameter
        content["fields"] = {}
    if estimate.exists():
        sources[f"{folder}/diameter.json"] = estimate
    content["plate"] = plate
    content["id"] = None if content["lost"] else packet["identity"]
    sources[f"{folder}/{FIELDS}"] = files.json_text(content).encode()
    manifest.put(outdir, part(plate), sources)
    return Path(outdir, folder)
