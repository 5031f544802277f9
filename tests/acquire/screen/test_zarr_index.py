"""Where a plate's OME-Zarr lies: the table that says so is checked like every input, and an image stays what it is."""

import json
import random

import pytest

from idrstream.base.tables import Problems
from idrstream.screen import plan, request, study
from planning import DEFAULTS
from repository import ROOT
from support import http_server

SCHEMA = json.loads((ROOT / "nextflow_schema.json").read_text())
PARAMS = DEFAULTS | {"diameter": 20, "illumination": "none", "camera_offset": 0, "bit_depth": 16, "max_failed": 0.05}

MOVIE = "movies/{long_plate}/{well_number:05d}_01.ch5"
STORE = "{store}/{row}/{column}/{site0}"
FRAME = {"height": 1024, "width": 1344, "bytes": 800000, "nuclei": 250}
WELLS = "Plate\tWell\tFrames\tWell Number\nPA\tB4\t5\t28\nPB\tA1\t1,2\t1\nPB\tA2\t1\t2\n"
INDEX = "plate\tstore\nPA\tPA.zarr\nPB\tdeep/er/PB.ome.zarr/\n"


@pytest.fixture
def here(tmp_path):
    """A folder with everything a run names."""
    (tmp_path / "wells.tsv").write_text(WELLS)
    (tmp_path / "screens.tsv").write_text("PA\t../screens/PA--long.screen\nPB\t../screens/PB--long.screen\n")
    (tmp_path / "model.pth").write_bytes(b"weights")
    for folder in "source", "out":
        (tmp_path / folder).mkdir()
    return tmp_path


def planned(here, index=INDEX, locations=(STORE, MOVIE), name="stores.tsv", **changed):
    """The plan of a run with this table of stores, if any, and a study of these locations."""
    params = PARAMS | {"study": "mine"} | changed
    described = {"name": "mine", "wells": {"rows": 16, "columns": 24}, "locations": locations, "frame": FRAME}
    (here / "mine.yml").write_text(json.dumps(described))
    given = {key: here / str(params[key]) for key in ("input", "screens", "source", "outdir") if params[key]}
    given = {key: path for key, path in given.items() if path.exists()}
    given |= {"study": here / "mine.yml", "model": here / "model.pth"}
    if index is not None:
        (here / name).write_text(index)
        params, given = params | {"zarr_index": name}, given | {"zarr_index": here / name}
    return plan.make(params, str(here), "session", given, SCHEMA)


def located(made):
    return {asked["key"]: asked["locations"] for asked in made.images}


def said(here, *arguments, **changed):
    with pytest.raises(Problems) as problems:
        planned(here, *arguments, **changed)
    return problems.value.sentences


def test_the_store_is_tried_first_and_then_the_movie(here):
    found = located(planned(here))
    assert found["PA_B04_s1_f5"] == ["PA.zarr/B/4/0", "movies/PA--long/00028_01.ch5"]
    assert found["PB_A01_s1_f2"] == ["deep/er/PB.ome.zarr/A/1/0", "movies/PB--long/00001_01.ch5"]


def test_without_a_table_of_stores_the_locations_in_them_are_skipped(here):
    assert located(planned(here, None))["PA_B04_s1_f5"] == ["movies/PA--long/00028_01.ch5"]


def test_commas_and_addresses_do_as_well(here):
    with http_server(here) as server:
        index = f"store,plate\n{server.url}/a/PA.zarr,PA\nhttps://127.0.0.1:9/PB.zarr,PB\n"
        sentences = said(here, index, name="stores.csv")
        assert sentences == [sentence for sentence in sentences if "https://127.0.0.1:9" in sentence]
        index = index.replace("https://127.0.0.1:9", server.url)
        found = located(planned(here, index, name="stores.csv"))
    assert found["PA_B04_s1_f5"][0] == f"{server.url}/a/PA.zarr/B/4/0"


def test_an_absolute_path_in_the_source_is_taken_from_there(here):
    index = INDEX.replace("PA.zarr", str(here / "source/x/PA.zarr"))
    assert located(planned(here, index))["PA_B04_s1_f5"][0] == "x/PA.zarr/B/4/0"


def test_an_image_is_the_same_one_wherever_its_store_lies_and_whether_that_is_known(here):
    def ids(*arguments):
        return [asked["id"] for asked in planned(here, *arguments).images]

    known = ids()
    assert known == ids(None) == ids(INDEX.replace("PA.zarr", "moved/PA.zarr"))
    only = ids(INDEX, [STORE])
    assert only == ids(INDEX.replace("PA.zarr", "moved/PA.zarr"), [STORE])
    assert not set(only) & set(known)


