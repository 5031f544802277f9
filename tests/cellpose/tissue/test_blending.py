"""What a network for deep watershed sees of a slide has the same bits whatever is asked for at once."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import onnx_networks
import slides
from idrstream.base.task import TransientError, UserError
from idrstream.cells import heads
from idrstream.tissue import blending, normalized, tiles, watershed_network
from repository import ROOT


class Shown:
    """A slide as normalized.Normalized shows it, without any change."""

    def __init__(self, image):
        self.image, self.shape, self.empty = image, image.shape[1:], False
        self.read = slides.reading(image)

    def __call__(self, box):
        return self.read(box)


def random(shape, channels=2):
    return np.random.default_rng(0).random((channels, *shape)).astype(np.float32)


def whole(shape):
    return tiles.Box(0, shape[0], 0, shape[1])


def stand_in(given):
    """Maps that depend on all of a tile, not on what is near a pixel only."""
    far = given.mean((1, 2, 3), np.float64, keepdims=True)[:, 0]
    down, across = np.gradient(given[:, 0], axis=(1, 2))
    return np.stack([down + far, across - far, given[:, 1] * far, given[:, 1] + far], axis=1).astype(np.float32)


NETWORK = watershed_network.Network(stand_in, ("cells", "nuclei"), 256)
SHAPES = (40, 5000), (223, 223), (225, 4097), (256, 256), (257, 448), (1000, 700), (1, 300), (90, 20)


@pytest.fixture(scope="module", params=[False, True], ids=["channels first", "channels last"])
def echo(request, tmp_path_factory):
    """A network of Mesmer's kind that gives back what it is given."""
    path = tmp_path_factory.mktemp("echo") / "echo.onnx"
    return watershed_network.load(onnx_networks.echo(path, last=request.param), threads=2)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_that_gives_back_what_it_is_given_reproduces_the_slide(echo, shape):
    image = random(shape)
    found = blending.Maps(echo, Shown(image), ["nuclei", "cells"])(whole(shape))
    for layer, channel in ("nuclei", 0), ("cells", 1):
        assert found[layer].shape == (2, *shape) and found[layer].dtype == np.float32
        np.testing.assert_allclose(found[layer], [image[channel]] * 2, rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 1500), (223, 223), (225, 900), (1000, 700), (90, 20)])
def test_bits_do_not_depend_on_the_window(shape):
    image = random(shape)
    wanted = blending.Maps(NETWORK, Shown(image), ["nuclei", "cells"])(whole(shape))
    maps = blending.Maps(NETWORK, Shown(image), ["nuclei", "cells"])
    for side, by in (64, 9), (192, 0), (300, 130):
        for tile in tiles.grid(whole(shape), side):
            window = tile.grown(by, shape)
            for layer, found in maps(window).items():
                inside = wanted[layer][:, window.y0 : window.y1, window.x0 : window.x1]
                np.testing.assert_array_equal(found, inside)


def test_bits_of_the_committed_network_do_not_depend_on_the_window():
    path = ROOT / "assets/models/watershed/nuclei.onnx"
    if not path.exists():
        pytest.skip("assets/models/watershed/nuclei.onnx is not here")
    network, image = watershed_network.load(path, threads=2), random((450, 300), heads.describe(path).channels)
    wanted = blending.Maps(network, Shown(image), ["nuclei"])(whole((450, 300)))["nuclei"]
    maps = blending.Maps(network, Shown(image), ["nuclei"])
    for tile in tiles.grid(whole((450, 300)), 170):
        window = tile.grown(20, (450, 300))
        found = maps(window)["nuclei"]
        np.testing.assert_array_equal(found, wanted[:, window.y0 : window.y1, window.x0 : window.x1])


def test_tiles_lie_and_count_as_mesmers():
    """By hand: four tiles at a stride of 192 are 832 pixels, of which 66 lie before a slide of 700 and 66 after it."""
    found = blending.axis(700, 256)
    assert (found.stride, found.count, found.before) == (192, 4, 66)
    assert blending.axis(701, 256).before == 66 and blending.axis(223, 256).before == 16
    assert [list(found.meeting(*edges)) for edges in ((0, 1), (126, 127), (189, 190), (0, 700))] == [
        [0],
        [0, 1],
        [0, 1],
        [0, 1, 2, 3],
    ]
    assert list(found.meeting(190, 191)) == [1]
    middle = found.weights(1)
    np.testing.assert_allclose(middle[[0, 31, 32, 63, 64]], np.array([0.5, 1984.5, 2111.5, 4095.5, 4096]) / 4096)
    np.testing.assert_array_equal(middle, middle[::-1])
    assert (found.weights(0)[:192] == 1).all() and (found.weights(3)[64:] == 1).all()


