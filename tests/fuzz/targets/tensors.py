"""Tensors of the Open Inference Protocol: raw and typed contents of every datatype, texts among them."""

import tempfile
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from protos.inference_pb2 import ModelInferRequest, ModelInferResponse
from serving.runtime.session import Session
from serving.runtime.tensors import Reader, wanted_outputs, write_outputs
from tests.fuzz import seeds as good
from tests.serving import graphs
from tests.serving.values import VALUES

_FOLDER: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-"))
_GRAPHS: Final = {
    "join": graphs.join(_FOLDER / "join.onnx"),
    "add": graphs.add(_FOLDER / "add.onnx"),
    **{f"same_{datatype}": graphs.same(_FOLDER / f"{datatype}.onnx", datatype, ["n", None]) for datatype in VALUES},
}
_SESSIONS: Final = {name: Session.open(path, threads=1) for name, path in _GRAPHS.items()}
_READERS: Final = {name: Reader(session.inputs) for name, session in _SESSIONS.items()}
_MOST_BYTES: Final = 2**24


def seeds() -> list[bytes]:
    """Gives good requests."""
    every = good.good()["inference.ModelInferRequest"]
    return [each.SerializeToString() for each in every]


def one(data: bytes) -> None:
    """Reads one, and where it can be read writes as an answer what the graph makes of it."""
    try:
        request = ModelInferRequest.FromString(data)
    except DecodeError:
        return
    session = _SESSIONS.get(request.model_name)
    if session is None:
        return
    arrays = _READERS[request.model_name].read(request)
    wanted = wanted_outputs(request, session.outputs)
    if sum(array.nbytes for array in arrays.values()) < _MOST_BYTES:
        answers = session.run(arrays)
        response = ModelInferResponse()
        write_outputs(
            response, {name: answers[name] for name in wanted}, session.outputs, typed=not request.raw_input_contents
        )
