"""The data JSON of incasem against the containers that it names: what is read, and every fault of it at once."""

import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

import make_volumes
import volume_folders
from idrstream.volume import data_file, entries
from idrstream.volume.box import Box
from make_volumes import LABELS, MASK, METRIC_MASKS, RAW, noise
from support import DATA

SHAPE = (40, 37, 50)
OFFSET = (50, 100, 150)  # nanometres: voxels 10, 20, 30
ENTRY = {"file": "cell.zarr", "offset": [12, 25, 31], "shape": [20, 30, 40], "voxel_size": [5, 5, 5], "raw": RAW}
LABELLED = {"labels": {f"{LABELS}/mito": 1}}
SEED = DATA.parent / "seeds/incasem.md"


@pytest.fixture
def data(tmp_path):
    """A folder with a container."""
    labels = noise(SHAPE, np.uint32)
    masks = {"mito": noise(SHAPE), "part": (noise((40, 30, 50)), OFFSET)}
    how = {"labels": {"mito": labels, "er": labels}, "metric_masks": masks, "mask": noise(SHAPE)}
    make_volumes.incasem(tmp_path / "cell.zarr", noise(SHAPE), offset=OFFSET, chunks=(64, 64, 64), **how)
    return tmp_path


def written(folder, *items, **changed):
    """A data JSON of some entries; of one, ENTRY with CHANGED, if none are given."""
    path = folder / "data.json"
    items = items or (("a", ENTRY | changed),)
    path.write_text("{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in items) + "\n}")
    return path


def read(folder, *items, **changed):
    how = {key: changed.pop(key) for key in ("label_offset", "compared", "labels_needed") if key in changed}
    return entries.read(written(folder, *items, **changed), str(folder), **how)


def test_an_entry_has_its_region_and_its_arrays_in_world_voxels(data):
    more = {"mask": MASK, "metric_masks": [f"{METRIC_MASKS}/mito"], "labels": {f"{LABELS}/mito": 2, f"{LABELS}/er": 1}}
    (entry,), faults = read(data, **more)
    assert faults == [] and entry.notes == []
    assert (entry.name, entry.line, entry.voxel_size) == ("a", 2, (5.0, 5.0, 5.0))
    assert (entry.location, entry.folders()) == (str(data / "cell.zarr"), [str(data)])
    box = Box((10, 20, 30), SHAPE)
    assert entry.roi == Box((12, 25, 31), (20, 30, 40))
    assert entry.raw == entries.Source(RAW, box, "uint8", (64, 64, 64))
    assert [(source.path, source.class_id) for source in entry.labels] == [(f"{LABELS}/er", 1), (f"{LABELS}/mito", 2)]
    assert all(source.box == box and source.dtype == "uint32" for source in entry.labels)
    assert entry.mask.path == MASK and [mask.path for mask in entry.metric_masks] == [f"{METRIC_MASKS}/mito"]
    assert [version.split()[0] for version in entry.versions] == [
        RAW, f"{LABELS}/mito", f"{LABELS}/er", MASK, f"{METRIC_MASKS}/mito",
    ]  # fmt: skip


def test_an_entry_is_the_same_in_another_line_and_with_other_notes(data):
    (first,), (other, second) = read(data)[0], read(data, ("b", ENTRY), ("a", ENTRY), compared=True)[0]
    assert first.line != second.line and first.notes != second.notes
    assert first == second != other


def test_an_array_that_is_written_to_has_another_version(data):
    before = read(data)[0][0].versions
    (data / "cell.zarr" / RAW / "0.0.0").rename(data / "cell.zarr" / RAW / "9.9.9")
    assert read(data)[0][0].versions != before


