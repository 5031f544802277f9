"""What a run leaves, without the run: an output folder with every table and picture that the report reads.

Artificial, with known faults: the first plate has two blurred wells, a bright one, an empty one and images of two
kinds of failure; the second plate's flat-field is refused.

    python tests/make_output.py FOLDER --plates 510 --wells 384
"""

import argparse
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

ROWS, COLUMNS = 16, 24  # of a 384-well plate
BEGUN = pd.Timestamp("2026-11-01 10:00:00")
CONTROLS = ("negative control", "positive control", "")
FEATURES = ("Nuclei_AreaShape_Area", "Nuclei_AreaShape_Eccentricity", "Nuclei_AreaShape_Solidity")
FEATURES += ("Nuclei_Intensity_MeanIntensity_DNA", *(f"efficientnet_{i}" for i in range(8)))
FAILURES = ("Truncated: 00003_01.ch5 ends at byte 1,024 of 70,021,120", "Unreachable: 127.0.0.1 did not answer <b>")
EMPTY, BRIGHT, BLURRED, FAILED = 2, 4, (5, 6), (3, 7)  # places of wells on the first plate
REFUSED = "the fields from two halves of 8 frames differ by 7.3% (RMS)"


def make_output(folder, plates=2, wells=20, batch=10, cells=True, views=True, seed=0):
    """Write the output folder of an artificial run; returns its images as a DataFrame, as in `qc/images.parquet`.

    plates, wells  how many; the wells are spread over the plate
    batch          images a batch
    cells          write tables of cells and thumbnails
    views          write profiles of wells
    """
    folder, rng = Path(folder), np.random.default_rng(seed)
    images = _images(plates, wells, rng)
    images["batch"] = [f"b{i // batch:04d}-{0:010x}" for i in range(len(images))]
    _fields(folder, sorted(set(images["plate"])))
    pictures = _thumbnails(rng)
    for number, (name, some) in enumerate(images.groupby("batch", sort=True)):
        if cells:
            for plate, own in some[some["status"] == "ok"].groupby("plate"):
                _table(folder / f"profiles/single_cells/plate={plate}/{name}.parquet", _cells(own, rng))
                shown = [pictures[min(int(count) // 40, 3)] for count in own["cells"]]
                thumbnails = pa.table({"key": own["key"].tolist(), "jpeg": shown})
                _table(folder / f"qc/thumbnails/plate={plate}/{name}.parquet", thumbnails)
        _entry(folder, name, number, some)
    _qc(folder, images, cells)
    if views:
        _wells(folder, images, rng)
    _info(folder, images)
    _manifest(folder, "outdir", workflow="screen")
    return images


def _images(plates, wells, rng):
    number = np.tile(np.linspace(1, ROWS * COLUMNS, wells).round().astype(int), plates)
    row, column = (number - 1) // COLUMNS, (number - 1) % COLUMNS
    well = [f"{chr(65 + r)}{c + 1:02d}" for r, c in zip(row, column, strict=True)]
    plate = np.repeat([f"LT{i // 4 + 1:04d}_{i % 4 + 1:02d}" for i in range(plates)], wells)
    count = rng.poisson(80 + 30 * np.sin(number / 7))
    images = pd.DataFrame({"plate": plate, "well": well, "well_number": number, "site": 1, "frame": 2})
    images["row"], images["status"], images["reason"] = np.arange(len(images)), "ok", ""
    images["cells"] = np.where(images.index == EMPTY, 0, count)
    images["control_type"] = [CONTROLS[min(n % 8, 2)] for n in number]
    images["gene"] = [f"GENE{n % 97}" for n in number]
    images["focus"] = rng.normal(-2.2, 0.08, len(images)) - 1.2 * images.index.isin(BLURRED)
    images["saturation"] = np.where(images.index == BRIGHT, 0.04, rng.gamma(1, 1e-5, len(images)))
    images["background"] = rng.normal(22, 1, len(images)).round() + 30 * (images.index == BRIGHT)
    second = images["plate"] == sorted(set(plate))[min(1, plates - 1)]
    images["flatfield"] = np.where(second, f"refused: {REFUSED}", "plate")
    images["bytes"], images["field_bytes"], images["seconds"] = 870_000, 12_000_000, 0.4
    images["key"] = [f"{p}_{w}_s1_f2" for p, w in zip(images["plate"], images["well"], strict=True)]
    images["id"] = [f"{i:016x}" for i in range(len(images))]
    for place, reason in zip(FAILED, FAILURES, strict=True):
        images.loc[place, ["status", "reason"]] = ["failed", reason]
    broken = images["status"] != "ok"
    images.loc[broken, ["focus", "saturation", "background"]] = np.nan
    images["cells"] = images["cells"].astype("Int32").mask(broken)
    return images


def _entry(folder, name, number, images):
    rows = json.loads(images.drop(columns=["row", "control_type", "gene", "batch"]).to_json(orient="records"))
    fields = {
        p: _figures(p, refused=f.startswith("refused"))
        for p, f in zip(images["plate"], images["flatfield"], strict=True)
    }
    device = {"name": "NVIDIA H200" if number % 2 else "CPU (x86_64, 2 threads)"}
    provenance = {"segment": {"device": device, "diameter": dict.fromkeys(fields, 22.1)}, "fields": fields}
    entry = {"provenance": provenance | {"embed": {"device": device}}, "batch": name, "number": number, "session": "s"}
    entry |= {"supersedes": [], "former": [], "work_folders": []}
    entry |= {"recipe": {"model": "a" * 64, "version.segment": 2}, "references": {}}
    entry |= {"committed": (BEGUN + pd.Timedelta(minutes=number)).isoformat() + "+00:00", "images": rows}
    entry["files"] = [_facts(folder, path) for path in sorted(folder.rglob(f"{name}.parquet"))]
    (folder / "ledger").mkdir(parents=True, exist_ok=True)
    (folder / f"ledger/{name}.json").write_text(json.dumps(entry))


def _facts(folder, path):
    about = path.stat()
    return {"path": str(path.relative_to(folder)), "bytes": about.st_size, "mtime_ns": about.st_mtime_ns, "sha256": ""}


def _figures(plate, refused):
    facts = {"kind": "plate", "candidates": ["x"] * 24, "bytes": 12_000_000}
    if refused:
        return facts | {"status": "refused", "reason": REFUSED}
    return facts | {
        "status": "ok",
        "low": 0.71,
        "high": 1.16,
        "used": ["x"] * 8,
        "halves_rms": 0.006 + len(plate) / 5000,
        "left_out": {f"{plate}_A05_s1_f2": "is dark: its median is 3, that of the others 22"},
        "camera_offset": {"state": "rough", "offset": 6.3, "low": 5.1, "high": 7.2, "bound": 0.0234, "nuclei": 812},
    }


def _fields(folder, plates):
    y, x = np.mgrid[-1:1:96j, -1:1:128j]
    field = Image.fromarray(((1.2 - 0.4 * (x**2 + y**2) - 0.5) * 255).clip(0, 255).astype(np.uint8))
    for place, plate in enumerate(plates):
        (folder / "flatfields" / plate).mkdir(parents=True)
        if place != 1:
            field.save(folder / f"flatfields/{plate}/{plate}.png")


def _thumbnails(rng):
    """JPEGs of empty, sparse, middling and dense frames."""
    made = []
    for count in (0, 30, 80, 130):
        frame = Image.fromarray(rng.normal(30, 4, (244, 320)).clip(0, 255).astype(np.uint8)).convert("RGB")
        draw = ImageDraw.Draw(frame)
        for x, y in rng.uniform((8, 8), (312, 236), (count, 2)):
            draw.ellipse((x - 5, y - 4, x + 5, y + 4), fill=(170, 170, 170), outline="#E69F00")
        file = io.BytesIO()
        frame.save(file, "JPEG", quality=80)
        made.append(file.getvalue())
    return made


def _cells(images, rng):
    every = images.loc[images.index.repeat(images["cells"])].reset_index(drop=True)
    names = {"plate": "Plate", "well": "Well", "site": "Site", "frame": "Frame", "control_type": "Control_Type"}
    cells = every[list(names)].rename(columns={old: f"Metadata_{new}" for old, new in names.items()})
    label = every.groupby("key").cumcount() + 1
    cells["Metadata_Label"], cells["Metadata_Cell_ID"] = label, every["key"] + "_c" + label.astype(str)
    cells["Metadata_Center_X"], cells["Metadata_Center_Y"] = rng.uniform(0, 1000, (2, len(cells)))
    cells["Metadata_Area"] = rng.normal(400, 80, len(cells)).clip(20).astype("int32")
    cells["Metadata_Solidity"] = rng.beta(60, 3, len(cells)).astype("float32")
    cells["Metadata_TouchesBorder"] = rng.random(len(cells)) < 0.06
    shift = (cells["Metadata_Control_Type"] == "positive control").to_numpy()[:, None] * 1.0
    features = rng.normal(0, 1, (len(cells), len(FEATURES))).astype("float32") + shift.astype("float32")
    return cells.join(pd.DataFrame(features, columns=FEATURES))


def _qc(folder, images, cells):
    table = images.drop(columns=["id", "key", "batch", "field_bytes"])
    marks = {
        "blurred": (table["focus"] < -2.8).fillna(False),
        "saturated": (table["saturation"] > 0.01).fillna(False),
    }
    _table(folder / "qc/images.parquet", _marked(table, marks))
    if cells:
        whole = pq.read_table(folder / "profiles/single_cells", partitioning=None).to_pandas()
        whole = whole[[name for name in whole if name.startswith("Metadata_")]]
        marks = {"large_nucleus": whole["Metadata_Area"] > 600, "touches_border": whole["Metadata_TouchesBorder"]}
        _table(folder / "qc/cells.parquet", _marked(whole, marks), row_group_size=1000)


def _marked(table, marks):
    table = pa.Table.from_pandas(table, preserve_index=False)
    for rule, mark in marks.items():
        field = pa.field(f"cqc.{rule}.is_outlier", pa.bool_(), metadata={"reason": f"why {rule}"})
        table = table.append_column(field, pa.array(mark))
    return table


def _wells(folder, images, rng):
    for plate, own in images[images["status"] == "ok"].groupby("plate"):
        wells = pd.DataFrame(
            {"Metadata_Plate": plate, "Metadata_Well": own["well"], "Metadata_Control_Type": own["control_type"]}
        )
        features = (
            rng.normal(0, 1, (len(wells), 30)) + 2.0 * (own["control_type"] == "positive control").to_numpy()[:, None]
        )
        wells[[f"efficientnet_{i}" for i in range(30)]] = features
        for level in ("normalized", "selected"):
            _table(folder / f"profiles/wells/{level}/{plate}.parquet", wells)
    written = [_facts(folder, path) for path in sorted((folder / "profiles/wells").rglob("*.parquet"))]
    _manifest(folder, "profiles-wells", files={facts.pop("path"): facts for facts in written})


def _manifest(folder, part, **content):
    (folder / "manifest").mkdir(exist_ok=True)
    (folder / f"manifest/{part}.json").write_text(json.dumps({"part": part} | content))


def _info(folder, images):
    info = folder / "pipeline_info"
    info.mkdir()
    asked = json.loads(images[["id", "key", "batch"]].to_json(orient="records"))
    plan = {"begun": f"{BEGUN.isoformat()}+00:00", "images": asked}
    (info / "plan.json").write_text(json.dumps(plan | {"wells": [ROWS, COLUMNS]}))
    run = {"params": {"batch_size": 10, "well_profiles": "plate", "features": "deep,cp"}, "nextflow": "25.04.4"}
    run |= {"versions": {"SEGMENT": "python 3.11.7, cellpose 3.1.1.3"}, "model_sha256": "a" * 64}
    run |= {"stream": {"inflight": 3, "slots": 4, "disk": 210_000_000}}
    (info / "run.json").write_text(json.dumps(run))
    tasks = [("PLAN", "1.2s"), *((f"SCREEN:PLATES:FLATFIELD ({p})", "20s") for p in sorted(set(images["plate"])))]
    stages = (("FETCH", "2.1s"), ("SEGMENT", "31s"), ("EMBED", "8.4s"), ("MERGE", "980ms"))
    tasks += [(f"SCREEN:{stage} ({batch})", time) for batch in sorted(set(images["batch"])) for stage, time in stages]
    trace = pd.DataFrame(tasks, columns=["name", "realtime"])
    trace["status"], trace["exit"], trace["peak_rss"] = "COMPLETED", 0, "312.4 MB"
    trace["submit"] = [str(BEGUN + pd.Timedelta(seconds=10 * i)) for i in range(len(trace))]
    trace["start"], trace["duration"] = trace["submit"], "12s"
    trace["complete"] = [str(BEGUN + pd.Timedelta(seconds=10 * i + 12)) for i in range(len(trace))]
    trace.to_csv(info / "trace_2026-11-01_10-00-00.tsv", sep="\t", index=False)


def _table(path, content, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = content if isinstance(content, pa.Table) else pa.Table.from_pandas(content, preserve_index=False)
    pq.write_table(table, path, compression="zstd", **options)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--plates", type=int, default=2)
    parser.add_argument("--wells", type=int, default=20)
    parser.add_argument("--batch", type=int, default=10, help="images a batch")
    options = parser.parse_args()
    make_output(options.folder, options.plates, options.wells, options.batch)
