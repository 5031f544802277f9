"""Records of what slides cost: deepcell-imaging's columns, of a slide.json whose figures are known."""

import csv
import json

from idrstream.base import files
from idrstream.tissue import benchmarks, costs

# The columns of its benchmarking/bigquery_benchmarking_schema.json, in their order.
PHASE = ["instance_type", "gpu_type", "num_gpus", "success", "peak_memory_gb", "is_preemptible"]
PHASE += ["input_load_time_s", "time_s", "output_write_time_s"]
SCHEMA = ["input_file_id", "numpy_size_mb", "pixels", "compartment", "benchmark_datetime_utc", "success"]
SCHEMA += ["cloud_region"]
SCHEMA += [f"preprocessing_{name}" for name in PHASE]
SCHEMA += [f"prediction_{name}" for name in [*PHASE, "model_load_time_s", "batch_size"]]
SCHEMA += [f"postprocessing_{name}" for name in PHASE]

SECONDS = {"read": 1.0, "prepare": 2.0, "predict": 10.0, "predict cells": 20.0, "seeds": 0.5, "label": 3.0}
SECONDS |= {"number": 0.25, "pair": 0.25, "measure": 4.0, "tables": 6.0, "assemble": 7.0}


def slide(**changed):
    """slide.json of 2 channels of 1000 x 2000 pixels of 16 bits; memory rises from step to step."""
    steps = [
        {"step": name, "tasks": 1, "pixels": 2_000_000, "seconds": seconds, "cpu_seconds": 2 * seconds}
        | {"cpu_seconds_per_mpx": seconds, "peak_rss_mb": 100 * place}
        for place, (name, seconds) in enumerate(SECONDS.items(), 1)
    ]
    content = {"slide": "A1", "size": [1000, 2000], "nuclear": [{"number": 1}], "membrane": [{"number": 3}]}
    content |= {"dtype": "uint16", "npz": None, "cells_from": "model", "device": "CPU (x86_64, 2 threads)"}
    return content | {"steps": steps} | changed


def test_the_columns_are_those_of_the_table_in_their_order_then_ours():
    assert list(benchmarks.COLUMNS[: len(SCHEMA)]) == SCHEMA
    assert all(name.startswith(("measurement_", "total_")) for name in benchmarks.COLUMNS[len(SCHEMA) :])


def test_phases_are_sums_of_their_steps_and_memory_that_of_the_largest():
    found = benchmarks.of(slide(), "2026-01-02T03:04:05+00:00")
    assert {name: found[name] for name in SCHEMA[:6]} == {
        **{"input_file_id": "A1", "numpy_size_mb": 8.0, "pixels": 2_000_000, "compartment": "both"},
        **{"benchmark_datetime_utc": "2026-01-02T03:04:05", "success": True},
    }
    assert (found["preprocessing_input_load_time_s"], found["preprocessing_time_s"]) == (1, 2)
    assert found["prediction_time_s"] == 30 and found["postprocessing_time_s"] == 4
    assert found["postprocessing_output_write_time_s"] == 7 and found["measurement_time_s"] == 4
    memory = [found[f"{phase}_peak_memory_gb"] for phase in ("preprocessing", "prediction", "postprocessing")]
    assert memory == [0.2, 0.4, 1.1] and found["measurement_peak_memory_gb"] == 1.0
    assert found["total_cpu_s"] == 2 * sum(SECONDS.values()) and found["prediction_num_gpus"] == 0


def test_a_gpu_has_its_name_and_what_nobody_measures_is_empty():
    found = benchmarks.of(slide(device="NVIDIA H200", cells_from="none"), None)
    assert (found["prediction_gpu_type"], found["prediction_num_gpus"]) == ("NVIDIA H200", 1)
    assert found["compartment"] == "nuclear"
    assert found["cloud_region"] is found["prediction_batch_size"] is found["postprocessing_is_preemptible"] is None


def test_of_an_npz_file_its_own_type_counts():
    assert benchmarks.of(slide(npz={"location": "A1.npz", "dtype": "float32"}), None)["numpy_size_mb"] == 16


def test_a_slide_whose_label_images_are_given_has_no_prediction():
    kept = [step for step in slide()["steps"] if step["step"] in ("measure", "tables", "assemble")]
    found = benchmarks.of(slide(steps=kept, nuclear=[], membrane=[], device=""), None)
    assert found["prediction_time_s"] is found["prediction_success"] is found["prediction_num_gpus"] is None


def test_every_step_counts_in_one_phase():
    phases = benchmarks.PHASES | benchmarks.MEASUREMENT
    counted = [name for columns in phases.values() for names in columns.values() for name in names]
    assert len(counted) == len(set(counted)) and set(costs.STEPS) <= set(counted)


def test_every_slide_has_a_row_and_a_record_with_its_steps(tmp_path):
    files.write_json(tmp_path / "slides/A1/slide.json", slide())
    rows = [{"key": "A1", "status": "ok"}, {"key": "A2", "status": "failed"}]
    benchmarks.write(tmp_path, rows, {"A1": "2026-01-02T03:04:05+00:00"})
    with open(tmp_path / "benchmarks.tsv", newline="") as file:
        first, second = csv.DictReader(file, delimiter="\t")
    assert (first["input_file_id"], first["prediction_time_s"], first["success"]) == ("A1", "30.0", "True")
    assert (second["input_file_id"], second["prediction_time_s"], second["success"]) == ("A2", "", "False")
    records = json.loads((tmp_path / "benchmarks.json").read_text())
    assert records[0]["steps"] == slide()["steps"] and records[0]["prediction_time_s"] == 30
    assert set(first) == set(benchmarks.COLUMNS) == set(records[1]) - {"steps"}
