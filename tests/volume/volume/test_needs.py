"""What the plan says of memory, against what tasks took."""

import pytest

from idrstream.volume import needs
from idrstream.volume.box import Box
from idrstream.volume.unet import Unet

# (maps, poolings, tile): peak of PREDICT on a slab that is hardly larger than its tile, GB, one thread of a processor
# (benchmarks/volume.py, and slabs.tsv of runs).
MEASURED = {
    (32, 3, 128): 3.81,
    (32, 3, 64): 1.85,
    (32, 3, 16): 1.08,
    (16, 3, 128): 1.78,
    (16, 2, 128): 1.43,
    (16, 2, 64): 0.82,
}


@pytest.mark.parametrize("network, peak", MEASURED.items())
def test_a_task_asks_for_what_it_takes_and_not_for_twice_that(network, peak):
    maps, poolings, tile = network
    unet = Unet(maps=maps, factors=((2, 2, 2),) * poolings)
    given = unet.given((tile,) * 3)
    region = {"tile": (tile,) * 3, "input": given, "output": unet.output(given), "maps": maps, "classes": 1}
    region |= {"itemsize": 1, "operations": unet.flops(given, lean=True)}
    assert 1.1 * peak < needs.of(region, Box((0, 0, 0), (tile,) * 3)).memory / 1e9 < 2 * peak


def test_of_a_slab_no_more_is_stored_than_its_voxels():
    unet = Unet(maps=16)
    given = unet.given((128,) * 3)
    region = {"tile": (128,) * 3, "input": given, "output": unet.output(given), "maps": 16, "classes": 2}
    region |= {"itemsize": 2, "operations": 1e9}
    need = needs.of(region, Box((0, 0, 0), (512, 256, 130)))
    assert need.disk == int(3 * 512 * 256 * 130 * 1.02) and need.seconds == pytest.approx(16 * 0.01)
