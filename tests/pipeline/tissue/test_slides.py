"""Runs on slides, as a user starts them: local, over HTTP, and cut short; again, and by other tiles."""

import json
import re

import h5py
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr
from slide_runs import TILED, Slides, by_label

from make_slide import CHANNELS, make_slide
from repository import MODEL
from support import http_server

SIZE = (420, 700)
CUT = ["cut1", "cut2", "cut3"]  # as many lost in a row would end a run, were it not for the data
HEADER = "slide,image,nuclear,pixel_size,specimen"


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """A folder with a slide of six channels, its first channel in a file of its own, and that one cut short."""
    folder = tmp_path_factory.mktemp("slides")
    make_slide(folder, size=SIZE)
    dna = tifffile.imread(folder / "slide.ome.tif", key=0)
    tifffile.imwrite(folder / "dna.tif", dna, tile=(128, 128), byteorder=">", resolutionunit="CENTIMETER")
    tifffile.imwrite(folder / "cut.tif", dna, tile=(128, 128))
    content = (folder / "cut.tif").read_bytes()
    (folder / "cut.tif").write_bytes(content[: len(content) * 2 // 3])
    return folder


@pytest.fixture(scope="module")
def ended(slides, tmp_path_factory):
    """A run on slides of one plane: three that are cut short, one on a disk, one over HTTP."""
    folder = tmp_path_factory.mktemp("run")
    with http_server(slides) as server:
        rows = (
            *(f"cut{number},{slides}/cut.tif,1,0.5," for number in (1, 2, 3)),
            f"local,{slides}/slide.ome.tif,DNA1,,tonsil",
            f"remote,{server.url}/slide.ome.tif,dna1,,tonsil",
        )
        (folder / "slides.csv").write_text("\n".join((HEADER, *rows)) + "\n")
        run = Slides(folder, *TILED, "--diameter", 20, "--max_failed", 0.6)
    return run


def test_slides_that_are_cut_short_are_rows_and_the_others_are_done(ended):
    assert ended.code == 0, ended.said
    assert ended.table["status"].to_dict() == dict.fromkeys(CUT, "failed") | {"local": "ok", "remote": "ok"}
    failed = pd.read_table(ended.out / "failures.tsv")
    assert list(failed["slide"]) == CUT and failed["reason"].str.startswith("Truncated: cut.tif").all()
    assert "2 of 5 slides done" in ended.said, ended.said


def test_the_user_sees_what_will_be_done_and_what_was_found(ended):
    assert "slide local: 420 x 700 pixels, 0.325 µm a pixel (from OME-XML), 6 channels of uint16" in ended.said
    assert '; nuclei from "DNA1"\n' in ended.said and "  6 tiles;" in ended.said
    count = int(ended.labels("local").max())
    assert f"slide local done: {count} nuclei, {count} cells, 0 uncertified" in ended.said
    assert count > 50 and ended.table["nuclei"]["local"] == count and ended.table["uncertified"]["local"] == 0
    assert ended.table["diameter"]["local"] == 20


def test_a_slide_has_the_same_nuclei_and_numbers_wherever_it_lies(ended):
    assert np.array_equal(ended.labels("local"), ended.labels("remote"))
    here, there = (ended.cells(slide).filter(regex="^(?!Metadata)") for slide in ("local", "remote"))
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_the_masks_are_a_tiff_with_the_size_of_a_pixel(ended):
    for layer in "nuclei", "cells":
        with tifffile.TiffFile(ended.out / f"slides/local/{layer}.ome.tif") as masks:
            assert np.array_equal(masks.asarray(), ended.labels("local", layer))
            assert 'PhysicalSizeX="0.325"' in masks.ome_metadata


def test_every_nucleus_has_a_cell_around_it_of_its_label(ended):
    nuclei, cells = ended.labels("local"), ended.labels("local", "cells")
    assert np.array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
    assert (cells > 0).sum() > 1.5 * (nuclei > 0).sum()
    counts = ended.record("local")["counts"]
    assert counts["objects"] == counts["nuclei"] == counts["cells"] == nuclei.max() == ended.table["cells"]["local"]


def test_what_is_measured_is_what_the_label_images_and_the_slide_say(ended, slides):
    nuclei, cells, table = ended.labels("local"), ended.labels("local", "cells"), ended.cells("local")
    assert table["Metadata_Label"].tolist() == list(range(1, nuclei.max() + 1))
    around = np.where(nuclei == 0, cells, 0)
    for name, image in ("Nucleus", nuclei), ("Cell", cells):
        area = np.bincount(image.ravel())[1:] * 0.325**2
        np.testing.assert_allclose(table[f"{name}: Area µm^2"], area, rtol=1e-12)
    for channel, plane in zip(CHANNELS, tifffile.imread(slides / "slide.ome.tif"), strict=True):
        for name, image in ("Nucleus", nuclei), ("Cell", cells), ("Cytoplasm", around):
            parts = by_label(image, plane)
            np.testing.assert_allclose(table[f"{channel}: {name}: Mean"], [part.mean() for part in parts], rtol=1e-12)
            np.testing.assert_array_equal(table[f"{channel}: {name}: Median"], [np.median(part) for part in parts])
            spread = [part.std(ddof=1) for part in parts]
            np.testing.assert_allclose(table[f"{channel}: {name}: Std.Dev."], spread, rtol=1e-11)


def test_all_tables_tell_of_the_same_objects(ended):
    table, folder = ended.cells("local"), ended.out / "slides/local"
    quant = pd.read_table(folder / "QUANT.tsv", float_precision="round_trip")
    features = json.loads((folder / "cells.geojson").read_text())["features"]
    ids = table["Metadata_Object_ID"].tolist()
    assert ids == quant["Object ID"].tolist() == [feature["id"] for feature in features]
    pd.testing.assert_series_equal(quant["CD3: Cell: Mean"], table["CD3: Cell: Mean"], check_exact=True)
    with h5py.File(folder / "local.h5ad") as file:
        assert [name.decode() for name in file["obs/object_id"]] == ids
    store = zarr.open_group(folder / "local.zarr", mode="r")
    assert store["tables/table/obs/label"][:].tolist() == table["Metadata_Label"].tolist()
    assert store["tables/table"].attrs["region"] == "cells"


def test_what_is_known_of_a_slide_is_recorded(ended):
    record = ended.record("local")
    assert [step["step"] for step in record["steps"]] == [
        *("read", "prepare", "predict", "seeds", "label", "number", "measure", "tables", "assemble")
    ]
    assert {step["step"]: step["tasks"] for step in record["steps"]}["predict"] == 3
    assert record["metadata"] == {"specimen": "tonsil"} and record["diameter"] == 20
    assert sum(step["cpu_seconds"] for step in record["steps"]) > 1


def test_the_work_folders_of_slides_are_deleted(ended):
    work = ended.folder / "work"
    assert not [path for path in work.rglob("*.zarr") if path.name == "channels.zarr"]


def test_the_report_shows_the_slides(ended):
    page = (ended.out / "multiqc_report.html").read_text()
    assert "local" in page and "Truncated" in page


def test_a_slide_that_is_done_is_not_done_again(ended, slides):
    rows = [row for row in (ended.folder / "slides.csv").read_text().splitlines() if not row.startswith("remote")]
    (ended.folder / "slides.csv").write_text("\n".join(rows) + "\n")
    before = ended.digests
    again = Slides(ended.folder, "--diameter", 20, "--tile", 512, "--max_failed", 0.8)
    assert again.code == 0, again.said
    assert "4 slides, 1 already done" in again.said
    assert "PREDICT" not in again.tasks, "tiles of another size make no other result"
    assert again.digests == before


@pytest.mark.full
@pytest.mark.parametrize("options", [("--tile", 512), ("--tile", 256, "--tiles_per_task", 7)])
def test_no_byte_depends_on_the_tiles(options, ended, slides, tmp_path):
    (tmp_path / "slides.csv").write_text(f"{HEADER}\nlocal,{slides}/slide.ome.tif,DNA1,,tonsil\n")
    other = Slides(tmp_path, "--diameter", 20, *options)
    assert other.code == 0, other.said
    assert other.digests == {path: digest for path, digest in ended.digests.items() if "/local/" in path}


def test_everything_that_is_wrong_with_a_table_is_said_before_anything_starts(slides, tmp_path):
    rows = (f"A,{slides}/slide.ome.tif,DNA9,,", f"B,{slides}/missing.tif,1,,", "../x,slide.svs,1,,")
    (tmp_path / "slides.csv").write_text("\n".join((HEADER, *rows)) + "\n")
    run = Slides(tmp_path, "--tissue", "some")
    assert run.code != 0 and "READ" not in run.said
    (said,) = re.findall(r"nothing was started, because of\n((?:  .*\n)+)", run.said)
    assert said.count("\n") == 1 and "--tissue some: is none of all, auto" in said
    run = Slides(tmp_path)
    (said,) = re.findall(r"nothing was started, because of\n((?:  .*\n)+)", run.said)
    for words in '"DNA9"', "its channels: 1 DNA1, 2 CD3", "there is no such file", '"../x" is not a slide\'s name':
        assert words in said, said


def test_a_run_that_is_taken_up_computes_nothing_again(slides, tmp_path):
    (tmp_path / "slides.csv").write_text(f"{HEADER}\nlocal,{slides}/slide.ome.tif,DNA1,,tonsil\n")
    cells = ("--cells", "model", "--cell_model", MODEL, "--membrane", "CD3")
    first, again = (Slides(tmp_path, *TILED, *cells, "-stub-run", *more) for more in ((), ("-resume",)))
    assert (first.code, again.code) == (0, 0), again.said
    computed = re.findall(r"Submitted process > TISSUE:(?:\w+:)*(\w+) \(local", first.said)
    cached = re.findall(r"Cached process > TISSUE:(?:\w+:)*(\w+) \(local", again.said)
    assert len(cached) == 25 and sorted([*cached, "COMMIT"]) == sorted(computed)
    assert computed.count("PREDICT") == 6 and computed.count("MEASURE") == 3 and "PAIR" in computed
