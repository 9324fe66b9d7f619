"""From a PyTorch graph to one ONNX file that explains itself."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import onnx.helper
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from export import signature
from export.graphs import ClassifierGraph
from protos.manifest_pb2 import Classification

OPSET: Final = 20


def convert(graph: ClassifierGraph, task: Classification, path: Path, facts: Mapping[str, str]) -> None:
    """Writes a graph as one ONNX file: opset OPSET, any batch size, weights inside; the same bytes for the same net.

    Args:
        graph: what the file is to compute.
        task: says what the graph takes and gives.
        path: the file to write.
        facts: go into the file's metadata.

    Raises:
        onnx.checker.ValidationError: the file breaks the ONNX standard.
    """
    model = _trace(graph, task)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def _trace(graph: ClassifierGraph, task: Classification) -> onnx.ModelProto:
    taken = signature.takes(task)
    # An example batch of 1 would freeze the batch size.
    example = torch.from_numpy(np.zeros([2, *taken.wire_shape[1:]], taken.datatype.numpy))
    with _quiet():
        program = torch.onnx.export(
            graph,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[taken.name],
            output_names=[signature.PROBABILITIES],
            dynamic_shapes=({0: torch.export.Dim(signature.BATCH)},),
            verbose=False,
        )
    assert program is not None, "the dynamo exporter gives a program"
    # The exporter leaves stack traces with the paths of this machine.
    ClearMetadataAndDocStringPass()(program.model)
    return program.model_proto


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
