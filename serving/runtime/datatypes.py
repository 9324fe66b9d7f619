"""The element types of tensors: ONNX Runtime's name, the Open Inference Protocol's name and numpy's, in one table."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np


@dataclass(frozen=True)
class Datatype:
    """One element type."""

    # The Open Inference Protocol's name.
    name: str
    # ONNX Runtime's name.
    onnx: str
    # The array type that holds it in this process: BF16 travels as its 16 bits, BYTES as Python objects.
    numpy: np.dtype[np.generic]
    # The field of InferTensorContents that may carry it; none for those that only go raw.
    contents: str | None

    @cached_property
    def wire(self) -> np.dtype[np.generic]:
        """The array type of its raw contents: little-endian."""
        return self.numpy.newbyteorder("<")


_TABLE: Final = (
    Datatype("BOOL", "bool", np.dtype(np.bool_), "bool_contents"),
    Datatype("UINT8", "uint8", np.dtype(np.uint8), "uint_contents"),
    Datatype("UINT16", "uint16", np.dtype(np.uint16), "uint_contents"),
    Datatype("UINT32", "uint32", np.dtype(np.uint32), "uint_contents"),
    Datatype("UINT64", "uint64", np.dtype(np.uint64), "uint64_contents"),
    Datatype("INT8", "int8", np.dtype(np.int8), "int_contents"),
    Datatype("INT16", "int16", np.dtype(np.int16), "int_contents"),
    Datatype("INT32", "int32", np.dtype(np.int32), "int_contents"),
    Datatype("INT64", "int64", np.dtype(np.int64), "int64_contents"),
    Datatype("FP16", "float16", np.dtype(np.float16), None),
    Datatype("BF16", "bfloat16", np.dtype(np.uint16), None),
    Datatype("FP32", "float", np.dtype(np.float32), "fp32_contents"),
    Datatype("FP64", "double", np.dtype(np.float64), "fp64_contents"),
    Datatype("BYTES", "string", np.dtype(np.object_), "bytes_contents"),
)

BY_NAME: Final = {datatype.name: datatype for datatype in _TABLE}
# Keyed as ONNX Runtime prints a tensor's type, for example "tensor(float)".
BY_ONNX: Final = {f"tensor({datatype.onnx})": datatype for datatype in _TABLE}
BYTES: Final = BY_NAME["BYTES"]
BF16: Final = BY_NAME["BF16"]