@pytest.mark.parametrize("side", [heads.SMALLEST, 33, 512])
def test_weights_of_tiles_add_up_to_one_whatever_their_side(side):
    along = blending.axis(5 * side, side)
    total = np.zeros(7 * side)
    for number in range(along.count):
        first = along.start(number) + side
        total[first : first + side] += along.weights(number)
    np.testing.assert_allclose(total[side:-side], 1, rtol=0, atol=1e-12)


def test_a_wider_window_costs_what_is_new():
    image = random((3000, 3000))
    maps = blending.Maps(NETWORK, Shown(image), ["nuclei"])
    maps(tiles.Box(1000, 1500, 1000, 1500))
    before = maps.tiles
    maps(tiles.Box(1000, 1500, 1000, 1500))
    assert maps.tiles == before
    maps(tiles.Box(900, 1600, 900, 1600))
    assert maps.tiles == len(range(4, 9)) ** 2


def test_no_more_is_kept_than_the_room_for_it(monkeypatch):
    monkeypatch.setattr(blending, "KEPT", 5 * 2 * 4 * 256**2)
    image = random((1000, 1000))
    maps = blending.Maps(NETWORK, Shown(image), ["nuclei"])
    first = maps(whole((1000, 1000)))["nuclei"]
    assert maps.tiles == 25
    np.testing.assert_array_equal(maps(whole((1000, 1000)))["nuclei"], first)
    assert maps.tiles == 45


def test_a_slide_without_anything_to_be_seen_has_empty_maps():
    nothing = normalized.Normalized([None, None], (600, 500), (300, 250), [None, None])
    maps = blending.Maps(NETWORK, nothing, ["cells"])
    assert not maps(whole((300, 250)))["cells"].any() and maps.tiles == 0 and maps.shape == (300, 250)


class OnnxRuntime:
    """The part of ONNX Runtime that is called, on a machine with a GPU, or one whose CUDA it cannot load.

    distances  channels of the cells' distance
    errors     {"open" | "open_strictly" | "run": what it raises there}
    """

    def __init__(self, providers=("CUDAExecutionProvider", "CPUExecutionProvider"), distances=1, **errors):
        self.providers, self.distances, self.errors = providers, distances, errors
        self.requested, self.shown, self.options = None, [], {}

    def preload_dlls(self):
        self.requested = []

    def SessionOptions(self):
        return self

    def add_session_config_entry(self, name, value):
        self.options[name] = value

    def add_free_dimension_override_by_name(self, name, length):
        self.options[name] = length

    def InferenceSession(self, path, options, providers):
        self.requested.append((path, options and dict(self.options), providers))
        self.fail("open_strictly" if options else "open")
        return self

    def fail(self, where):
        if where in self.errors:
            raise self.errors[where]

    def get_providers(self):
        return self.providers

    def get_inputs(self):
        return [SimpleNamespace(name="pixels", shape=["n", "y", "x", 2])]

    def get_outputs(self):
        return [SimpleNamespace(name=name) for name in ("distance", "interior", "nuclear", "of nuclei")]

    def run(self, outputs, given):
        assert outputs is None
        self.fail("run")
        (image,) = given.values()
        self.shown.append((*given, image.shape))
        nuclear, membrane = image[..., :1], image[..., 1:]
        interior = np.concatenate([nuclear, membrane, nuclear], -1)
        return [np.repeat(membrane, self.distances, -1), interior, nuclear, np.repeat(nuclear, 3, -1)]


