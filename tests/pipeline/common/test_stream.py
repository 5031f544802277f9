"""The stream: bounded on disk, losing nothing, going on from wherever it was stopped."""

import pandas as pd
from streams import WELLS, Stream

from make_screen import make_screen


def test_batches_are_fetched_one_after_the_other_so_a_server_gets_no_more_than_the_connections_of_one(whole):
    trace = pd.read_table(next(whole.out.glob("pipeline_info/trace_*.tsv")))
    fetched = trace[trace["name"].str.contains(":FETCH ")].sort_values("submit")
    begun = pd.to_datetime(fetched["submit"])
    ended = begun + pd.to_timedelta(fetched["duration"])
    assert len(fetched) == len(WELLS) / 2
    assert (begun.values[1:] > ended.values[:-1] - pd.Timedelta("0.2s").to_timedelta64()).all()  # it rounds to 0.1 s


def test_a_batch_that_fails_is_given_up_and_said_and_the_next_run_takes_up_just_that_trying_what_may_heal_again(
    stream, whole
):
    run = stream.run("--batch_size", 4, "--max_inflight", 1, FAULT="EMBED 1 1 0")
    assert run.code == 1
    lost = run.images[run.images["status"] == "lost"]
    assert lost["row"].tolist() == [4, 5, 6, 7]
    assert set(lost["reason"]) == {"EMBED ended with exit code 1: something went wrong in here"}
    assert "4 of 8 images were not finished; the next run computes them" in run.said
    (log,) = (run.out / "pipeline_info").glob("lost_b0001-*.log")
    assert "something went wrong in here" in log.read_text()
    assert len(run.committed) == 1
    before = run.committed
    again = stream.run("--batch_size", 4, FAULT="SEGMENT 1 137 1")
    assert again.code == 0, again.said
    assert (again.folder / "fault-2").read_text() == "xx"  # and then nobody need know
    assert before.items() < again.committed.items()
    assert again.cells == whole.cells


def test_a_site_that_ignores_failed_tasks_in_its_own_way_neither_stops_the_others_nor_hides_a_loss(stream, tmp_path):
    (tmp_path / "site.config").write_text("process { withName: EMBED { errorStrategy = 'ignore' } }")
    site = ["-c", tmp_path / "site.config"]  # with which only the older parser knows our profiles
    run = stream.run("--max_inflight", 1, "--batches", "0,1", *site, FAULT="EMBED 0 1 0", NXF_SYNTAX_PARSER="v1")
    assert run.code == 1
    assert run.images[["status", "reason"]].to_numpy().tolist() == [
        ["missing", "its batch was not finished"],
        ["ok", ""],
    ]
    assert "1 of 2 images were not finished; the next run computes them" in run.said


def test_one_batch_lost_ends_the_run_where_that_is_asked_for(stream):
    run = stream.run("--max_inflight", 1, "--on_failure", "stop", FAULT="SEGMENT 0 1 0")
    assert run.code == 1
    assert run.images["status"].tolist() == ["lost", *["missing"] * 7]
    assert set(run.images["reason"][1:]) == {"the run was stopped before its batch began"}


def test_after_three_batches_lost_no_other_begins_and_a_task_that_so_loses_its_input_is_not_another_loss(stream):
    stream.features = "deep,cp"
    lost = {"FAULT": "EMBED 0 1 0", "FAULT_ALL": "1", "SECONDS_MEASURE": "4"}
    run = stream.run("--max_inflight", 1, **lost)
    assert run.code == 1
    reasons = run.images[run.images["status"] == "lost"]["reason"]
    assert reasons.tolist() == ["EMBED ended with exit code 1: something went wrong in here"] * 3
    stopped = run.images[run.images["status"] == "missing"]
    assert set(stopped["reason"]) == {"the run was stopped before its batch began"}


def test_the_columns_are_deep_features_and_then_classical_ones_whatever_the_order_asked_for(stream):
    stream.features = "cp,deep"
    run = stream.run("--batches", "0")
    assert run.code == 0, run.said
    table = pd.read_parquet(run.out / "profiles/single_cells").drop(columns="plate")
    features = [name for name in table if not name.startswith("Metadata_")]
    assert features == [f"{name}_{i}" for name in ("light", "Nuclei_light") for i in range(8)]
    assert not list(run.folder.glob("work/*/*/measures/*"))

    stream.features = "cp"
    run = stream.run("--batches", "0")
    assert run.code == 0, run.said
    assert "used other settings (features deep,cp, now cp)" in run.said
    table = pd.read_parquet(run.out / "profiles/single_cells")
    assert [name for name in table if "light_" in name] == [f"Nuclei_light_{i}" for i in range(8)]


def test_an_error_that_the_user_must_mend_stops_the_run(stream):
    run = stream.run("--max_inflight", 1, FAULT="SEGMENT 0 64 0")
    assert run.code == 1
    assert "something went wrong in here" in run.said


def test_a_directive_of_a_site_that_cannot_be_evaluated_stops_the_run_and_is_said(stream, tmp_path):
    (tmp_path / "site.config").write_text("process { withName: EMBED { cpus = { 1.intdiv(0) } } }")
    run = stream.run("--batches", "0", "-c", tmp_path / "site.config", NXF_SYNTAX_PARSER="v1")
    assert run.code == 1
    assert "Error executing process > 'SCREEN:FEATURES:EMBED (b0000-" in run.said and "/ by zero" in run.said


def test_a_flat_field_that_is_fitted_to_an_image_is_applied_to_it(light, tmp_path):
    make_screen(tmp_path / "screen", plates=["DM0001_01"], wells=[3, 17], frames=4, shape=(256, 336))
    run = Stream(light, tmp_path / "screen", tmp_path / "run").run("--illumination", "frames", "--batch_size", 8)
    assert run.code == 0, run.said
    assert set(run.images["flatfield"]) == {"frames"}
