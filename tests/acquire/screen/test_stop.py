"""What a run that stops at quality control settles, and what the run that goes on from there takes."""

import pytest

from commits import GATE, plan_again
from idrstream.base import files
from idrstream.base.tables import Problems
from idrstream.runs import ledger
from idrstream.screen import hcs, outcome
from planning import keys, planned


@pytest.fixture
def labelled(here, committed):
    """A function that commits a run which stopped: its batches' label images too."""

    def stop(failed=(), **changed):
        made = plan_again(here, stop_after="qc", **changed)
        for asked in [asked for asked in made.images if asked["key"] not in failed]:
            files.write_text(here / "labels" / f"{asked['key']}.tif", asked["key"])
        committed(made, failed=failed, save_labels=True)
        return made

    return stop


def labels(here):
    return sorted(path.stem for path in (here / "out/labels").rglob("*.tif"))


def kept(made):
    return sorted(path for batch in made.batches for path in batch["kept"])


def test_a_run_that_stops_has_no_stage_of_features_and_keeps_its_labels(here):
    made = planned(here, stop_after="qc", csv="DP", h5ad=True, normalize_cells=True)
    assert not {"export", "plate_profiles", "normalize_cells", "to_anndata"} & made.stages.keys()
    assert made.stages["commit"]["args"] == "--save_labels" and made.stages["qc"]["args"] == ""
    assert "this run stops at quality control" in made.text()
    assert {batch["id"][0] for batch in made.batches} == {"q"}


def test_the_full_run_has_the_same_images_to_do_whose_nuclei_it_takes(here, labelled):
    before = labelled()
    assert "Nothing to do" in planned(here, stop_after="qc").text()
    made = planned(here, features="cp")
    assert made.stale == [] and made.done == 0
    assert [asked["id"] for asked in made.images] == [asked["id"] for asked in before.images]
    assert kept(made) == [f"labels/plate={key[:2]}/{key}.tif" for key in labels(here)]
    assert "8 label images of a run that stopped at quality control: reused from labels/" in made.text()


def test_what_shapes_features_does_not_matter_and_what_shapes_nuclei_does(here, labelled):
    labelled()
    assert len(kept(planned(here, crop_mask=True, embed_input=224))) == 8
    assert len(kept(planned(here, remove_edge_masks=True))) == 8  # which of the nuclei are cells
    for changed in {"diameter": 30}, {"flow_threshold": 0.3}, {"camera_offset": 3}:
        made = planned(here, **changed)
        assert len(made.stale) == 3 and kept(made) == []
        assert all(word not in made.text() for word in ("features None", "embedder None"))


def test_what_failed_for_good_stays_so_and_what_may_heal_is_fetched_and_segmented(here, labelled):
    labelled(failed=["PA_C01_s1_f5"])
    assert ["PA_C01_s1_f5"] not in keys(planned(here))
    (path,) = (here / "out/ledger").glob("q0001*.json")
    entry = files.read_json(path)
    files.write_json(path, entry | {"images": [row | {"retryable": True} for row in entry["images"]]})
    made = planned(here)
    (again,) = [batch for batch in made.batches if not batch["kept"]]
    assert [asked["key"] for asked in again["images"]] == ["PA_C01_s1_f5"]


def test_images_that_a_run_which_stopped_has_saved_stay_its_own(here, labelled):
    labelled(batches="1")
    (path,) = (here / "out/ledger").glob("q*.json")
    entry = files.read_json(path)
    field = hcs.field(entry["images"][0])
    files.write_text(here / "out" / field / ".zgroup", "{}")
    facts = files.stage(here / "out" / field / ".zgroup", here / "facts")
    facts["mtime_ns"] = (here / "out" / field / ".zgroup").stat().st_mtime_ns
    files.write_json(path, entry | {"files": [*entry["files"], {"path": f"{field}/.zgroup"} | facts]})
    assert f"{field}/.zgroup" in kept(planned(here, save="images"))


