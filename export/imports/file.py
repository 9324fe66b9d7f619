"""An ONNX file from elsewhere: read whole, held to what ONNX Runtime computes alone, and brought to a current opset."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import onnx
import onnx.checker
import onnx.inliner
import onnx.version_converter
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, NodeProto
from onnxscript import rewriter
from onnxscript.rewriter.rules.common import (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)

from export.convert import OPSET
from hondo.errors import InvalidRequest

# What ONNX Runtime has kernels for: the standard's operators, and its own.
_DOMAINS: Final = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
# From here on weights can have a scale for each channel, and a softmax goes along one axis.
_OLDEST: Final = 13
_FOLDS: Final = (
    fuse_batchnorm_into_conv_rule,
    fuse_batchnorm_into_conv_transpose_rule,
    fuse_batchnorm_into_gemm_rule,
)


def read(path: Path) -> ModelProto:
    """Reads a file, with its weights where they lie beside it, in an opset of _OLDEST or newer, its norms folded.

    Raises:
        InvalidRequest: it is no whole ONNX file, needs operators that nobody here has, or cannot be brought to a newer
            opset; the text says which.
    """
    model = _load(path)
    _check_operators(path, model)
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    _drop_initialised_inputs(model.graph)
    model = _upgraded(path, model)
    folded: ModelProto = rewriter.rewrite(model, pattern_rewrite_rules=list(_FOLDS))
    return folded


def _load(path: Path) -> ModelProto:
    try:
        model = onnx.load(path)
    except DecodeError as error:
        raise InvalidRequest(f"{path} is no ONNX file, or is damaged: {error}") from error
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        # Mostly weights beside the file that are not there.
        raise InvalidRequest(f"{path} cannot be read whole: {error}") from error
    if not model.graph.node:
        raise InvalidRequest(f"{path} is no ONNX file: it has no graph")
    return model


def _check_operators(path: Path, model: ModelProto) -> None:
    own = {function.domain for function in model.functions}
    graphs: list[Iterable[NodeProto]] = [model.graph.node, *(function.node for function in model.functions)]
    foreign = Counter(
        f"{node.domain}:{node.op_type}"
        for nodes in graphs
        for node in _walk(nodes)
        if node.domain not in _DOMAINS | own
    )
    if foreign:
        told = ", ".join(f"{name} ({count} times)" for name, count in sorted(foreign.items()))
        raise InvalidRequest(
            f"{path} uses operators that are neither the ONNX standard's nor ONNX Runtime's own: {told}. They would "
            "need a library of their own, which Hondo does not load: export the model again without them"
        )


def _walk(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _walk(graph.node)


def _drop_initialised_inputs(graph: GraphProto) -> None:
    """Leaves as inputs only what a request brings: before ONNX 1.3, weights were listed as inputs too."""
    weights = {weight.name for weight in graph.initializer}
    kept = [taken for taken in graph.input if taken.name not in weights]
    del graph.input[:]
    graph.input.extend(kept)


def _opset(model: ModelProto) -> int:
    """Gives the version of the standard's operators that a model uses."""
    return max((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), default=OPSET)


def _upgraded(path: Path, model: ModelProto) -> ModelProto:
    found = _opset(model)
    # Weights may be no inputs only since this version of the format.
    model.ir_version = max(model.ir_version, 4)
    if found >= _OLDEST:
        return model
    try:
        return onnx.version_converter.convert_version(model, OPSET)
    except Exception as error:  # the converter raises whatever an operator's adapter met
        raise InvalidRequest(
            f"{path} is of opset {found}, and cannot be brought to opset {OPSET}: {error}. Export the model again, "
            f"with opset {_OLDEST} or newer"
        ) from error
