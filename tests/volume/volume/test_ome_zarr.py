"""Arrays of a region as OME-Zarr, of which every task writes its own shards."""

import json
import time

import numpy as np
import pytest
import zarr

from idrstream.base.failures import Truncated
from idrstream.volume import grid, ome_zarr
from idrstream.volume.box import Box

REGION = Box((400, 926, 2512), (150, 70, 130))
VOXEL = (5.0, 4.0, 4.0)
NAME = ome_zarr.probability(1)


def written(folder, voxels, edge):
    """A store whose slabs were written by tasks with folders of their own; {file: how many tasks wrote it}."""
    files = {}
    for number, slab in enumerate(grid.slabs(REGION, edge)):
        own = ome_zarr.Store(folder / f"task_{number}", REGION, grid.shard(edge))
        own.put(NAME, slab, voxels[slab.within(REGION)])
        for path in own.path.rglob("*"):
            if path.is_file():
                name = path.relative_to(own.path)
                files[name] = files.get(name, 0) + 1
                (folder / "whole" / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / "whole" / name).write_bytes(path.read_bytes())
    return ome_zarr.Store(folder / "whole", REGION, grid.shard(edge)), files


@pytest.fixture
def voxels():
    voxels = np.random.default_rng(0).integers(0, 256, REGION.shape, np.uint8)
    voxels[64:128, :64, :64] = 0  # a chunk of nothing, which is stored like the others
    return voxels


@pytest.mark.parametrize("edge", [64, 128, 192])
def test_slabs_written_apart_are_one_array_and_no_file_has_two_writers(tmp_path, voxels, edge):
    store, files = written(tmp_path, voxels, edge)
    assert {*files.values()} == {1} and not any(path.name == "zarr.json" for path in files)
    store.describe([NAME, ome_zarr.SEGMENTATION], VOXEL)
    array = zarr.open_array(store.path / NAME / "s0", mode="r")
    assert np.array_equal(array[:], voxels) and array.shape == REGION.shape
    assert len(files) == np.prod([-(-size // grid.shard(edge)) for size in REGION.shape])


def test_a_box_is_read_before_there_are_metadata_and_a_missing_shard_is_not_zeros(tmp_path, voxels):
    store, files = written(tmp_path, voxels, 64)
    box = Box((460, 926, 2600), (10, 70, 20))
    assert np.array_equal(store.get(NAME, box), voxels[box.within(REGION)])
    (store.path / sorted(files)[0]).unlink()
    with pytest.raises(Truncated, match="shard 0/0/0 is missing"):
        store.get(NAME, Box(REGION.begin, (1, 1, 1)))
    store.get(NAME, Box((REGION.begin[0] + 64, *REGION.begin[1:]), (1, 1, 1)))


def test_only_shards_that_a_box_meets_are_looked_for(tmp_path):
    store = ome_zarr.Store(tmp_path / "large", Box((5, 5, 5), (10_000,) * 3), 64)  # of 3.9 million shards
    begun = time.process_time()
    with pytest.raises(Truncated, match="shard 156/0/78 is missing"):
        store.get(NAME, Box((10_004, 5, 4997), (1, 1, 64)))
    assert time.process_time() - begun < 1


def test_metadata_are_those_that_zarr_writes_and_a_validator_takes_them(tmp_path, voxels):
    store, _ = written(tmp_path, voxels, 64)
    store.describe([NAME, ome_zarr.SEGMENTATION], VOXEL)
    image = json.loads((store.path / NAME / "zarr.json").read_text())["attributes"]["ome"]
    (scales,) = image["multiscales"]
    assert [(axis["name"], axis["unit"]) for axis in scales["axes"]] == [(axis, "nanometer") for axis in "zyx"]
    scale, translation = scales["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [5, 4, 4] and translation["translation"] == [2000, 3704, 10048]
    labels = json.loads((store.path / "labels/zarr.json").read_text())["attributes"]["ome"]
    assert labels["labels"] == ["segmentation"]
    group = zarr.open_group(store.path, mode="r")
    assert {*group} == {"labels", "probability"}
    assert json.loads((store.path / NAME / "s0/zarr.json").read_text()) == json.loads(
        json.dumps(group[f"{NAME}/s0"].metadata.to_dict())
    )
