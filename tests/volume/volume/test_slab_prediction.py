"""The prediction of slabs: one result for a voxel, whatever is computed with it."""

from functools import lru_cache

import numpy as np
import pytest
import torch

from idrstream.base.failures import NotFinite, NotReadable, OutOfRange
from idrstream.volume import network, prediction, unet_torch
from idrstream.volume.box import Box
from idrstream.volume.grey import check, normalized
from unets import ANISOTROPIC, SMALL, Raw, grey, weights

BEGIN = (5, -3, 11)  # of the volume, in world voxels
NETS = {"isotropic": SMALL, "anisotropic": ANISOTROPIC}
EDGE = 24  # voxels that a tile keeps


@pytest.fixture(params=NETS.values(), ids=NETS.keys(), scope="module")
def unet(request):
    return request.param


@pytest.fixture(scope="module")
def raw():
    return Raw(grey((61, 58, 66)), BEGIN)


@lru_cache
def loaded(unet, tile, threads=1):
    return network.load(unet, weights(unet), unet.given(tile), threads=threads)


def predicted(raw, slabs, unet, edge=EDGE, threads=1):
    """The probabilities of the voxels of the volume that lie in SLABS; of others 0."""
    tile = prediction.tile(edge, raw.box.shape, unet)
    net = loaded(unet, tile, threads)
    found = np.zeros((unet.outputs - 1, *raw.box.shape), np.uint8)
    for slab in slabs:
        for box, probabilities in prediction.predict(raw, slab, tile, net, unet):
            assert slab.contains(box) and not found[:, *box.within(raw.box)].any()
            found[:, *box.within(raw.box)] = probabilities
    return found


@pytest.fixture(scope="module")
def whole(raw, unet):
    """Of the volume as one slab."""
    return predicted(raw, [raw.box], unet)


def in_one_piece(voxels, unet):
    """Float probability of class 1 by torch's layers, of the volume continued by numpy's reflection."""
    shape = unet.input(voxels.shape)
    behind = [size - extent - context for size, extent, context in zip(shape, voxels.shape, unet.context, strict=True)]
    padded = np.pad(voxels, list(zip(unet.context, behind, strict=True)), "reflect")
    module = unet_torch.module(unet).eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in weights(unet).items()})
    with torch.inference_mode():
        logits = module(torch.from_numpy(normalized(padded))[None, None])[0]
        z, y, x = map(slice, voxels.shape)
        return torch.softmax(logits, 0)[1].numpy()[z, y, x]


@pytest.mark.parametrize("shape", [(61, 58, 66), (7, 9, 30), (1, 40, 3)])
def test_a_volume_in_tiles_is_the_volume_in_one_piece(shape, unet):
    """Also one that is smaller than what the network sees around a voxel."""
    raw = Raw(grey(shape), BEGIN)
    truth = 255 * in_one_piece(grey(shape), unet)
    found = predicted(raw, [raw.box], unet)
    assert np.ptp(truth) > 3 and np.abs(found[0] - truth).max() < 0.51


@pytest.mark.parametrize("edge", [(24, 24, 24), (48, 24, 72), (17, 40, 9)])
def test_slabs_of_any_size_give_the_same_bits(edge, raw, unet, whole):
    assert np.array_equal(predicted(raw, raw.box.parts(edge), unet), whole)


@pytest.mark.parametrize("begin", [(0, 0, 0), (1, 2, 3), (7, 5, 30), (36, 33, 41)])
@pytest.mark.parametrize("shape", [(25, 25, 25), (5, 5, 5), (1, 1, 1)])
def test_regions_anywhere_give_the_same_bits(begin, shape, raw, unet, whole):
    region = Box(begin, shape).moved(BEGIN)
    place = (slice(None), *region.within(raw.box))
    assert np.array_equal(predicted(raw, [region], unet)[place], whole[place])


def test_two_threads_give_the_same_bits(raw, unet, whole):
    assert np.array_equal(predicted(raw, [raw.box], unet, threads=2), whole)


def test_another_tile_changes_a_grey_level_in_few_voxels(raw, unet, whole):
    found = predicted(raw, [raw.box], unet, edge=40)
    levels = np.abs(found[0].astype(int) - whole[0])
    assert levels.max() <= 1 and (levels > 0).mean() <= 1e-4