FAULTS = {
    "a file that is not there": (
        {"file": "cel.zarr"} | LABELLED,
        r'"file": there is no folder .*/cel\.zarr; correct it',
    ),
    "an array that is not there": ({"raw": "volumes/raw"}, "no array volumes/raw; there are volumes/labels/er, "),
    "an unknown key": ({"metric_mask": []}, 'unknown key "metric_mask"; .*Did you mean metric_masks?'),
    "a missing key": ({"shape": None}, '"shape" is missing'),
    "nanometres": ({"offset": [60, 125, 155]}, r"given in nanometres\? In voxels it would be \[12, 25, 31\]"),
    "beyond the raw": ({"shape": [20, 30, 50]}, r"the region 12,25,31 \+ 20 x 30 x 50 is not within .*30 \+ 40 x"),
    "before the raw": ({"offset": [9, 25, 31]}, "is not within .*; correct offset and shape"),
    "another voxel size": ({"voxel_size": [4, 4, 4]}, r"is \[4, 4, 4\] nm, but .* has voxels of \[5, 5, 5\] nm"),
    "a gap": ({"labels": {f"{LABELS}/mito": 2}}, "the class ids are 2; number them 1, 2, ... without a gap"),
    "a class twice": ({"labels": {f"{LABELS}/mito": 1, f"{LABELS}/er": 1}}, "the class ids are 1, 1; number them"),
    "a class of half": ({"labels": {f"{LABELS}/mito": 1.5}}, '"labels": classes are whole numbers'),
    "a list of labels": ({"labels": [f"{LABELS}/mito"]}, '"labels": arrays and their classes are expected'),
    "no voxel": ({"shape": [0, 30, 40]}, '"shape": 3 whole voxels above 0'),
    "half a voxel": ({"offset": [12.5, 25, 31]}, '"offset": 3 whole voxels'),
    "two axes": ({"shape": [30, 40]}, '"shape": 3 whole voxels'),
    "a text": ({"voxel_size": "5nm"}, '"voxel_size": 3 nanometres above 0'),
    "a size of 0": ({"voxel_size": [5, 5, 0]}, '"voxel_size": 3 nanometres above 0'),
    "a mask for masks": ({"metric_masks": MASK}, '"metric_masks": a list is expected'),
    "no path": ({"raw": "/"}, '"raw": the path of an array in the container is expected'),
    "outside": ({"raw": "volumes/../../x"}, "outside of it"),
    "a far file of parts": ({"file": "ftp://a/b.zarr"}, "ftp:// cannot be read in parts"),
    "a home": ({"file": "~/b.zarr"}, "only a shell replaces ~"),
    "no object": ({"labels": {f"{LABELS}/mito": 1}, "raw": {}}, '"raw": the path of an array'),
}


