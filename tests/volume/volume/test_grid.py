"""How a region is cut into slabs, and which of them are left."""

import itertools

from idrstream.volume import grid
from idrstream.volume.box import Box

REGION = Box((7, -9, 100), (600, 300, 70))


def test_slabs_of_any_edge_own_whole_shards():
    for edge in (64, 192, 256, 512, 1024):
        shard = grid.shard(edge)
        for slab in grid.slabs(REGION, edge):
            assert all((first - start) % shard == 0 for first, start in zip(slab.begin, REGION.begin, strict=True))
    assert [grid.shard(edge) for edge in (64, 192, 128, 256, 512)] == [64, 64, 128, 256, 256]


def test_names_of_slabs_of_one_region_and_edge_differ_and_tell_where_they_lie():
    slabs = grid.slabs(REGION, 256)
    names = [grid.name(slab, REGION, 256) for slab in slabs]
    assert len({*names}) == len(slabs) == 6
    assert names[0] == "256.0.0.0" and names[-1] == "256.2.1.0"


def test_what_other_slabs_have_done_is_not_left_and_half_of_it_is_replaced():
    small, large = grid.slabs(REGION, 256), grid.slabs(REGION, 512)
    done = {f"s{number}": slab for number, slab in enumerate(small)}
    assert grid.remaining(REGION, 512, done) == {} and grid.whole(REGION, done.values())
    some = dict(itertools.islice(done.items(), 1, None))
    (slab,), (replaced,) = zip(*grid.remaining(REGION, 512, some).items(), strict=True)
    assert slab == large[0] and len(replaced) == 3 and all(slab.contains(some[name]) for name in replaced)
    assert not grid.whole(REGION, some.values())
    left = grid.remaining(REGION, 256, {"whole": large[0]})
    assert left == {slab: [] for slab in small if slab.begin[0] >= 519}
