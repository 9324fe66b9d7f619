"""Confines: what reaches beyond the folder of models does not load, wherever in a graph it hides."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hondo.errors import InvalidArtifact
from serving.catalog import confines
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from serving.settings import ModelSettings, Settings
from tests.serving import graphs

OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1), helper.make_opsetid("theirs", 1)]
X, Y = graphs.tensor("x", "FP32", ["n", 4]), graphs.tensor("y", "FP32", ["n", 4])
WEIGHTS = np.arange(4, dtype=np.float32)


def write(path: Path, nodes: list[onnx.NodeProto], *, functions: tuple[onnx.FunctionProto, ...] = ()) -> None:
    """Writes a graph as it is, checked by nobody."""
    model = helper.make_model(
        helper.make_graph(nodes, "graph", [X], [Y]), opset_imports=OPSETS, ir_version=9, functions=functions
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def outside(location: str) -> TensorProto:
    """Gives a tensor whose numbers are in a file."""
    tensor = numpy_helper.from_array(WEIGHTS, "weights")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("offset", "0"), ("location", location), ("length", str(WEIGHTS.nbytes))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def constant(location: str) -> list[onnx.NodeProto]:
    """Gives y = x + weights, these in a file and the value of an attribute."""
    return [
        helper.make_node("Constant", [], ["w"], value=outside(location)),
        helper.make_node("Add", ["x", "w"], ["y"]),
    ]


def branch(location: str) -> list[onnx.NodeProto]:
    """Hides the same in a branch of a branch."""
    inner = helper.make_graph(constant(location), "inner", [], [Y])
    for _ in range(2):
        true = helper.make_node("Constant", [], ["true"], value=numpy_helper.from_array(np.array(True)))
        node = helper.make_node("If", ["true"], ["y"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([true, node], "outer", [], [Y])
    return list(inner.node)


def place(models: Path) -> Path:
    return models / "model" / "1"


def check(place: Path) -> None:
    confines.check_links(place)
    confines.check_graphs(place)


def refused(models: Path) -> str:
    with pytest.raises(InvalidArtifact) as raised:
        check(place(models))
    assert "--trust-models" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("nodes", [constant, branch])
@pytest.mark.parametrize(
    "location",
    [
        *("../weights.bin", "../../weights.bin", "/etc/hostname", "sub/../../weights.bin", "", ".", "missing.bin"),
        "x" * 300,
        *("*/_ORT_MEM_ADDR_/*", "weights.bin/../../weights.bin", "link.bin", "link/weights.bin"),
    ],
)
def test_data_lies_in_the_folder(tmp_path: Path, nodes: Callable[[str], list[onnx.NodeProto]], location: str) -> None:
    """Numbers in a file that is not in the graph's own folder are refused, however its place is written."""
    models = tmp_path / "models"
    write(place(models) / "model.onnx", nodes(location))
    for folder in (tmp_path, models, place(models).parent, place(models)):
        (folder / "weights.bin").write_bytes(WEIGHTS.tobytes())
    assert location in refused(models)
    (place(models) / "link.bin").symlink_to(models / "weights.bin")
    (place(models) / "link").symlink_to(models)
    refused(models)


def test_data_in_what_no_file_can_be_called_is_refused(tmp_path: Path) -> None:
    """A place that no file can have, for a sign in its name, is refused like any other that is not there."""
    write(place(tmp_path) / "model.onnx", constant("weights\0.bin"))
    assert "which is no file in its folder" in refused(tmp_path)


@pytest.mark.parametrize("nodes", [constant, branch])
def test_data_in_the_folder_is_taken(tmp_path: Path, nodes: Callable[[str], list[onnx.NodeProto]]) -> None:
    """Numbers in a file beside the graph are its own business."""
    write(place(tmp_path) / "model.onnx", nodes("weights.bin"))
    (place(tmp_path) / "weights.bin").write_bytes(WEIGHTS.tobytes())
    check(place(tmp_path))