@pytest.mark.parametrize("changed, pattern", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_a_sentence_with_its_entry_and_line(changed, pattern, data):
    found, faults = read(data, ("b", ENTRY), ("a", ENTRY | changed))
    assert [entry.name for entry in found] == ["b"]
    mine = [fault for fault in faults if fault.startswith("data.json, entry a (line 3): ")]
    assert len(mine) == len(faults) and len({*faults}) == len(faults)
    assert any(re.search(pattern, fault) for fault in mine), faults


@pytest.mark.parametrize("letter, shown", [("\0", r"\x00"), ("\n", r"\n"), ("\x9b", r"\x9b"), ("\ud800", r"\ud800")])
@pytest.mark.parametrize("key, made", [
    ("file", lambda path: path), ("raw", lambda path: path), ("mask", lambda path: path),
    ("labels", lambda path: {path: 1}), ("metric_masks", lambda path: [MASK, path]),
])  # fmt: skip
def test_characters_that_no_path_can_have_are_refused_in_words(key, made, letter, shown, data):
    found, (fault,) = read(data, **{key: made(f"cell{letter}.zarr")})
    start = f'data.json, entry a (line 2): "{key}": cell{shown}.zarr has a character that no path can have, {shown}'
    assert found == [] and fault == f"{start}; remove it"
    assert data_file.named(data / "data.json", "/") == ([] if key == "file" else ["/cell.zarr"])


def test_every_fault_of_a_file_is_told_at_once(data):
    wrong = {"shape": [20, 30, -1], "rwa": 1, "labels": {"a": 3}}
    found, faults = read(
        data, ("a", ENTRY | wrong), ("A", ENTRY), ("b/c", ENTRY), ("d", ENTRY | {"raw": "x"}), ("e", 1)
    )
    assert found == [] or [entry.name for entry in found] == []
    starts = ["a (line 2)"] * 3 + ["A (line 3)", "b/c (line 4)", "e (line 6)", "d (line 5)"]
    assert [fault.split(": ")[0] for fault in faults] == [f"data.json, entry {start}" for start in starts]
    assert "duplicate name, first in line 2" in faults[3] and "folder of its name" in faults[4]


@pytest.mark.parametrize("text, pattern", [
    ('{"a": {"file": "x",}}', "data.json, line 1, column 20: this is not JSON"),
    ('{\n"a": {"file": "x"}\n"b": {}}', "data.json, line 3, column 1: this is not JSON"),
    ("", "data.json, line 1, column 1: this is not JSON"),
    ("[]", "data.json: it holds a list; entries by their names are expected"),
    ("{}", "data.json: it has no entry"),
    ("[" * 100_000, "data.json: this is not JSON that can be read"),
    ('{"a": {"file": "x", "raw": "y", "file": "z"}}', 'duplicate key "file"'),
    ('{"a": {"labels": {"l": 1, "l": 2}}}', 'duplicate key "l"'),
    ('{"a": {}, "a": {}}', "duplicate name, first in line 1"),
    ('{"a": {"x": 1, "x": 1},\n"b": {}}', 'entry a (line 1): duplicate key "x"'),
])  # fmt: skip
def test_what_is_no_such_json_is_told_with_its_place(text, pattern, tmp_path):
    (tmp_path / "data.json").write_text(text)
    found, faults = entries.read(tmp_path / "data.json", str(tmp_path))
    assert found == [] and sum(pattern in fault for fault in faults) == 1, faults
    assert sum("duplicate" in fault for fault in faults) == ("duplicate" in pattern)


def test_entries_must_agree_in_the_size_of_their_voxels(data):
    make_volumes.incasem(data / "other.zarr", noise(SHAPE), (4, 4, 4), (40, 80, 120))
    _, faults = read(data, ("a", ENTRY), ("b", ENTRY | {"file": "other.zarr", "voxel_size": [4, 4, 4]}))
    (fault,) = faults
    assert fault.startswith("data.json, entry b (line 3): ") and "but [5, 5, 5] in entry a (line 2)" in fault


@pytest.mark.parametrize("attributes, pattern", [
    ({}, "states no voxel size in nanometres; write it into its attributes"),
    ({"resolution": [5, 5]}, "its attribute resolution is [5, 5]; 3 numbers above 0 are expected"),
    ({"resolution": [5, 5, 5], "offset": [52, 100, 150]}, "begins at [52, 100, 150] nm, which is not a whole number"),
])  # fmt: skip
def test_attributes_must_place_an_array(attributes, pattern, data):
    (data / "cell.zarr" / RAW / ".zattrs").write_text(json.dumps(attributes))
    assert any(pattern in fault for fault in read(data)[1])


@pytest.mark.parametrize("offset, reduced", [
    ([2, 2, 2], True),  # of 4 nm, by 2
    ([8, 18, 3], True),  # along z not reduced, by 2 and by 4
    ([-6, 7.9999, 8], True),  # 2 - 8
    ([-6, 37, 8], False),  # along y of no pyramid
    ([4, 4, 4], False),  # half a voxel: the middle of the voxel of an array that is no pyramid's
    ([1, 2, 3], False),
])  # fmt: skip
def test_a_lower_resolution_of_a_pyramid_is_told_from_an_offset_that_is_wrong(offset, reduced, data):
    make_volumes.ome_zarr(data / "cell.zarr/em", noise(SHAPE), (8, 8, 8), offset)
    (fault,) = read(data, raw="em/s0", voxel_size=[8, 8, 8])[1]
    assert "which is not a whole number of its voxels of [8, 8, 8] nm" in fault
    assert ("a lower resolution of a pyramid" in fault and "only the highest resolution" in fault) == reduced
    assert ("its offset must be nanometres" in fault) != reduced


def test_an_array_without_an_offset_begins_at_0(data):
    (data / "cell.zarr" / RAW / ".zattrs").write_text('{"resolution": [5, 5, 5.001]}')
    (entry,), _ = read(data, offset=[0, 0, 0])
    assert entry.raw.box == Box((0, 0, 0), SHAPE)
    assert entry.notes == [f"{RAW} states no offset; it is taken to begin at 0 nanometres"]


def test_floats_are_said_to_be_from_0_to_1(data):
    make_volumes.incasem(data / "other.zarr", noise(SHAPE, np.float32), offset=OFFSET)
    (entry,), faults = read(data, file="other.zarr")
    assert faults == [] and entry.notes == [f"the voxels of {RAW} are float32; they are taken to be from 0 to 1"]


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "float64", "bool"])
def test_raw_of_other_types_is_refused(dtype, data):
    make_volumes.incasem(data / "other.zarr", noise(SHAPE, dtype), offset=OFFSET)
    (fault,) = read(data, file="other.zarr")[1]
    assert f"the voxels of {RAW} are {dtype}; save them as uint8, uint16 or float32 (from 0 to 1)" in fault