@pytest.fixture
def gpu(monkeypatch):
    """PyTorch, which says that there is a GPU."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.zeros", lambda *size, device: None)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "a GPU")


@pytest.fixture
def opened(gpu, tmp_path, monkeypatch):
    """Function of what the stand-in for ONNX Runtime is told: the stand-in, and a network that is opened by it."""

    def load(*providers, **how):
        runtime = OnnxRuntime(*providers, **how)
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        path = onnx_networks.echo(tmp_path / "echo.onnx", last=True)
        return runtime, watershed_network.load(path, require_gpu=True, threads=4)

    return load


def test_on_a_gpu_onnx_runtime_is_shown_one_tile_at_a_time(opened, tmp_path):
    runtime, network = opened()
    assert (network.device, network.on_gpu, network.threads) == ("a GPU", True, 1)
    image = random((300, 400))
    found = blending.Maps(network, Shown(image), ["cells"])(whole((300, 400)))["cells"]
    np.testing.assert_allclose(found, [image[1]] * 2, rtol=0, atol=1e-6)
    for file, _, ((provider, options),) in runtime.requested:
        assert file == str(tmp_path / "echo.onnx") and provider == "CUDAExecutionProvider"
        assert options["use_tf32"] == "0"
    assert runtime.shown == 5 * [("pixels", (1, 256, 256, 2))]  # the first to see what it answers


def test_the_processor_computes_nothing_of_what_a_gpu_is_to(opened):
    runtime, _ = opened()
    _, strictly, _ = runtime.requested[-1]
    assert strictly == {"session.disable_cpu_ep_fallback": "1", "n": 1, "y": 256, "x": 256}
    words = "nodes that are assigned to the default CPU EP, but fallback to CPU EP has been explicitly disabled by"
    with pytest.raises(UserError, match=r"echo\.onnx: a GPU cannot compute all of it .* fixed sides"):
        opened(open_strictly=RuntimeError(words))


def test_what_a_gpu_answers_is_checked(opened):
    with pytest.raises(UserError, match=r'echo\.onnx: its output "distance" is \(1, 256, 256, 2\)'):
        opened(distances=2)


@pytest.mark.parametrize("where", ["open", "open_strictly", "run"])
def test_a_broken_file_on_a_gpu_is_told_in_one_sentence(opened, where):
    with pytest.raises(UserError, match=r"echo\.onnx: ONNX Runtime cannot compute it \(INVALID_GRAPH : a b\)") as fault:
        opened(**{where: RuntimeError("INVALID_GRAPH : a\n b")})
    assert "\n" not in fault.value.message


@pytest.mark.parametrize("where", ["open", "open_strictly", "run"])
@pytest.mark.parametrize(
    "words",
    [
        "BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 67108864",
        "CUDA failure 2: out of memory ; GPU=0",
        "CUDNN failure 4: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_a_gpu_whose_memory_is_taken_is_tried_again(opened, where, words):
    with pytest.raises(TransientError, match="the GPU's memory"):
        opened(**{where: RuntimeError(words)})


def test_memory_that_runs_out_later_is_tried_again_too(opened):
    runtime, network = opened()
    runtime.errors["run"] = RuntimeError("CUDA failure 2: out of memory")
    with pytest.raises(TransientError, match="the GPU's memory"):
        network.compute(random((256, 256))[None])


def test_a_gpu_is_never_silently_unused(opened, gpu, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="cannot load CUDA"):
        opened(["CPUExecutionProvider"])
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(UserError, match="not installed"):
        watershed_network.load(tmp_path / "echo.onnx")


def test_what_only_shows_when_it_is_computed_is_told_in_one_sentence(tmp_path):
    networks = onnx_networks
    nodes = [networks.node("Identity", ["pixels"], [name]) for name in ("a", "b")]
    outputs = [networks.array(name, None) for name in ("a", "b")]
    inputs = [networks.array("pixels", [None, 2, None, None])]
    path = networks.write(tmp_path / "two.onnx", nodes, inputs, outputs, heads="nuclei")
    with pytest.raises(UserError, match=r"two\.onnx: its output .* is \(1, 2, 256, 256\)"):
        watershed_network.load(path)
    path = networks.write(
        tmp_path / "b.onnx", [networks.node("NoSuch", ["pixels"], ["a"]), nodes[1]], inputs, outputs, heads="nuclei"
    )
    with pytest.raises(UserError, match=r"b\.onnx: OpenVINO cannot compute it") as fault:
        watershed_network.load(path)
    assert "\n" not in fault.value.message
