"""Memory that the tables of a slide take, which does not grow with its objects."""

import json
import tracemalloc

import numpy as np
import pyarrow as pa

import measured_folders
from idrstream.tissue import tables


def many(folder, count):
    """A slide of COUNT objects, whose values are random: (packet, folder of MEASURE)."""
    packet = measured_folders.packet_of((1000, 1000), ["DNA1", "CD45"], True)
    packet["outputs"].remove("geojson")
    columns, random = measured_folders.columns_of(packet), np.random.default_rng(0)
    folder.mkdir()
    (folder / "columns.json").write_text(json.dumps(columns))
    np.save(folder / "labels.npy", np.arange(1, count + 1, dtype=np.uint32))
    np.save(folder / "values.npy", np.asfortranarray(random.random((count, len(columns)))))
    np.save(folder / "objects.npy", np.full(count, 9, measured_folders.FIELDS))
    return packet, folder


def peak(folder, count):
    """Bytes that numpy and Python had at once while the tables of so many objects were written, and Arrow."""
    packet, measured = many(folder / str(count), count)
    arrow = pa.proxy_memory_pool(pa.default_memory_pool())
    tracemalloc.start()
    try:
        pa.set_memory_pool(arrow)
        tables.write(packet, [measured], folder / f"tables_{count}")
        return tracemalloc.get_traced_memory()[1], arrow.max_memory()
    finally:
        pa.set_memory_pool(pa.system_memory_pool())
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_slide(tmp_path, monkeypatch):
    for module in (tables.measured, tables.annotated):
        monkeypatch.setattr(module, "STEP", 500)
    monkeypatch.setattr(tables.measured, "MOST", 1)
    monkeypatch.setattr(tables.counts, "SAMPLE", 100)
    few, more = (peak(tmp_path, count) for count in (1000, 6000))
    assert more[0] < 1.3 * few[0] and more[1] < 1.3 * few[1]