@pytest.mark.parametrize("key, value", [("labels", {"f": 1}), ("mask", "f"), ("metric_masks", ["f"])])
def test_labels_and_masks_are_integers_or_bool(key, value, data):
    where = {"offset": OFFSET, "resolution": (5, 5, 5)}
    make_volumes.array(data / "cell.zarr", "f", noise(SHAPE, np.float32), where)
    (fault,) = read(data, **{key: value})[1]
    assert "the voxels of f are float32; labels and masks must be integers or bool" in fault
    make_volumes.array(data / "cell.zarr", "b", noise(SHAPE) > 90, where)
    (entry,), faults = read(data, **{key: json.loads(json.dumps(value).replace("f", "b"))})
    (source,) = [*entry.labels, *filter(None, [entry.mask]), *entry.metric_masks]
    assert faults == [] and source.dtype == "bool"


# What is told and not refused


def test_an_array_that_ends_within_the_region_is_told_with_the_voxels_that_it_lacks(data):
    where = {"offset": [65, 90, 150], "resolution": (5, 5, 5)}  # voxels 13, 18, 30
    make_volumes.array(data / "cell.zarr", "part", noise((10, 30, 50)), where)
    (entry,), faults = read(data, labels={"part": 1}, metric_masks=["part"])
    assert faults == []
    beyond, lacking, unscored = entry.notes
    assert "part (13,18,30 + 10 x 30 x 50) goes beyond the raw (10,20,30 + 40 x 37 x 50)" in beyond
    what = "region 12,25,31 + 20 x 30 x 40: voxels that lack it, before and behind it: z 1 and 9, y 0 and 7"
    assert what in lacking and lacking.endswith("those are unknown: neither scored nor background")
    assert what in unscored and unscored.endswith("there nothing is masked out, as where no mask is named")


def test_labels_may_be_needed(data):
    assert "it has no labels to compare with" in read(data, labels_needed=True)[1][0]
    assert read(data, labels_needed=True, **LABELLED)[1] == []
    assert read(data)[1] == []


def test_an_entry_that_is_compared_may_lack_labels_but_those_that_it_has_must_meet_in_the_region(data):
    (entry,), faults = read(data, compared=True)
    assert faults == [] and entry.notes == ["it has no labels, so it is not compared"]
    (entry,), faults = read(data, compared=True, **LABELLED)
    assert faults == [] and entry.notes == []
    make_volumes.array(data / "cell.zarr", "far", noise(SHAPE), {"offset": [6000, 0, 0], "resolution": (5, 5, 5)})
    apart = {"labels": {f"{LABELS}/mito": 1, "far": 2}}
    found, (fault,) = read(data, compared=True, **apart)
    assert found == [] and "no voxel of the region 12,25,31 + 20 x 30 x 40 has labels of all classes" in fault
    assert read(data, **apart)[1] == []