def test_the_order_of_the_table_of_stores_changes_nothing(here):
    header, *rows = INDEX.splitlines()
    random.Random(1).shuffle(rows)
    assert located(planned(here)) == located(planned(here, "\n".join([header, *rows]) + "\n"))


MISTAKES = {
    "no such column": (
        INDEX.replace("store\n", "stores\n"),
        'stores.tsv, line 1, column "store": missing',
        "stores?",
    ),
    "twice": (INDEX + "PA\tQ.zarr\n", 'stores.tsv, line 4, column "plate": duplicate plate "PA", first in line 2'),
    "no store": (INDEX.replace("PA.zarr", ""), 'stores.tsv, line 2, column "store": "" is not the plate\'s OME-Zarr'),
    "a movie": (INDEX.replace("PA.zarr", "PA.ch5"), 'line 2, column "store": "PA.ch5" is not', "it ends in .zarr"),
    "a bucket": (INDEX.replace("PA.zarr", "s3://b/PA.zarr"), 'line 2, column "store"', "name its http(s) address"),
    "no plate": (INDEX.replace("PA\t", "\t"), 'stores.tsv, line 2, column "plate": "" is not a plate'),
    "elsewhere": (
        INDEX.replace("PA.zarr", "/else/PA.zarr"),
        'line 2, column "store": "/else/PA.zarr" is not in',
    ),
    "above": (INDEX.replace("PA.zarr", "../PA.zarr"), 'line 2, column "store": "../PA.zarr" is not in --source'),
    "ragged": (INDEX + "PC\n", "stores.tsv, line 4: 1 columns where 2 are expected"),
    "empty": ("", "stores.tsv: the table has no rows"),
    "a plate less": (
        INDEX.replace("PB\t", "PBB\t"),
        'wells.tsv, line 3, column "Plate": "PB" is not in --zarr_index. Did you mean PBB?',
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_table_of_stores_is_told_once_with_its_place(mistake, here):
    index, *parts = mistake
    (sentence,) = said(here, index)
    assert all(part in sentence for part in parts), sentence


def test_a_study_that_has_only_stores_asks_for_their_table(here):
    (sentence,) = said(here, None, [STORE])
    assert sentence.startswith("--zarr_index: study mine needs the table of its plates' OME-Zarr")


def test_a_table_of_stores_that_nothing_would_read_is_a_mistake(here):
    (sentence,) = said(here, INDEX, [MOVIE])
    assert sentence.startswith("--zarr_index: study mine has no location in OME-Zarr")
    (here / "sheet.csv").write_text("plate,well,frame,path\nP1,B3,1,a.tif\n")
    (sentence,) = said(here, INDEX, input="sheet.csv", screens=None)
    assert sentence.startswith("--zarr_index: a samplesheet names its images itself")


def test_a_table_of_stores_that_is_not_there_is_told(here):
    (sentence,) = said(here, None, zarr_index="absent.tsv")
    assert sentence == "--zarr_index absent.tsv: there is no such file"


@pytest.mark.parametrize("paths", [["P.zarr/B/3/0"], ["P.zarr/B/3/0", "P.zarr/B/4/0"], ["x/P.zarr/B/3/0", "y.zarr"]])
def test_a_samplesheet_may_name_images_in_stores_and_their_folders_are_above_these(paths, here):
    rows = [f"P1,A{number},1,{path}" for number, path in enumerate(paths, 1)]
    (here / "sheet.csv").write_text("\n".join(["plate,well,frame,path", *rows]) + "\n")
    made = planned(here, None, input="sheet.csv", screens=None, source=None)

    assert made.folders == sorted({str(here / path.split(".zarr")[0]).rpartition("/")[0] for path in paths})
    assert [asked["locations"] for asked in made.images] == [[str(here / path)] for path in paths]


def test_idr0013_has_its_plates_in_stores_one_well_below_the_other():
    idr0013 = study.load(ROOT / "assets/studies/idr0013.yml", request.SCHEMAS["study"])
    place = ("LT0001_02", "LT0001_02--long", study.Well.parse("O10"), 1, 50)
    first, *movies = idr0013.locate(*place, store="https://example.org/3451.zarr")
    assert first == "https://example.org/3451.zarr/O/10/0"
    assert movies == idr0013.locate(*place) and len(movies) == 2
