"""From the bytes of pictures to the numbers that an imported file takes: as ONNX nodes, and in numpy to compare with.

Legend: N batch, H height, W width, C channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import onnx.helper
import onnx.numpy_helper
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

Layout = Literal["nchw", "nhwc"]
Channels = Literal["grey", "rgb", "bgr"]

_BACKWARDS: Final = [2, 1, 0]
_TO_NCHW: Final = [0, 3, 1, 2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What becomes of a picture: (byte * scale - mean) / std, with axes and channels in the file's order."""

    layout: Layout
    channels: Channels
    scale: float
    # Per channel, in the file's order of channels, or one for all.
    mean: tuple[float, ...]
    std: tuple[float, ...]
    # What the file takes: u8, f16 or f32.
    datatype: np.dtype[Any]

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in {1, self.count}:
                raise ValueError(f"{name} has {len(values)} values, 1 or {self.count} expected")
        if 0 in self.std:
            raise ValueError("std has a 0, by which nothing can be divided")
        if self.datatype == np.uint8 and list(self._steps()):
            raise ValueError("the file takes bytes: scale, mean and std would make other numbers of them")

    @property
    def count(self) -> int:
        """C."""
        return 1 if self.channels == "grey" else 3

    def settings(self) -> dict[str, object]:
        """Gives what decides the numbers, as JSON types."""
        return {
            "layout": self.layout,
            "channels": self.channels,
            "scale": self.scale,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def apply(self, image_NHWC: NDArray[np.uint8]) -> NDArray[Any]:
        """Gives what the file takes of image_NHWC u8."""
        numbers: NDArray[Any] = image_NHWC.transpose(_TO_NCHW) if self.layout == "nchw" else image_NHWC
        if self.channels == "bgr":
            numbers = np.take(numbers, _BACKWARDS, axis=self._axis)
        for operator, constant in self._steps():
            numbers = _COMPUTE[operator](numbers.astype(np.float32), constant)
        return np.ascontiguousarray(numbers.astype(self.datatype))

    def nodes(self, taken: str, given: str) -> tuple[list[NodeProto], list[TensorProto]]:
        """Gives the same as ONNX nodes with their constants.

        Args:
            taken: name of image u8[N,H,W,C].
            given: name of what the file takes.
        """
        made = _Chain(taken)
        if self.layout == "nchw":
            made.add("Transpose", perm=_TO_NCHW)
        if self.channels == "bgr":
            made.add("Gather", np.array(_BACKWARDS, np.int64), axis=self._axis)
        if steps := list(self._steps()):
            made.add("Cast", to=TensorProto.FLOAT)
        for operator, constant in steps:
            made.add(operator, constant)
        made.add("Cast", to=onnx.helper.np_dtype_to_tensor_dtype(self.datatype))
        made.nodes[-1].output[0] = given
        return made.nodes, made.constants

    def _steps(self) -> Iterator[tuple[str, NDArray[np.float32]]]:
        """Goes through the operators that change anything, with their constants."""
        for operator, values, neutral in (("Mul", (self.scale,), 1), ("Sub", self.mean, 0), ("Div", self.std, 1)):
            if set(values) != {neutral}:
                yield operator, np.array(values, np.float32).reshape(self._shape(len(values)))

    def _shape(self, values: int) -> list[int]:
        shape = [1, 1, 1, 1]
        shape[self._axis] = values
        return shape

    @property
    def _axis(self) -> int:
        return 1 if self.layout == "nchw" else 3


_COMPUTE: Final = {"Mul": np.multiply, "Sub": np.subtract, "Div": np.divide}


class _Chain:
    """Nodes that each take what the one before gives."""

    def __init__(self, taken: str) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []
        self._last = taken

    def add(self, operator: str, constant: NDArray[Any] | None = None, **attributes: Any) -> None:
        name = f"front/{len(self.nodes)}/{operator}"
        inputs = [self._last]
        if constant is not None:
            inputs.append(f"{name}/constant")
            self.constants.append(onnx.numpy_helper.from_array(constant, inputs[1]))
        self.nodes.append(onnx.helper.make_node(operator, inputs, [name], name, **attributes))
        self._last = name
