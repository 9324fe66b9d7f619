"""Graphs: what the server looks for in an ONNX file before ONNX Runtime may read it."""

import tempfile
from pathlib import Path
from typing import Final

import onnx

from serving.catalog import confines
from tests.serving import artifacts, graphs, recurrent

_FOLDER: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-"))


def seeds() -> list[bytes]:
    """Gives graphs with and without data beside them."""
    artifacts.write_classifier(_FOLDER)
    paths = [graphs.join(_FOLDER / "join.onnx"), graphs.slow(_FOLDER / "slow.onnx")]
    paths += [recurrent.remember(_FOLDER / "remember.onnx"), *_FOLDER.glob("*/*/model.onnx")]
    beside = _FOLDER / "beside" / "model.onnx"
    beside.parent.mkdir(exist_ok=True)
    model = onnx.load(paths[-1])
    onnx.save(model, beside, save_as_external_data=True, size_threshold=0, location="weights")
    return [path.read_bytes() for path in (*paths, beside)]


def one(data: bytes) -> None:
    """Looks through one, in the folder where the data of one lie."""
    (_FOLDER / "beside" / "model.onnx").write_bytes(data)
    confines.check_graphs(_FOLDER / "beside")
