"""Where the nodes of a graph were placed: none may compute on the CPU unnoticed where another device was asked for.

ONNX Runtime says which provider it gave each node to. Some of those on the CPU do no harm:

- They work out shapes: they hang on Shape or Size and on constants alone, handle a few numbers that the device wants on
  the CPU anyway, and are placed there on purpose (`GetCpuPreferredNodes` in onnxruntime's fallback_cpu_capability.cc).
- They only rearrange what came in, which is here, before it goes to the device.

The others compute, and each run waits for them and while their tensors are copied to and fro. Which is which, the file
tells: ONNX Runtime does not.
"""

import mmap
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import onnxruntime

from hondo.errors import InvalidArtifact
from serving.runtime.fields import messages
from serving.runtime.providers import CPU_PROVIDER

# A session's setting that has it note what it gave to whom.
RECORD: Final = "session.record_ep_graph_assignment_info"

_SHAPES: Final = frozenset({"Shape", "Size"})
_CONSTANT: Final = "Constant"
_REARRANGING: Final = frozenset(
    {"Concat", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
)
# Names that an error gives of each operator.
_MOST_NAMED: Final = 3

# Numbers of fields in onnx.proto.
_MODEL_GRAPH: Final = 7
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT = 1, 5, 11
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_OPERATOR, _NODE_ATTRIBUTE = 1, 2, 3, 4, 5
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_TENSOR_NAME: Final = 8
_INPUT_NAME, _INPUT_TYPE = 1, 2
# A type's tensor, its shape, and that shape's sides.
_TYPE_TENSOR, _TENSOR_SHAPE, _SHAPE_SIDE = 1, 2, 1


@dataclass(frozen=True, slots=True)
class Node:
    """A node that was placed."""

    operator: str
    name: str


@dataclass(slots=True)
class _Read:
    """What a file says of its nodes."""

    # Tensors that are a few numbers on the CPU: constants and inputs that are at most a number a row ...
    small: set[str] = field(default_factory=set)
    # ... and what is made of shapes.
    shapes: set[str] = field(default_factory=set)
    # What came in, rearranged or not.
    came: set[str] = field(default_factory=set)
    # Whether all nodes with an operator and a name do no harm on the CPU; names may be missing.
    harmless: dict[Node, bool] = field(default_factory=dict)


def check(path: Path, session: onnxruntime.InferenceSession, device: str) -> None:
    """Makes sure that nothing computes on the CPU.

    Args:
        path: the graph's file.
        session: open, with `RECORD` set.
        device: what it was opened for.

    Raises:
        InvalidArtifact: nodes do; the text names them.
    """
    given = [each for each in session.get_provider_graph_assignment_info() if each.ep_name == CPU_PROVIDER]
    on_cpu = [Node(node.op_type, node.name) for each in given for node in each.get_nodes()]
    computing = list(_computing(path, on_cpu)) if on_cpu else []
    if computing:
        raise InvalidArtifact(
            f"{path}: {len(computing)} of its nodes would run on the CPU, not on {device}, and each run would wait for "
            f"copies between the two: {_in_words(computing)}. Rewrite the graph without them, serve it with "
            "--device cpu, or allow it with --cpu-fallback"
        )


def _computing(path: Path, on_cpu: Sequence[Node]) -> Iterator[Node]:
    """Goes through those nodes that do harm; what is not in the file, but an optimiser's own, counts among them."""
    known = harmless(path)
    yield from (each for each in on_cpu if each.operator not in _SHAPES and not known.get(each, False))


def harmless(path: Path) -> Mapping[Node, bool]:
    """Says of each node of a graph whether it does no harm on the CPU.

    Raises:
        InvalidArtifact: the file is no ONNX file.
    """
    read = _Read()
    try:
        with path.open("rb") as file:
            for number, content in messages(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))):
                if number == _MODEL_GRAPH:
                    read.came.update(
                        name for value in _contents(content, _GRAPH_INPUT) for name in _texts(value, _INPUT_NAME)
                    )
                    _read_graph(content, read)
    except (OSError, ValueError) as error:
        raise InvalidArtifact(f"{path} is no ONNX file: {error}") from error
    return read.harmless


def _read_graph(graph: memoryview, read: _Read) -> None:
    """Reads a graph, or one within a node: names are unique over all, and nodes come after what they need."""
    fields = list(messages(graph))
    for number, content in fields:
        if number == _GRAPH_INITIALIZER:
            read.small.update(_texts(content, _TENSOR_NAME))
        elif number == _GRAPH_INPUT and _is_small(content):
            read.small.update(_texts(content, _INPUT_NAME))
    for number, content in fields:
        if number == _GRAPH_NODE:
            _read_node(content, read)


def _read_node(data: memoryview, read: _Read) -> None:
    (operator,), names = _texts(data, _NODE_OPERATOR), _texts(data, _NODE_NAME)
    node = Node(operator, names[0] if names else "")
    inputs = {each for each in _texts(data, _NODE_INPUT) if each}
    outputs = _texts(data, _NODE_OUTPUT)
    is_shape = operator in _SHAPES or (not inputs.isdisjoint(read.shapes) and inputs <= read.shapes | read.small)
    comes = operator in _REARRANGING and inputs <= read.came | read.shapes | read.small
    if is_shape:
        read.shapes.update(outputs)
    elif operator == _CONSTANT:
        read.small.update(outputs)
    elif comes:
        read.came.update(outputs)
    read.harmless[node] = (is_shape or comes or operator == _CONSTANT) and read.harmless.get(node, True)
    for number, attribute in messages(data):
        if number == _NODE_ATTRIBUTE:
            for within, graph in messages(attribute):
                if within in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    _read_graph(graph, read)


def _is_small(value: memoryview) -> bool:
    """Says whether an input is a number, or one for each row."""
    rank = None
    for kind in _contents(value, _INPUT_TYPE):
        for tensor in _contents(kind, _TYPE_TENSOR):
            for shape in _contents(tensor, _TENSOR_SHAPE):
                rank = len(list(_contents(shape, _SHAPE_SIDE)))
    return rank is not None and rank <= 1


def _contents(data: memoryview, wanted: int) -> Iterator[memoryview]:
    return (content for number, content in messages(data) if number == wanted)


def _texts(data: memoryview, wanted: int) -> list[str]:
    return [str(content, "utf-8") for content in _contents(data, wanted)]


def _in_words(nodes: Iterable[Node]) -> str:
    """Gives nodes by their operators: how many of each, and the names of some."""
    nodes = list(nodes)
    parts = []
    for operator, count in Counter(node.operator for node in nodes).most_common():
        names = [node.name for node in nodes if node.operator == operator and node.name]
        more = ", ..." if len(names) > _MOST_NAMED else ""
        told = f": {', '.join(names[:_MOST_NAMED])}{more}" if names else ""
        parts.append(f"{operator} ({count}{told})")
    return "; ".join(parts)
