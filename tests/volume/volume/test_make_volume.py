"""The demo's containers and data files."""

import json

import numpy as np
import pytest
import zarr
from scipy import ndimage

import drawn_cell
import make_volume
from idrstream.volume.box import Box


def small(name):
    """A specimen that is drawn in a moment, with all that is its own."""
    specimen = make_volume.SPECIMENS[name]
    begin = tuple(np.add(specimen.begin, (10, 11, 12)).tolist())
    return specimen._replace(shape=(66, 60, 70), labelled=(begin, (40, 30, 41)))


@pytest.fixture(scope="module", params=make_volume.SPECIMENS)
def written(request, tmp_path_factory):
    """(specimen, what was drawn, its container)."""
    specimen, folder = small(request.param), tmp_path_factory.mktemp("demo") / "cell.zarr"
    make_volume.write(folder, specimen)
    cell = drawn_cell.draw(specimen.shape, specimen.seed, specimen.microscope, edge=specimen.edge)
    return specimen, cell, folder


def test_a_container_holds_the_cell_where_its_attributes_say(written):
    specimen, cell, folder = written
    group = zarr.open_group(folder, mode="r")
    raw, labels = group["volumes/raw_equalized_0.02"], group["volumes/labels/mito"]
    assert np.array_equal(raw[:], cell.raw)
    assert raw.attrs.asdict() == {"offset": [5 * first for first in specimen.begin], "resolution": [5, 5, 5]}
    place = Box(*specimen.labelled)
    assert labels.attrs["offset"] == [5 * first for first in place.begin]
    part = place.within(Box(specimen.begin, specimen.shape))
    assert np.array_equal(labels[:], cell.mitochondria[part])
    assert labels[:].any()


def test_what_people_write_by_hand_lies_in_containers_of_both_kinds(written):
    specimen, _, folder = written
    facts = json.loads((folder / "volumes/labels/mito/.zarray").read_text())
    assert facts["zarr_format"] == 2
    assert facts["dimension_separator"] == specimen.separator
    assert facts["compressor"]["id"] == {".": "zlib", "/": "blosc"}[specimen.separator]
    assert (folder / "volumes/raw_equalized_0.02" / specimen.separator.join("001")).is_file()


def test_the_mask_is_that_of_the_sample(written):
    specimen, cell, folder = written
    group = zarr.open_group(folder, mode="r")
    assert ("volumes/mask" in group) == specimen.edge
    if specimen.edge:
        assert np.array_equal(group["volumes/mask"][:], 255 * cell.sample.astype(np.uint8))
        assert not cell.sample.all()


def test_voxels_within_two_steps_of_an_edge_do_not_count(written):
    specimen, cell, folder = written
    inside = cell.mitochondria > 0
    steps = [ndimage.distance_transform_cdt(part, "taxicab") for part in (inside, ~inside)]
    expected = np.where(np.where(inside, *steps) <= 2, 0, 255)
    part = Box(*specimen.labelled).within(Box(specimen.begin, specimen.shape))
    stored = zarr.open_group(folder, mode="r")["volumes/metric_masks/mito"]
    assert np.array_equal(stored[:], expected[part])


def test_the_side_of_a_volume_is_no_edge_of_a_mitochondrion():
    labels = np.zeros((9, 9, 9), np.uint32)
    labels[:5] = 3
    assert np.array_equal(make_volume.scored(labels)[:, 0, 0] == 0, [False] * 3 + [True] * 4 + [False] * 2)


def test_regions_lie_where_they_can_be_predicted_and_scored():
    for file, regions in make_volume.REGIONS.items():
        for name, *place in regions.values():
            specimen, region = make_volume.SPECIMENS[name], Box(*place)
            raw, labelled = Box(specimen.begin, specimen.shape), Box(*specimen.labelled)
            assert raw.contains(labelled)
            assert raw.contains(region)
            assert file == "predict.json" or labelled.contains(region)


def test_no_voxel_is_trained_on_and_validated_with():
    train, validation = make_volume.REGIONS["train.json"], make_volume.REGIONS["validation.json"]
    for name, *place in train.values():
        assert all(name != other or Box(*place).common(Box(*region)) is None for other, *region in validation.values())


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The whole demo with nothing drawn: containers of the true shapes, and the data files."""
    folder = tmp_path_factory.mktemp("whole")

    def empty(shape, *_, **__):
        kinds = drawn_cell.Cell(np.uint8, np.uint32, bool, bool)
        return drawn_cell.Cell(*(np.zeros(shape, kind) for kind in kinds))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawn_cell, "draw", empty)
        make_volume.make_volume(folder)
    return folder


def test_data_files_have_the_keys_of_incasem(demo):
    (entry,) = json.loads((demo / "train.json").read_text()).values()
    assert entry == {
        "file": "cell_1/cell_1.zarr",
        "offset": [48, 88, 168],
        "shape": [128, 128, 128],
        "voxel_size": [5, 5, 5],
        "raw": "volumes/raw_equalized_0.02",
        "mask": "volumes/mask",
        "metric_masks": ["volumes/metric_masks/mito"],
        "labels": {"volumes/labels/mito": 1},
    }
    assert '"voxel_size": [5, 5, 5],\n' in (demo / "train.json").read_text()
    for entry in json.loads((demo / "predict.json").read_text()).values():
        assert "labels" not in entry
        assert (demo / entry["file"] / entry["raw"] / ".zarray").is_file()


@pytest.mark.parametrize("name", make_volume.REGIONS)
def test_data_files_are_without_fault(demo, name):
    entries = pytest.importorskip("idrstream.volume.entries")
    found, faults = entries.read(demo / name, demo, labels_needed=name != "predict.json")
    assert faults == []
    assert [entry.name for entry in found] == list(make_volume.REGIONS[name])
