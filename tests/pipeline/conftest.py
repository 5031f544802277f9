import pytest
from streams import WELLS, Stream, copy_pipeline, make_light

from make_screen import DEMO, make_screen

# The longest files first: of two workers, none is to begin one when the other has no more to do.
LONG = ("test_demo", "test_kit", "test_slides", "test_stream", "test_faults", "test_stop", "test_owner", "test_kills")


def pytest_collection_modifyitems(items):
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def demo(tmp_path_factory):
    """The screen of `make demo`: 20 images, one of an empty well, one in a file that is cut short."""
    folder = tmp_path_factory.mktemp("demo")
    make_screen(folder, **DEMO)
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """The pipeline, but for its report."""
    return copy_pipeline(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """The pipeline, but for its networks and its report."""
    return make_light(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture(scope="session")
def screen(tmp_path_factory):
    """One plate of eight wells, a frame each."""
    folder = tmp_path_factory.mktemp("screen")
    make_screen(folder, plates=["DM0001_01"], wells=WELLS, frames=1, shape=(128, 168))
    return folder


@pytest.fixture(scope="session")
def whole(light, screen, tmp_path_factory):
    """A run that nothing disturbed, of four batches."""
    run = Stream(light, screen, tmp_path_factory.mktemp("whole")).run("--batch_size", 2)
    assert run.code == 0, run.said
    assert (run.images["cells"] == 5).all()
    return run


@pytest.fixture
def stream(light, screen, tmp_path):
    """A run that is yet to start, of the screen of its file."""
    return Stream(light, screen, tmp_path / "run")
