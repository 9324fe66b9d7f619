"""Confines: a model lies in its folder, and its graphs reach for nothing beyond it.

An ONNX file may name files for its weights and operators that only somebody's code brings. Such files are looked into
before ONNX Runtime sees them: by the wire format of onnx.proto (field numbers below), because serving does without the
onnx package and weights need not be read.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hondo.errors import InvalidArtifact
from serving.runtime.fields import messages

_TRUST: Final = "if you trust whoever made it, serve with --trust-models"

# The domains of operators that onnxruntime itself implements.
_DOMAINS: Final = frozenset(
    {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.ms.internal.nhwc"}
)
# Runs compiled code that it takes from a file or from the graph.
_COMPILED: Final = "EPContext"

# Message -> number of a field -> the message that it holds. Those that are not listed hold neither nodes nor tensors.
_WITHIN: Final[Mapping[str, Mapping[int, str]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Training": {1: "Graph", 2: "Graph"},
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "Tensor": {},
}
_NODE_OPERATOR: Final = 4
_NODE_DOMAIN: Final = 7
_FUNCTION_DOMAIN: Final = 10
_TENSOR_EXTERNAL: Final = 13
_ENTRY_KEY: Final = 1
_ENTRY_VALUE: Final = 2
# protobuf's own limit.
_MAX_DEPTH: Final = 100


@dataclass(slots=True)
class _Reach:
    """What a graph needs that is not in its file."""

    # DOMAIN, OPERATOR
    operators: set[tuple[str, str]] = field(default_factory=set)
    # Domains of functions that the file itself defines.
    defined: set[str] = field(default_factory=set)
    locations: set[str] = field(default_factory=set)


def check_links(place: Path) -> None:
    """Makes sure that a version's folder, MODELS/NAME/VERSION, and what is in it lie below MODELS.

    Raises:
        InvalidArtifact: one of them is a link to beyond.
    """
    root = place.parent.parent.resolve()
    for path in (place, *sorted(place.iterdir())):
        if not path.resolve().is_relative_to(root):
            raise InvalidArtifact(f"{path} is a link to beyond the folder of models; {_TRUST}")


def check_graphs(place: Path) -> None:
    """Makes sure that the graphs in a folder reach for nothing beyond it.

    Raises:
        InvalidArtifact: a graph keeps data beyond its folder, or wants operators that are not onnxruntime's.
    """
    for path in sorted(place.glob("*.onnx")):
        _check_graph(path)


def _check_graph(path: Path) -> None:
    reach = _reach(path)
    for location in sorted(reach.locations):
        # onnxruntime takes some locations for places in memory: none but a file's name will do.
        if not _is_file_within(path.parent.resolve(), location):
            raise InvalidArtifact(f"{path} keeps data in {location!r}, which is no file in its folder; {_TRUST}")
    foreign = {operator for operator in reach.operators if operator[0] not in _DOMAINS | reach.defined}
    compiled = {operator for operator in reach.operators if operator[1] == _COMPILED}
    if foreign | compiled:
        names = ", ".join(f"{domain}.{operator}" for domain, operator in sorted(foreign | compiled))
        raise InvalidArtifact(f"{path} wants operators that are not onnxruntime's own: {names}; {_TRUST}")


def _is_file_within(folder: Path, location: str) -> bool:
    try:
        data = (folder / location).resolve()
        return data.is_relative_to(folder) and data.is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _reach(path: Path) -> _Reach:
    reach = _Reach()
    try:
        with path.open("rb") as file:
            _look(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), "Model", reach, 0)
    except (OSError, ValueError) as error:
        raise InvalidArtifact(f"{path} is no ONNX file: {error}") from error
    return reach


def _look(data: memoryview, kind: str, reach: _Reach, depth: int) -> None:
    """Looks through a message and all within it; of fields that come twice, protobuf joins or takes the last."""
    if depth > _MAX_DEPTH:
        raise ValueError("its graphs lie too deep within each other")
    domain = operator = ""
    for number, content in messages(data):
        if within := _WITHIN[kind].get(number):
            _look(content, within, reach, depth + 1)
        elif kind == "Node" and number in (_NODE_OPERATOR, _NODE_DOMAIN):
            text = str(content, "utf-8")
            domain, operator = (text, operator) if number == _NODE_DOMAIN else (domain, text)
        elif kind == "Function" and number == _FUNCTION_DOMAIN:
            reach.defined.add(str(content, "utf-8"))
        elif kind == "Tensor" and number == _TENSOR_EXTERNAL:
            reach.locations.update(_location(content))
    if kind == "Node":
        reach.operators.add((domain, operator))


def _location(entry: memoryview) -> Iterator[str]:
    """Gives what an entry of a tensor's external data says of where that is."""
    said = {number: str(content, "utf-8") for number, content in messages(entry)}
    if said.get(_ENTRY_KEY) == "location":
        yield said.get(_ENTRY_VALUE, "")
