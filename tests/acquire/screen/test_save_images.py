"""Images to look at: pixel by pixel what was measured, valid OME-Zarr, and whole whatever kills a commit."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import zarr
from ome_zarr_models import open_ome_zarr

from commits import killed
from idrstream.base import files, stage_folder
from idrstream.images import ome_zarr
from idrstream.images.calibration import FIELDS, read_corrected, write_field
from idrstream.images.frames import VARIANTS, frame_key, image_key, read_frame, write_frame
from idrstream.images.labels import read_labels, write_labels
from idrstream.runs import commit, housekeeping
from idrstream.screen import hcs, plan, results

ROWS = [("PA", "A03", 1, 93), ("PA", "A03", 1, 94), ("PA", "B12", 2, 1), ("PB", "P24", 1, 7)]
SHAPE = (101, 135)
OFFSET = 6


METADATA = {"Control_Type": "", "Gene": ""}


def row(plate, well, site, frame, variant="", shape=SHAPE):
    place = {"plate": plate, "well": well, "well_number": 24 * (ord(well[0]) - 65) + int(well[1:]), "site": site}
    named = {"key": image_key(plate, well, site, frame, variant), "id": f"{plate}{well}{site}{frame}{variant}"}
    own = {"variant": variant} if variant else {}
    return place | named | own | {"frame": frame, "status": "ok", "shape": list(shape), "metadata": METADATA}


class Batch:
    """Frames, label images and what is known of plate PA, as the stages leave them; then what they become."""

    def __init__(self, folder, rows, dtype=np.uint8, seed=0):
        self.folder, self.rows = folder, rows
        self.frames, self.labels, self.known = (folder / name for name in ("frames", "labels", "known"))
        for made in (self.frames, self.labels, self.known / "PA.fields"):
            made.mkdir(parents=True)
        random = np.random.default_rng(seed)
        top = np.iinfo(dtype).max if np.dtype(dtype).kind == "u" else 1
        rows = [asked | {"type": np.dtype(dtype).name, "bit_depth": None if top == 1 else 8} for asked in rows]
        for asked in rows:
            frame = (random.random(asked["shape"]) * top).astype(dtype)
            write_frame(self.frames, frame_key(asked), frame)
            write_labels(self.labels, asked["key"], random.integers(0, 2000, asked["shape"], np.uint16))
        field = np.linspace(0.5, 1.5, np.prod(SHAPE)).reshape(SHAPE).astype(np.float32)
        write_field(self.known / "PA.fields", "PA", field)
        facts = {"kind": "plate", "status": "ok", "shape": list(SHAPE)}
        files.write_json(self.known / "PA.fields" / FIELDS, {"offset": OFFSET, "lost": None, "fields": {"PA": facts}})
        stage_folder.write_rows(self.frames, rows)

    def save(self):
        command = [sys.executable, plan.BIN / "screen_save_images.py", self.frames, self.labels, self.folder / "saved"]
        subprocess.run([*command, "--calibration", self.known], check=True, capture_output=True)
        return self.folder / "saved"

    def commit(self, outdir, id="b0000", images=True):
        merged = self.folder / "tables"
        shutil.rmtree(merged, ignore_errors=True)
        files.write_text(merged / f"results/profiles/single_cells/plate=PA/{id}.parquet", "cells")
        files.write_json(merged / stage_folder.PROVENANCE, {})
        rows = [asked | {"cells": 1} for asked in self.rows]
        stage_folder.write_rows(merged, rows)
        packet = {
            "id": id,
            "supersedes": [],
            "kept": [],
            "number": 0,
            "session": "",
            "recipe": {},
            "references": {},
        }
        saved = self.folder / "saved"
        return results.commit(packet, merged, self.labels, outdir, images=saved if images else None)


@pytest.fixture
def saved(tmp_path):
    """A batch of four images, saved, and the output folder it is yet to be committed to."""
    batch = Batch(tmp_path, [row(*place) for place in ROWS])
    batch.save()
    (tmp_path / "out").mkdir()
    return batch, tmp_path / "out"


def attributes(folder):
    return json.loads((folder / ".zattrs").read_text())


def test_an_image_is_what_was_measured_to_half_a_grey_level_and_its_labels_are_those_of_the_cells(saved):
    batch, _ = saved
    for asked in batch.rows:
        folder = batch.folder / "saved" / hcs.field(asked)
        pixels, labels = ome_zarr.read(folder)
        assert np.array_equal(labels, read_labels(batch.labels, asked["key"])) and labels.dtype == np.uint16
        measured = read_corrected(batch.frames, asked, batch.known)
        assert pixels.dtype == np.uint8
        assert np.array_equal(pixels, np.clip(np.rint(measured), 0, 255))
        inside = (measured >= 0) & (measured <= 255)
        assert np.abs(pixels - measured)[inside].max() <= 0.5
        corrected = asked["plate"] == "PA"
        about = {"flatfield": "plate", "camera_offset": OFFSET} if corrected else {"flatfield": "none"}
        assert attributes(folder)["multiscales"][0]["metadata"] == about
        assert np.array_equal(pixels, read_frame(batch.frames, asked["key"])) != corrected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_frame_without_a_flatfield_is_saved_as_it_is_stored(dtype, tmp_path):
    batch = Batch(tmp_path, [row("PB", "A01", 1, 1)], dtype)
    pixels, _ = ome_zarr.read(batch.save() / hcs.field(batch.rows[0]))
    assert pixels.dtype == dtype
    assert np.array_equal(pixels, read_frame(batch.frames, batch.rows[0]["key"]))


def test_a_viewer_offers_the_range_of_the_plate_not_of_the_type(tmp_path):
    batch = Batch(tmp_path, [row("PB", "A01", 1, 1)], np.uint16)
    stage_folder.write_rows(batch.frames, [batch.rows[0] | {"type": "uint16", "bit_depth": 12}])
    write_frame(batch.frames, batch.rows[0]["key"], np.full(SHAPE, 4000, np.uint16))
    (channel,) = attributes(batch.save() / hcs.field(batch.rows[0]))["omero"]["channels"]
    assert channel["window"] == {"start": 4000, "end": 4001, "min": 0, "max": 4095}


def test_a_viewer_offers_a_dim_image_of_floats_as_it_is(tmp_path):
    pixels = np.linspace(0.02, 0.06, 40 * 50, dtype=np.float32).reshape(40, 50)
    about = {"name": "x"}
    ome_zarr.write(tmp_path, "x", pixels, np.zeros(pixels.shape, np.uint16), about, 1)
    (channel,) = attributes(tmp_path)["omero"]["channels"]
    assert 0.02 <= channel["window"]["start"] < channel["window"]["end"] <= 0.06


def test_levels_halve_the_image_by_means_and_the_labels_by_single_pixels(saved):
    batch, _ = saved
    folder = batch.folder / "saved" / hcs.field(batch.rows[3])
    pixels, labels = ome_zarr.read(folder)
    shapes = [(101, 135), (51, 68), (26, 34)]
    for level, shape in enumerate(shapes):
        means, picks = (zarr.open_array(folder / within / str(level), mode="r") for within in ("", "labels/nuclei"))
        assert means.shape == picks.shape == means.chunks == (1, 1, 1, *shape)
        assert np.array_equal(picks[0, 0, 0], labels[:: 2**level, :: 2**level])
    half = zarr.open_array(folder / "1", mode="r")[0, 0, 0]
    assert half[3, 4] == np.rint(pixels[6:8, 8:10].mean(dtype=np.float32))
    assert half[50, 67] == pixels[100, 134], "beyond the border lies what lies there"


def test_an_image_is_few_files(saved):
    batch, _ = saved
    assert sum(path.is_file() for path in (batch.folder / "saved").rglob("*")) == 18 * len(ROWS)


def test_plates_wells_images_and_labels_are_valid_ome_zarr(saved):
    batch, out = saved
    batch.commit(out)
    assert hcs.describe(out)
    for plate in ("PA", "PB"):
        whole = open_ome_zarr(zarr.open_group(out / hcs.plate(plate), mode="r"))
        assert type(whole).__name__ == "HCS" and whole.attributes.plate.name == plate
    for asked in batch.rows:
        for within, kind in (("", "Image"), ("labels", "Labels"), ("labels/nuclei", "ImageLabel")):
            assert type(open_ome_zarr(zarr.open_group(out / hcs.field(asked) / within, mode="r"))).__name__ == kind


def test_a_plate_tells_its_wells_and_a_well_its_fields(saved):
    batch, out = saved
    batch.commit(out)
    hcs.describe(out)
    about = attributes(out / "images/PA.ome.zarr")["plate"]
    assert about["rows"] == [{"name": "A"}, {"name": "B"}] and about["columns"] == [{"name": "3"}, {"name": "12"}]
    wells = [(well["path"], well["rowIndex"], well["columnIndex"]) for well in about["wells"]]
    assert wells == [("A/3", 0, 0), ("B/12", 1, 1)]
    assert about["field_count"] == 2
    fields = attributes(out / "images/PA.ome.zarr/A/3")["well"]["images"]
    assert fields == [{"path": "s1f93"}, {"path": "s1f94"}]


def test_the_variants_of_a_frame_are_two_fields(tmp_path):
    batch = Batch(tmp_path, [row("PA", "A03", 1, 93, variant) for variant in VARIANTS])
    batch.save()
    found = sorted(path.name for path in (tmp_path / "saved/images/PA.ome.zarr/A/3").iterdir())
    assert found == ["s1f93ic", "s1f93noic"]
    pixels = [ome_zarr.read(tmp_path / "saved" / hcs.field(asked))[0] for asked in batch.rows]
    assert np.array_equal(pixels[1], read_frame(batch.frames, "PA_A03_s1_f93"))
    assert not np.array_equal(*pixels)


def test_a_failed_image_is_not_saved(tmp_path):
    asked = [row(*ROWS[0]), row(*ROWS[1]) | {"status": "failed"}]
    batch = Batch(tmp_path, asked)
    assert [path.name for path in (batch.save() / "images/PA.ome.zarr/A/3").iterdir()] == ["s1f93"]


def seen(out):
    """Fields that a viewer finds, each of which must be whole."""
    found = [path.parent for path in out.glob("images/*/*/*/*/.zgroup")]
    for folder in found:
        assert len([path for path in folder.rglob("*") if path.is_file() and path.suffix != ".part"]) == 18
        pixels, labels = ome_zarr.read(folder)
        assert pixels.any() and labels.any()
    return {str(folder.relative_to(out)) for folder in found}


@pytest.mark.parametrize("step", ["os.replace", "shutil.copyfileobj", "os.unlink"])
def test_an_image_is_seen_whole_or_not_at_all_wherever_a_commit_is_killed(step, tmp_path, monkeypatch):
    rows = [row(*place, shape=(16, 20)) for place in ROWS[:2]]
    first, second = (Batch(tmp_path / str(n), rows, seed=n) for n in range(2))
    for batch in (first, second):
        batch.save()
    fields, out = {hcs.field(asked) for asked in rows}, tmp_path / "out"
    for survived in range(0, 120, 10):
        first.commit(out)
        hcs.describe(out)
        with killed(monkeypatch, step, survived):
            second.commit(out)
        assert seen(out) <= fields
        commit.recover(out)
        assert seen(out) == fields
        hcs.describe(out)
        listed = [
            field for path in out.glob("images/*/A/3/.zattrs") for field in attributes(path.parent)["well"]["images"]
        ]
        assert len(listed) == 2
    second.commit(out)
    assert seen(out) == fields


def test_an_image_that_is_taken_back_is_gone_from_the_first_of_its_files_on(saved, monkeypatch):
    batch, out = saved
    for survived in range(0, 140, 20):
        batch.commit(out)
        with killed(monkeypatch, "os.unlink", survived):
            batch.commit(out, images=False)
        seen(out)
        commit.recover(out)
        assert len(seen(out)) in (0, 4)


def test_a_batch_made_again_without_images_takes_them_away_and_leaves_those_of_others(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    batches = [Batch(tmp_path / str(n), [row(*place) for place in ROWS[2 * n : 2 * n + 2]]) for n in range(2)]
    for n, batch in enumerate(batches):
        batch.save()
        batch.commit(out, f"b{n}")
    hcs.describe(out)
    assert len(attributes(out / "images/PA.ome.zarr")["plate"]["wells"]) == 2
    batches[0].commit(out, "b0", images=False)
    hcs.describe(out)
    assert [well["path"] for well in attributes(out / "images/PA.ome.zarr")["plate"]["wells"]] == ["B/12"]
    assert not (out / "images/PA.ome.zarr/A").exists()
    batches[1].commit(out, "b1", images=False)
    assert not hcs.describe(out)
    assert not list((out / "images").rglob("*"))


def test_what_is_set_aside_can_be_looked_at_there(saved):
    batch, out = saved
    batch.commit(out)
    hcs.describe(out)
    aside = housekeeping.set_aside("b0000", out, "2026-01-01_00-00-00")
    command = [sys.executable, plan.BIN / "screen_describe_plates.py"]
    for folder, said in ((out, ""), (aside, str(aside / "images"))):
        assert subprocess.run([*command, folder], check=True, capture_output=True, text=True).stdout == said
    assert not (out / "images/PA.ome.zarr").exists()
    assert len(attributes(aside / "images/PA.ome.zarr")["plate"]["wells"]) == 2
