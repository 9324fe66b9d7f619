"""One file of weights for two graphs."""

from pathlib import Path

import numpy as np
import onnx
from onnx.external_data_helper import ExternalDataInfo

from export.writing import graphs, weights
from hondo.artifact import PREFILL, STEP
from tests.export.writing.conftest import make_net, write
from training.models.recurrent import Recurrent


def external(path: Path) -> dict[str, int]:
    """Gives where each of a graph's weights begins in the common file."""
    model = onnx.load(path, load_external_data=False)
    return {
        tensor.name: int(ExternalDataInfo(tensor).offset or 0)
        for tensor in model.graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
    }


def test_weights_are_kept_once(net: Recurrent, tmp_path: Path) -> None:
    """Both graphs find the same weights in the same place, and the file is no larger than the net."""
    write(tmp_path, net)
    prefill, step = (external(tmp_path / f"{role}.onnx") for role in (PREFILL, STEP))
    assert prefill == step
    assert {"layer0.recurrent", "layer1.inward", "layer1.recurrent"} <= set(step)
    assert all(place % 64 == 0 for place in step.values())
    size = sum(4 * parameter.numel() for parameter in net.parameters())
    assert (tmp_path / weights.FILE).stat().st_size <= size


def test_same_net_has_the_same_bytes(tmp_path: Path) -> None:
    """Files depend on the net and the facts alone."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write(tmp_path / name, make_net())
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()


def test_models_are_left_as_they_are(net: Recurrent, tmp_path: Path) -> None:
    """Writing moves no weights out of the models in memory."""
    models = {STEP: graphs.step(net, {})}
    before = models[STEP].SerializeToString(deterministic=True)
    weights.write(models, tmp_path)
    assert models[STEP].SerializeToString(deterministic=True) == before


def test_facts_are_in_each_file(net: Recurrent, tmp_path: Path) -> None:
    """A graph's metadata has what it was given."""
    weights.write({role: make(net, {"name": "x"}) for role, make in _MAKERS.items()}, tmp_path)
    for role in _MAKERS:
        props = onnx.load(tmp_path / f"{role}.onnx", load_external_data=False).metadata_props
        assert [(each.key, each.value) for each in props] == [("name", "x")]


_MAKERS = {PREFILL: graphs.prefill, STEP: graphs.step}


def test_tied_weights_are_one_tensor() -> None:
    """A tied output has no weights of its own."""
    model = graphs.step(make_net(dimensions=20, tied=True), {})
    names = [tensor.name for tensor in model.graph.initializer]
    assert "vectors" in names
    assert "output" not in names
    assert len(names) == len(set(names))
    assert np.prod([tensor.dims for tensor in model.graph.initializer if tensor.name == "vectors"]) == 12 * 20
