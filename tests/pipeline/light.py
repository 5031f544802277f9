"""SEGMENT, EMBED and MEASURE without their tools, for tests of the stream itself: quick, the same each time, heavy on
disk, and failing on demand. Put in place of bin/screen_segment.py, bin/screen_embed.py and bin/screen_measure.py in a
copy of the pipeline.

FAULT    "EMBED 3 137 1": EMBED of batch 3 ends with exit code 137 the first time; 0 for the times means always
HEAVY    bytes that each leaves in its folder
SECONDS  that each takes; SECONDS_MEASURE: that MEASURE does
"""

import os
import sys
import time
from pathlib import Path

CELLS, FEATURES = 5, 8


def main():
    if "--version" in sys.argv:
        return print("light")  # before anything is imported: it is asked after every task
    import numpy as np
    import tifffile

    from idrstream.base import files, stage_folder
    from idrstream.images.frames import frame_key, read_frame
    from idrstream.images.labels import write_cells

    stage = Path(sys.argv[0]).stem.removeprefix("screen_").upper()
    frames, *more = [Path(word) for word in sys.argv[1 : 3 if stage == "SEGMENT" else 4]]
    out = more[-1]
    out.mkdir()
    time.sleep(float(os.environ.get(f"SECONDS_{stage}", os.environ.get("SECONDS", 0))))
    (out / "heavy").write_bytes(os.urandom(int(os.environ.get("HEAVY", 0))))
    fail(stage)
    name = "Nuclei_light" if stage == "MEASURE" else "light"
    made = {"model": "light", "features": [f"{name}_{i}" for i in range(FEATURES)]}
    files.write_json(out / stage_folder.PROVENANCE, made if stage == "MEASURE" else made | {"device": {}, "crops": 1})
    for row in stage_folder.read_rows(frames, "ok"):
        label = np.arange(1, CELLS + 1)
        if stage == "SEGMENT":
            labels = np.zeros(row["shape"], np.uint16)
            labels[label * 2, label * 3] = label  # a pixel each
            shape = {"area": np.ones(CELLS), "solidity": np.ones(CELLS), "touches_border": np.zeros(CELLS)}
            tifffile.imwrite(out / f"{row['key']}.tif", labels)  # not packed: as heavy as it is wide
            cells = {"label": label, "center_y": label * 2.0, "center_x": label * 3.0}
            write_cells(out, row["key"], cells | shape)
        else:
            seen = read_frame(frames, frame_key(row)).astype(np.float32).ravel()
            features = np.stack([seen[k : k + FEATURES] for k in label])
            padded = np.zeros(CELLS, np.float32)
            write_cells(out, row["key"], {"label": label, "features": features, "padded": padded})
    return None


def fail(stage):
    fault = os.environ.get("FAULT", "").split()
    run = Path(".command.run").read_text() if Path(".command.run").exists() else ""
    if len(fault) < 4 or fault[0] != stage or (f"(b{int(fault[1]):04d}-" not in run and "FAULT_ALL" not in os.environ):
        return
    times = int(fault[3])
    tried = Path(os.environ["FAULT_LOG"])
    with open(tried, "a") as log:
        log.write("x")
    if times == 0 or len(tried.read_text()) <= times:
        print("something went wrong in here", file=sys.stderr)
        sys.exit(int(fault[2]))


if __name__ == "__main__":
    main()
