"""Small pictures of images: bounded in size, even in contrast, nuclei outlined."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from idrstream.images import thumbnails
from idrstream.images.frames import image_key, write_frame
from idrstream.images.labels import write_cells

RANDOM = np.random.default_rng(0)


def plenty(shape=(1024, 1344)):
    """Noisy frame and label image of 150 nuclei."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    cy, cx = y // 100 * 100 + 50, x // 90 * 90 + 45
    inside = np.hypot(y - cy, x - cx) < 20
    labels = np.where(inside, y // 100 * 15 + x // 90 + 1, 0).astype(np.uint16)
    return (30 + 120 * inside + RANDOM.normal(0, 8, shape)).clip(0, 255).astype(np.uint8), labels


@pytest.mark.parametrize(
    "shape, expected", [((1024, 1344), (244, 320)), ((900, 300), (320, 107)), ((60, 80), (60, 80))]
)
def test_no_side_is_longer_than_320_pixels_and_nothing_is_enlarged(shape, expected):
    made = thumbnails.picture(np.zeros(shape, np.uint16), np.zeros(shape, np.uint16))
    assert made.shape == (*expected, 3) and made.dtype == np.uint8


def test_the_outline_lies_around_the_nucleus_and_the_rest_is_grey():
    grey, labels = np.zeros((40, 40), np.float32), np.zeros((40, 40), np.uint16)
    labels[10:20, 10:20], grey[10:20, 10:20] = 1, 900
    made = thumbnails.picture(grey, labels)
    coloured = (made == thumbnails.COLOUR).all(axis=2)
    assert coloured.sum() == 40 and not coloured[10:20, 10:20].any()  # four sides of ten
    assert (made[10:20, 10:20] == 255).all() and (made[30:, 30:] == 0).all()


def test_contrast_leaves_out_a_thousandth_at_either_end():
    grey = np.arange(10_000, dtype=np.uint16).reshape(100, 100)
    grey[0, 0], grey[-1, -1] = 0, 65_535  # a hot pixel
    made = thumbnails.picture(grey, np.zeros(grey.shape, np.uint16))[..., 0]
    assert int(made[50, 0]) == pytest.approx(127, abs=2) and (made == 0).sum() > 5 and (made == 255).sum() > 5


def test_the_size_is_bounded():
    assert len(thumbnails.jpeg(thumbnails.picture(*plenty()))) < 30_000
    noise = RANDOM.integers(0, 2**16, (320, 320)).astype(np.uint16)
    scattered = (RANDOM.random((320, 320)) < 0.1).astype(np.uint16)
    assert len(thumbnails.jpeg(thumbnails.picture(noise, scattered))) < 80_000


def test_a_plate_is_a_file_of_the_images_that_are_ok(tmp_path):
    rows = []
    for number, (plate, status) in enumerate([("PA", "ok"), ("PB", "ok"), ("PA", "failed"), ("PA", "ok")]):
        name = image_key(plate, "A01", 1, number)
        rows.append({"key": name, "plate": plate, "status": status, "shape": [30, 40]})
        for folder in "frames", "labels":
            (tmp_path / folder).mkdir(exist_ok=True)
            write_frame(tmp_path / folder, name, np.full((30, 40), number, np.uint16))
        write_cells(tmp_path / "labels", name, {"label": np.arange(1, number + 1)})
    thumbnails.write(tmp_path / "frames", tmp_path / "labels", rows, None, "b0", tmp_path / "out")
    tables = {path.parent.name: pq.read_table(path).to_pylist() for path in tmp_path.rglob("b0.parquet")}
    assert {plate: [row["key"] for row in rows] for plate, rows in tables.items()} == {
        "plate=PA": ["PA_A01_s1_f0", "PA_A01_s1_f3"],
        "plate=PB": ["PB_A01_s1_f1"],
    }
    assert Image.open(io.BytesIO(tables["plate=PB"][0]["jpeg"])).size == (40, 30)


def test_a_nucleus_that_is_no_cell_is_not_outlined(tmp_path):
    labels = np.zeros((40, 40), np.uint16)
    labels[10:20, 10:20], labels[30:, 25:35] = 1, 2
    for folder in "frames", "labels":
        (tmp_path / folder).mkdir()
        write_frame(tmp_path / folder, "P_A01_s1_f1", labels)
    write_cells(tmp_path / "labels", "P_A01_s1_f1", {"label": np.array([1])})
    row = {"key": "P_A01_s1_f1", "plate": "P", "status": "ok"}
    thumbnails.write(tmp_path / "frames", tmp_path / "labels", [row], None, "b0", tmp_path / "out")
    (path,) = tmp_path.rglob("b0.parquet")
    one, two = (thumbnails.jpeg(thumbnails.picture(labels, outlined)) for outlined in (labels * (labels == 1), labels))
    assert pq.read_table(path)["jpeg"][0].as_py() == one != two
