"""One file of weights for several graphs: what two of them have in common is kept once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import onnx
from onnx.external_data_helper import set_external_data

FILE: Final = "weights.bin"
# Smaller constants stay in the graph.
_SMALLEST_BYTES: Final = 1024
# Where a tensor begins, as processors like it.
_ALIGNED_BYTES: Final = 64


def write(models: Mapping[str, onnx.ModelProto], folder: Path) -> None:
    """Writes graphs as ROLE.onnx, with their weights beside them.

    Args:
        models: by role; they are left as they are.
        folder: where the files go.

    Raises:
        onnx.checker.ValidationError: a graph breaks the ONNX standard.
    """
    shared = bytearray()
    places: dict[bytes, int] = {}
    for role, model in models.items():
        moved = onnx.ModelProto()
        moved.CopyFrom(model)
        for tensor in moved.graph.initializer:
            if len(tensor.raw_data) >= _SMALLEST_BYTES:
                _move(tensor, shared, places)
        (folder / f"{role}.onnx").write_bytes(moved.SerializeToString(deterministic=True))
    (folder / FILE).write_bytes(shared)
    for role in models:
        onnx.checker.check_model(folder / f"{role}.onnx", full_check=True)


def _move(tensor: onnx.TensorProto, shared: bytearray, places: dict[bytes, int]) -> None:
    """Moves a tensor's contents to the shared ones, unless they are there."""
    contents = tensor.raw_data
    if contents not in places:
        shared.extend(bytes(-len(shared) % _ALIGNED_BYTES))
        places[contents] = len(shared)
        shared.extend(contents)
    set_external_data(tensor, FILE, offset=places[contents], length=len(contents))
    tensor.ClearField("raw_data")