def test_a_file_in_the_place_of_a_result_is_said_where_the_run_would_write_it(here):
    mine = ["csv/DP_features/batch_0.csv.gz", "profiles/h5ad/PA.h5ad", "profiles/wells/selected/PB.parquet"]
    mine += ["profiles/normalized_cells/scaler.tsv", "images/PA.ome.zarr/A/4/s1f5/.zgroup"]
    for name in mine:
        files.write_text(here / "out" / name, "mine")
    planned(here, well_profiles="none"), planned(here, stop_after="qc", csv="DP", h5ad=True)
    with pytest.raises(Problems) as problems:
        planned(here, csv="DP", h5ad=True, normalize_cells=True, save="images")
    assert [
        any(f"/{name} was not written by idrstream" in said for said in problems.value.sentences) for name in mine
    ] == [True] * len(mine)
    with pytest.raises(Problems, match=r"profiles/wells/selected/PB\.parquet"):
        planned(here)


def test_a_committed_full_batch_leaves_labels_to_the_run_that_stopped(here, labelled, committed):
    labelled()
    before = labels(here)
    committed(plan_again(here, batch_size=5), save_labels=True)
    whole, broken = ledger.read(here / "out")
    assert (len(whole), broken, labels(here)) == (4, [], before)
    named = [file["path"] for entry in whole for file in entry["files"]]
    assert len(named) == len(set(named))
    assert {row["status"] for row in ledger.rows(whole).values()} == {"ok"}
    assert planned(here).batches == [] and planned(here, stop_after="qc").batches == []
    again = planned(here, features="cp")
    assert len(again.stale) == 1 and len(kept(again)) == 8  # other features: the nuclei stay


def test_a_label_image_that_is_gone_or_changed_is_not_taken(here, labelled):
    labelled()
    (here / "out/labels/plate=PA/PA_A04_s1_f5.tif").write_text("mine")
    made = planned(here)
    without = {asked["key"] for batch in made.batches if not batch["kept"] for asked in batch["images"]}
    assert without == {"PA_A04_s1_f5", "PA_B02_s1_f2", "PA_B02_s1_f5", "PA_B02_s1_f9"}  # its batch


def test_redo_takes_the_place_of_both(here, labelled, committed):
    labelled()
    committed(plan_again(here))
    made = plan_again(here, session="second", redo=True)
    assert kept(made) == [] and sum(len(batch["supersedes"]) for batch in made.batches) == 6
    committed(made)
    assert [entry["batch"][0] for entry in ledger.read(here / "out")[0]] == ["b"] * 3 and labels(here) == []


def test_redo_of_a_look_does_not_lose_features(here, labelled, committed):
    labelled()
    committed(plan_again(here, batches="0"))
    with pytest.raises(Problems, match="--redo: with --stop_after qc, out has features of these images"):
        planned(here, session="second", stop_after="qc", redo=True)
    made = planned(here, session="second", stop_after="qc", redo=True, batches="1,2")
    assert sum(len(batch["supersedes"]) for batch in made.batches) == 2


def test_redo_does_not_lose_wells_that_were_left_out_after_the_look(here, labelled):
    labelled()
    lines = (here / "wells.tsv").read_text().splitlines()
    (here / "wells.tsv").write_text("\n".join([lines[0], *lines[2:]]) + "\n")
    assert len(kept(planned(here))) == 7
    with pytest.raises(Problems, match="--redo: the same batches of out hold 1 image that --input does not have"):
        planned(here, session="second", redo=True)


def test_an_image_that_is_only_segmented_is_not_done_in_a_full_run(here, labelled):
    labelled()
    made = planned(here)
    requested = [asked | {"batch": None} for asked in made.images]
    said = outcome.summarise(requested, made.places, made.study.wells, here / "out", 0, GATE)
    assert said["text"].startswith("0 of 8 images done, 0 cells")
    assert "8 of 8 images were not finished" in said["error"]
    said = outcome.summarise(requested, made.places, made.study.wells, here / "out", 0, GATE, stop=True)
    assert said["text"].startswith("8 of 8 images done, 24 cells") and not said["error"]
    assert (here / "out/images.tsv").read_text().count("\tsegmented\t") == 8
