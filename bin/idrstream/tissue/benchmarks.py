"""What slides cost, in the columns of deepcell-imaging's benchmark table, of slide.json. Standard library only.

Its three phases are sums over our steps. What nobody measures is empty: docs/tissue/outputs.md says which columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from idrstream.base import files, tables

TABLE, RECORDS = "benchmarks.tsv", "benchmarks.json"
PHASES = {  # of deepcell-imaging: {column of seconds: steps}
    "preprocessing": {"input_load_time_s": ("read", "take"), "time_s": ("prepare", "normalize")},
    "prediction": {"time_s": ("predict", "flood")},
    "postprocessing": {
        "time_s": ("seeds", "label", "number", "count", "finish", "pair"),
        "output_write_time_s": ("assemble",),
    },
}
MEASUREMENT = {"measurement": {"time_s": ("measure",), "output_write_time_s": ("tables",)}}  # ours alone
OF_PHASE = ("instance_type", "gpu_type", "num_gpus", "success", "peak_memory_gb", "is_preemptible")
OF_PHASE += ("input_load_time_s", "time_s", "output_write_time_s")
OF_PREDICTION = ("model_load_time_s", "batch_size")
WHOLE = ("input_file_id", "numpy_size_mb", "pixels", "compartment", "benchmark_datetime_utc", "success", "cloud_region")
OWN = ("measurement_peak_memory_gb", "measurement_time_s", "measurement_output_write_time_s", "total_cpu_s")
COLUMNS = (
    *WHOLE,
    *(f"preprocessing_{name}" for name in OF_PHASE),
    *(f"prediction_{name}" for name in (*OF_PHASE, *OF_PREDICTION)),
    *(f"postprocessing_{name}" for name in OF_PHASE),
    *OWN,
)


def write(outdir: Path, rows: Iterable[Mapping[str, Any]], committed: Mapping[str, str]) -> None:
    """Write the table and the records, which have the steps of each slide too, of all slides to OUTDIR.

    rows       of slides.tsv: key, status
    committed  slide -> when it was committed, UTC, ISO 8601
    """
    records = [record for row in rows if (record := _record(outdir, row, committed.get(row["key"]))) is not None]
    files.write_json(outdir / RECORDS, records)
    tables.write(outdir / TABLE, COLUMNS, records)


def _record(outdir: Path, row: Mapping[str, Any], when: str | None) -> dict[str, Any] | None:
    if row["status"] != "ok":
        empty: dict[str, Any] = dict.fromkeys(COLUMNS)
        return empty | {"input_file_id": row["key"], "success": False, "steps": []}
    return of(files.read_json(outdir / "slides" / row["key"] / "slide.json"), when)


def of(slide: Mapping[str, Any], when: str | None) -> dict[str, Any]:
    """The record of a finished slide: column -> value, None where nobody measures it, and "steps".

    slide  its slide.json
    when   it was committed
    """
    steps, found = slide["steps"], dict.fromkeys(COLUMNS)
    height, width = slide["size"]
    channels = {channel["number"] for channel in (*slide["nuclear"], *slide["membrane"])}
    found |= {
        "input_file_id": slide["slide"],
        "numpy_size_mb": round(len(channels) * height * width * _bytes(slide) / 1e6, 2),
        "pixels": height * width,
        "compartment": "nuclear" if slide["cells_from"] == "none" else "both",
        "benchmark_datetime_utc": when and when.removesuffix("+00:00"),  # a DATETIME of BigQuery has no zone
        "success": True,
        "total_cpu_s": round(sum(step["cpu_seconds"] for step in steps), 3),
    }
    for phase, columns in (PHASES | MEASUREMENT).items():
        done = [step for names in columns.values() for step in steps if _name(step) in names]
        if not done:
            continue
        found[f"{phase}_peak_memory_gb"] = round(max(step["peak_rss_mb"] for step in done) / 1000, 3)
        found |= {f"{phase}_{column}": _seconds(steps, names) for column, names in columns.items()}
        if phase in PHASES:
            found[f"{phase}_success"] = True
    if (gpu := slide["device"]) and not gpu.startswith("CPU "):
        found |= {"prediction_gpu_type": gpu, "prediction_num_gpus": 1}
    elif found["prediction_success"]:
        found["prediction_num_gpus"] = 0
    return found | {"steps": steps}


def _seconds(steps: Sequence[Mapping[str, Any]], names: Sequence[str]) -> float | None:
    done = [step["seconds"] for step in steps if _name(step) in names]
    return round(sum(done), 3) if done else None


def _name(step: Mapping[str, Any]) -> str:
    """The name of a step, whatever layer it worked on."""
    return step["step"].split()[0]


def _bytes(slide: Mapping[str, Any]) -> int:
    """Bytes of a pixel of the channels that networks saw."""
    dtype = (slide.get("npz") or slide)["dtype"]
    return int(re.search(r"\d+", dtype)[0]) // 8  # type: ignore[index]
