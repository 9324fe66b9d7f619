"""From a PyTorch graph to one ONNX file that explains itself.

Legend: N batch, H height, W width, C channels.
"""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import onnx
import onnx.helper
import torch
from onnx_ir.passes.common import ClearMetadataAndDocStringPass

from export.graphs import IMAGE, PROBABILITIES, ClassifierGraph
from protos.manifest_pb2 import ImageInput

OPSET: Final = 20

# What a dimension is called that a request chooses.
BATCH: Final = "N"


def convert(graph: ClassifierGraph, image: ImageInput, path: Path, facts: Mapping[str, str]) -> None:
    """Writes a graph as one ONNX file: opset OPSET, any batch size, weights inside; the same bytes for the same net.

    Args:
        graph: takes image u8[N,H,W,C], gives probabilities f32[N,K].
        image: says H, W and C.
        path: the file to write.
        facts: go into the file's metadata.

    Raises:
        onnx.checker.ValidationError: the file breaks the ONNX standard.
    """
    model = _trace(graph, image)
    onnx.helper.set_model_props(model, dict(facts))
    onnx.save(model, path)
    onnx.checker.check_model(path, full_check=True)


def _trace(graph: ClassifierGraph, image: ImageInput) -> onnx.ModelProto:
    # An example batch of 1 would freeze the batch size.
    image_NHWC = torch.zeros(2, image.height, image.width, image.channels, dtype=torch.uint8)
    with _quiet():
        program = torch.onnx.export(
            graph,
            (image_NHWC,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[IMAGE],
            output_names=[PROBABILITIES],
            dynamic_shapes=({0: torch.export.Dim(BATCH)},),
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
