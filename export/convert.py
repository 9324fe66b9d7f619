"""From a PyTorch graph to one ONNX file that explains itself."""

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx.helper
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass
from torch import nn

from export import signature
from export.graphs import ClassifierGraph
from protos.manifest_pb2 import Classification
from serving.runtime.session import Signature

OPSET: Final = 20
# Lengths of the sides of the picture that a graph is traced with, where a request chooses them.
_EXAMPLE: Final[dict[str | None, int]] = {signature.HEIGHT: 80, signature.WIDTH: 112}


def convert(graph: ClassifierGraph, task: Classification, path: Path, facts: Mapping[str, str]) -> None:
    """Writes a classifier's graph: see `write`."""
    write(graph, signature.takes(task), (signature.gives(task),), path, facts)


def write(graph: nn.Module, takes: Signature, gives: Sequence[Signature], path: Path, facts: Mapping[str, str]) -> None:
    """Writes a graph as one ONNX file: opset OPSET, any batch size, weights inside; the same bytes for the same net.

    Args:
        graph: what the file is to compute.
        takes: its input; where a side has a name, a request chooses it.
        gives: its outputs.
        path: the file to write.
        facts: go into the file's metadata.

    Raises:
        onnx.checker.ValidationError: the file breaks the ONNX standard.
    """
    model = _trace(graph, takes, gives)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def _trace(graph: nn.Module, takes: Signature, gives: Sequence[Signature]) -> onnx.ModelProto:
    # An example with a side of 1 would freeze it.
    shape = [side if isinstance(side, int) else _EXAMPLE.get(side, 2) for side in takes.shape]
    example = torch.from_numpy(np.zeros(shape, takes.datatype.numpy))
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[takes.name],
            output_names=[given.name for given in gives],
            dynamic_shapes=({axis: _free(side) for axis, side in enumerate(takes.shape) if not isinstance(side, int)},),
            verbose=False,
        )
    assert program is not None, "the dynamo exporter gives a program"
    # The exporter leaves stack traces with the paths of this machine.
    ClearMetadataAndDocStringPass()(program.model)
    model = program.model_proto
    _name_sides(model, takes, gives)
    return model


def _free(side: str | None) -> Any:
    """Gives how torch is told of an axis of any length."""
    # With a name, torch insists on proving that heights and widths of any length go through all strides and back.
    return torch.export.Dim.DYNAMIC if side in _EXAMPLE else torch.export.Dim(signature.BATCH)


def _name_sides(model: onnx.ModelProto, takes: Signature, gives: Sequence[Signature]) -> None:
    """Calls the free sides what the signatures call them, where torch has made up names of its own.

    A side that came out with a fixed length stays as it is, for the gate to find.
    """
    # Notes on what is in between, in torch's names.
    if set(_EXAMPLE) & set(takes.shape):
        del model.graph.value_info[:]
    for value, signed in zip((*model.graph.input, *model.graph.output), (takes, *gives), strict=True):
        for found, side in zip(value.type.tensor_type.shape.dim, signed.shape, strict=True):
            if isinstance(side, str) and not found.HasField("dim_value"):
                found.dim_param = side


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps back what the exporter says on every run and nobody can act on."""
    registration = logging.getLogger("torch.onnx._internal.exporter._registration")
    registration.disabled = True  # it misses torchvision, which no net here uses
    try:
        with warnings.catch_warnings():
            # torch 2.13 uses a class of its own that it has deprecated.
            warnings.filterwarnings("ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning)
            yield
    finally:
        registration.disabled = False