def test_labels_may_be_said_to_begin_elsewhere_and_must_meet_the_region_where_they_are_needed(data):
    (entry,), _ = read(data, label_offset=(60, 125, 155), mask=MASK, **LABELLED)
    assert entry.labels[0].box == Box((12, 25, 31), SHAPE) and entry.mask.box == Box((10, 20, 30), SHAPE)
    (entry,), _ = read(data, label_offset=(6000, 0, 0), metric_masks=[f"{METRIC_MASKS}/mito"], **LABELLED)
    assert "has no voxel of the region" in entry.notes[1] and "lies where it says, not where" in entry.notes[2]
    (fault,) = read(data, label_offset=(6000, 0, 0), labels_needed=True, **LABELLED)[1]
    assert "no voxel of the region 12,25,31 + 20 x 30 x 40 has labels of all classes" in fault


# Places


def test_a_container_may_be_named_by_an_absolute_path_and_staged(data, tmp_path_factory):
    path = written(data, file=str(data / "cell.zarr"))
    task = tmp_path_factory.mktemp("task")
    (task / "1").symlink_to(data)
    moved = data.rename(data.with_name("moved"))
    (task / "1").unlink()
    (task / "1").symlink_to(moved)
    (entry,), faults = entries.read(moved / path.name, "/elsewhere", {str(data): str(task / "1")})
    assert faults == [] and entry.folders() == [str(data)]


def test_containers_are_named_without_being_opened(tmp_path):
    items = [
        ("a", ENTRY),
        ("b", ENTRY | {"file": "https://server/c.zarr/"}),
        ("c", ENTRY),
        ("d", {"file": 3}),
        ("e", 1),
    ]
    path = written(tmp_path, *items)
    assert data_file.named(path, "/data") == ["/data/cell.zarr", "https://server/c.zarr"]
    assert data_file.named(path, "https://server/data/")[0] == "https://server/data/cell.zarr"
    printed = CliRunner().invoke(volume_folders.main, [str(path), "--data_dir", "/data"]).output
    locations = ["/data/cell.zarr", "https://server/c.zarr"]
    assert json.loads(printed) == {"root": None, "folders": ["/data"], "images": [{"locations": locations}]}
    path.write_text("{")
    assert data_file.named(path, "/data") == []


# The seed's own examples


def examples():
    blocks = re.findall(r"```json\n(.*?)```", SEED.read_text(), re.S) if SEED.exists() else []
    return blocks or [pytest.param("", marks=pytest.mark.skip(reason=f"{SEED} is not here"))]


@pytest.mark.parametrize("text", examples(), ids=lambda text: "".join(re.findall(r"\w+", text)[:1]))
def test_the_seeds_own_examples_are_read_as_they_are(text, tmp_path):
    (tmp_path / "data.json").write_text(text)
    described = json.loads(text)
    for item in described.values():
        folder = tmp_path / item["file"]
        for path in [item["raw"], item.get("mask"), *item.get("metric_masks", []), *item.get("labels", {})]:
            if path and not (folder / path).exists():
                dtype = np.uint32 if path in item.get("labels", {}) else np.uint8
                shape = [first + size + 100 for first, size in zip(item["offset"], item["shape"], strict=True)]
                where = {"offset": [0, 0, 0], "resolution": item["voxel_size"]}
                make_volumes.array(folder, path, (shape, dtype), where, chunks=(128,) * 3)
    found, faults = entries.read(tmp_path / "data.json", str(tmp_path))
    assert faults == [] and [entry.name for entry in found] == [*described]
    for entry, item in zip(found, described.values(), strict=True):
        assert entry.roi == Box(tuple(item["offset"]), tuple(item["shape"]))
        assert [source.path for source in entry.labels] == [*item.get("labels", {})]