def test_foreign_operators_are_refused(tmp_path: Path) -> None:
    """An operator of somebody's own is refused by name, unless the file itself defines it."""
    node = helper.make_node("Steal", ["x"], ["y"], domain="theirs")
    write(place(tmp_path) / "model.onnx", [node])
    assert "theirs.Steal" in refused(tmp_path)
    body = [helper.make_node("Identity", ["x"], ["y"])]
    defined = helper.make_function("theirs", "Steal", ["x"], ["y"], body, OPSETS)
    write(place(tmp_path) / "model.onnx", [node], functions=(defined,))
    check(place(tmp_path))
    body = [helper.make_node("Run", ["x"], ["y"], domain="others")]
    defined = helper.make_function("theirs", "Steal", ["x"], ["y"], body, OPSETS)
    write(place(tmp_path) / "model.onnx", [node], functions=(defined,))
    assert "others.Run" in refused(tmp_path)


def test_compiled_code_is_refused(tmp_path: Path) -> None:
    """Onnxruntime's operator that runs compiled code from a file is refused; its others are not."""
    write(place(tmp_path) / "model.onnx", [helper.make_node("EPContext", ["x"], ["y"], domain="com.microsoft")])
    assert "EPContext" in refused(tmp_path)
    write(place(tmp_path) / "model.onnx", [helper.make_node("Gelu", ["x"], ["y"], domain="com.microsoft")])
    check(place(tmp_path))


def test_links_stay_within_the_models(tmp_path: Path) -> None:
    """A version, a model or a file that is a link to beyond the folder of models is refused; within, it is taken."""
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere" / "model" / "1"
    graphs.add(elsewhere / "model.onnx")
    for link, target in (
        (place(models), elsewhere),
        (place(models).parent, elsewhere.parent),
        (place(models) / "model.onnx", elsewhere / "model.onnx"),
    ):
        link.parent.mkdir(exist_ok=True, parents=True)
        link.symlink_to(target)
        assert "beyond" in refused(models)
        link.unlink()
        shutil.rmtree(models)
    graphs.add(models / "add" / "1" / "model.onnx")
    (models / "model").symlink_to("add")
    check(place(models))


@pytest.mark.parametrize("data", [b"", b"\x0a", b"\x3a\x7f", b"\xff" * 30, b"\x3b", b"\x3a\x02\x0a\x05"])
def test_what_is_no_message_is_no_onnx_file(tmp_path: Path, data: bytes) -> None:
    """A file that cannot be looked through is refused before onnxruntime sees it."""
    place(tmp_path).mkdir(parents=True)
    (place(tmp_path) / "model.onnx").write_bytes(data)
    with pytest.raises(InvalidArtifact, match="no ONNX file"):
        check(place(tmp_path))


def test_endless_depth_is_refused(tmp_path: Path) -> None:
    """A graph in a graph in a graph, a hundred times, is refused rather than followed."""
    data = b""
    for _ in range(60):
        # Graph.node { attribute { g: ... } }
        data = _field(1, _field(5, _field(6, data)))
    place(tmp_path).mkdir(parents=True)
    (place(tmp_path) / "model.onnx").write_bytes(_field(7, data))
    with pytest.raises(InvalidArtifact, match="too deep"):
        check(place(tmp_path))


def _field(number: int, content: bytes) -> bytes:
    length, digits = len(content), bytearray()
    while length >= 128:
        digits.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2]) + bytes([*digits, length]) + content


def test_catalog_refuses_and_trusts(tmp_path: Path) -> None:
    """A server does not load what leaves its confines, unless it is told to trust its models."""
    models, elsewhere = tmp_path / "models", tmp_path / "elsewhere"
    graphs.add(elsewhere / "model.onnx")
    place(models).parent.mkdir(parents=True)
    place(models).symlink_to(elsewhere)
    with pytest.raises(InvalidArtifact, match="--trust-models"):
        Catalog.load(models, Device.CPU)
    trusting = Settings(model=ModelSettings(trust_models=True))
    assert Catalog.load(models, Device.CPU, trusting).find("model").version == 1


def test_released_models_stay_within_theirs() -> None:
    """Every model of the repository passes."""
    places = list((Path(__file__).parents[3] / "models").glob("*/[0-9]*"))
    assert places
    for each in places:
        check(each)
