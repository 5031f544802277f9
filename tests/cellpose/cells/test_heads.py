"""What an ONNX file states of itself is read without `onnx`, and what does not fit is one sentence."""

import pytest

import onnx_networks as networks
from idrstream.base import onnx_files
from idrstream.cells import heads


def file_of(folder, inputs=(("x", [None, 2, 256, 256]),), channels=(1, 3), element=networks.FLOAT, **properties):
    """A file with such inputs, and outputs of so many channels each."""
    inputs = [networks.array(name, sides, element) for name, sides in inputs]
    outputs = [networks.array(f"y{n}", [None, count, None, None]) for n, count in enumerate(channels)]
    return networks.write(folder / "a.onnx", [], inputs, outputs, **properties)


def test_mesmers_file_needs_no_properties(tmp_path):
    path = networks.echo(tmp_path / "mesmer.onnx", last=True, side=256)
    assert heads.describe(path) == heads.Heads(2, True, 256, ("cells", "nuclei"), 0.5, None)


def test_a_file_states_its_heads_pixel_size_and_diameter(tmp_path):
    stated = {"heads": "nuclei", "pixel_size": "0.65", "diameter": "17"}
    path = file_of(tmp_path, [("x", [1, 1, None, None])], **stated)
    assert heads.describe(path) == heads.Heads(1, False, 256, ("nuclei",), 0.65, 17.0)
    path = file_of(tmp_path, channels=(1, 1, 1, None), heads="nuclei, cells")
    assert heads.describe(path).layers == ("nuclei", "cells")


@pytest.mark.parametrize("side", [32, 33])
def test_tiles_may_be_small(tmp_path, side):
    assert heads.describe(file_of(tmp_path, [("x", [1, 1, side, side])], heads="nuclei")).tile == side


FAULTS = {
    "2 inputs": dict(inputs=[("x", [None, 1, 256, 256]), ("z", [None, 1, 256, 256])]),
    "32-bit": dict(element=networks.INT64),
    "four axes": dict(inputs=[("x", [None, 256, 256])]),
    "does not state": dict(inputs=[("x", None)]),
    "(any, 3, 256, 256)": dict(inputs=[("x", [None, 3, 256, 256])]),
    "(any, any, any, any)": dict(inputs=[("x", 4 * [None])]),
    "square": dict(inputs=[("x", [None, 2, 256, 512])]),
    "32 pixels or more": dict(inputs=[("x", [None, 2, 31, None])]),
    "batch": dict(inputs=[("x", [8, 2, 256, 256])]),
    '2 outputs and no property "heads"': {},
    '"cyto"': dict(heads="cyto"),
    '"nuclei,nuclei"': dict(heads="nuclei,nuclei", channels=(1, 1, 1, 1)),
    '2 outputs; "cells,nuclei" are 4': dict(heads="cells,nuclei"),
    '"y1" is (any, 2, any, any)': dict(heads="nuclei", channels=(1, 2)),
    '"y0" is (any, 3, any, any); it has to be (n, 1, 256, 256)': dict(heads="nuclei", channels=(3, 1)),
    '"pixel_size" is "fine"': dict(heads="nuclei", pixel_size="fine"),
    '"diameter" is "-3"': dict(heads="nuclei", diameter="-3"),
}


@pytest.mark.parametrize("words, content", FAULTS.items(), ids=FAULTS)
def test_what_does_not_fit_is_told(tmp_path, words, content):
    with pytest.raises(heads.NoNetwork) as fault:
        heads.describe(file_of(tmp_path, **content))
    assert words in str(fault.value) and "\n" not in str(fault.value)


def test_weights_in_another_file_are_told(tmp_path):
    weights = networks.tensor("w", [], [2]) + networks.field(14, 1)
    path = networks.write(tmp_path / "a.onnx", [], [], [], [weights])
    with pytest.raises(heads.NoNetwork, match="another file"):
        heads.describe(path)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(4000), b"PK\x03\x04", b"\xff" * 9000])
def test_a_file_of_another_kind_is_told(tmp_path, content):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(heads.NoNetwork, match="not an ONNX file"):
        heads.describe(tmp_path / "a.onnx")


def test_half_a_file_and_none_are_told(tmp_path):
    whole = networks.echo(tmp_path / "a.onnx").read_bytes()
    for size in range(0, len(whole) - 4, 7):  # the last four bytes are no more than a version
        (tmp_path / "half.onnx").write_bytes(whole[:size])
        with pytest.raises(heads.NoNetwork):
            heads.describe(tmp_path / "half.onnx")
    with pytest.raises(heads.NoNetwork, match="no such file"):
        heads.describe(tmp_path / "absent.onnx")


def test_the_scale_goes_by_pixel_size_unless_diameters_are_stated():
    network = heads.Heads(2, False, 256, ("nuclei",), 0.5, None)
    assert network.scale((0.325, 0.25)) == (0.65, 0.5)
    assert network.scale((0.50001, 0.5)) == (1, 1)
    trained = network._replace(diameter=20.0)
    assert trained.scale((0.325, 0.325)) == (0.65, 0.65) and trained.scale(None, 30) == (20 / 30, 20 / 30)
    with pytest.raises(heads.NoScale, match="leave it auto"):
        network.scale((0.5, 0.5), 30)
    with pytest.raises(heads.NoScale, match="size of its pixels"):
        trained.scale(None)


def test_a_layer_that_the_network_does_not_find_is_told():
    network = heads.Heads(2, False, 256, ("nuclei",), 0.5, None)
    network.require(["nuclei"])
    with pytest.raises(heads.NoNetwork, match="it finds nuclei, not cells"):
        network.require(["nuclei", "cells"])


def test_what_is_read_is_what_onnx_writes(tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs the package onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("pixels", kind, ["n", 2, 256, 256])]
    outputs = [helper.make_tensor_value_info(name, kind, ["n", 1, 256, 256]) for name in ("a", "b")]
    weights = helper.make_tensor("w", kind, [2, 1], [0.5, 0.25])
    nodes = [helper.make_node("Identity", ["pixels"], [name]) for name in ("a", "b")]
    model = helper.make_model(
        helper.make_graph(
            nodes, "g", [*inputs, *[helper.make_tensor_value_info("w", kind, [2, 1])]], outputs, [weights]
        )
    )
    helper.set_model_props(model, {"heads": "nuclei", "author": "Zoë"})
    onnx.save(model, tmp_path / "a.onnx")
    found = onnx_files.read(tmp_path / "a.onnx")
    assert found.inputs == [onnx_files.Array("pixels", onnx_files.FLOAT32, (None, 2, 256, 256))]
    assert [output.name for output in found.outputs] == ["a", "b"]
    assert found.properties == {"heads": "nuclei", "author": "Zoë"} and not found.elsewhere
    onnx.checker.check_model(onnx.load(networks.echo(tmp_path / "b.onnx")), full_check=True)
