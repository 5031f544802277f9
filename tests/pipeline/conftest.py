import pytest
from streams import Stream, make_light


@pytest.fixture(scope="session")
def light(tmp_path_factory):
    """The pipeline, but for its networks."""
    return make_light(tmp_path_factory.mktemp("pipeline"))


@pytest.fixture
def stream(light, screen, tmp_path):
    """A run that is yet to start, of the screen of its file."""
    return Stream(light, screen, tmp_path / "run")