def test_tiles_join_without_a_seam(raw, unet, whole):
    """From voxel to voxel the results change by as much across the faces of tiles as inside of them."""
    steps = np.abs(np.diff(whole[0].astype(int), axis=2))
    faces = np.arange(EDGE - 1, steps.shape[2], EDGE)
    inside = np.setdiff1d(np.arange(steps.shape[2]), faces)
    wander = steps[:, :, inside].mean(axis=(0, 1)).std() / steps.mean()  # of one plane, by chance
    assert abs(steps[:, :, faces].mean() / steps[:, :, inside].mean() - 1) < 3 * wander / np.sqrt(len(faces))


def test_raw_voxels_of_a_slab_are_read_once_and_no_more_than_it_sees(raw, unet):
    raw = Raw(grey((120, 110, 130)), BEGIN)
    slab = Box((48, 40, 50), (25, 26, 27))
    tile = prediction.tile(16, raw.box.shape, unet)
    net = loaded(unet, tile)
    assert sum(box.voxels for box, *_ in prediction.predict(raw, slab, tile, net, unet)) == slab.voxels
    (region,) = raw.regions
    reach = [context + step for context, step in zip(unet.context, unet.step, strict=True)]
    seen = Box(
        tuple(first - more for first, more in zip(slab.begin, reach, strict=True)),
        tuple(size + 2 * more for size, more in zip(slab.shape, reach, strict=True)),
    )
    assert seen.contains(region) and region.contains(slab)


@pytest.mark.parametrize("extent, tile", [((500, 30, 5), (128, 32, 8)), ((128, 129, 1), (128, 128, 4))])
def test_a_tile_is_no_larger_than_a_volume_in_steps(extent, tile):
    assert prediction.tile(128, extent, SMALL) == tile


# What logits say


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_are_numpys(seed):
    logits = np.random.default_rng(seed).normal(scale=4, size=(3, 20, 21, 22)).astype(np.float32)
    probabilities = prediction.probabilities(logits, "here")
    exact = np.exp(logits.astype(float))
    exact = 255 * exact[1:] / exact.sum(axis=0)
    assert probabilities.dtype == np.uint8 and np.abs(probabilities - exact).max() < 0.5001


def test_large_logits_do_not_overflow():
    logits = np.float32([[0, 0, 200, -200], [0, 1, 200, 200], [0, 1, -200, 200]]).reshape(3, 1, 1, 4)
    probabilities = prediction.probabilities(logits, "here")
    assert probabilities[:, 0, 0].tolist() == [[85, 108, 128, 128], [85, 108, 0, 128]]


def test_results_that_are_not_finite_are_said():
    with pytest.raises(NotFinite, match="voxels 1,2,3"):
        prediction.probabilities(np.full((2, 1, 1, 1), np.nan, np.float32), "voxels 1,2,3")


# Grey levels


@pytest.mark.parametrize(
    "dtype, levels", [("u1", [0, 51, 255]), ("<u2", [0, 13107, 65535]), (">u2", [0, 13107, 65535])]
)
def test_whole_grey_levels_are_scaled_by_the_highest_of_their_type(dtype, levels):
    found = normalized(np.array(levels, dtype))
    assert found.dtype == np.float32 and np.allclose(found, [-1, -0.6, 1], rtol=0, atol=1e-6)


def test_floats_are_scaled_from_0_to_1():
    levels = np.float32([0, 0.2, 1])
    check(levels, "here")
    assert np.allclose(normalized(levels), [-1, -0.6, 1], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "levels, failure, words",
    [
        (
            np.float32([0.5, 1.5]),
            OutOfRange,
            "a.zarr: raw voxels lie between 0.5 and 1.5; as float32 they must be 0 to 1",
        ),
        (np.float32([0.5, np.nan]), NotFinite, "a.zarr: some raw voxels are not finite"),
        (np.int32([3]), NotReadable, "a.zarr: raw voxels are int32"),
    ],
)
def test_other_grey_levels_are_refused(levels, failure, words):
    with pytest.raises(failure, match=words):
        check(levels, "a.zarr")
