"""The states of the rows that write together, where the graph "step" computes: in this process's memory, or on a GPU.

They lie in two buffers that swap: a run reads the one in front and writes the other.

Legend: S slots, W numbers of one row's part of the state.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from serving.decode.graphs import Graphs, sides
from serving.decode.job import State
from serving.runtime import providers
from serving.runtime.device import Device
from serving.runtime.providers import Acceleration
from serving.runtime.session import Bound, OnDevice, Session

Buffer = NDArray[np.float32] | OnDevice


class HostStates:
    """States in this process's memory."""

    def __init__(self, graphs: Graphs, slots: int) -> None:
        self._parts = [[np.zeros((slots, *sides(each)), np.float32) for each in graphs.states] for _ in range(2)]
        # Which buffer the next run reads.
        self.front = 0

    def rows(self, buffer: int, count: int) -> list[Buffer]:
        """Gives the first rows of each part, in one of the two buffers."""
        return [part[:count] for part in self._parts[buffer]]

    def swap(self) -> None:
        """Brings what a run has written to the front."""
        self.front = 1 - self.front

    def write(self, place: int, state: State) -> None:
        """Sets a row's state."""
        for part, of_row in zip(self._parts[self.front], state, strict=True):
            part[place] = of_row

    def read(self, place: int) -> State:
        """Gives a row's state."""
        return [part[place].copy() for part in self._parts[self.front]]

    def move(self, source: int, target: int) -> None:
        """Gives one row's place the state of another."""
        for part in self._parts[self.front]:
            part[target] = part[source]

    def rearrange(self, places: Sequence[int], sources: Sequence[int]) -> None:
        """Gives rows' places the states that others have now."""
        for part in self._parts[self.front]:
            part[list(places)] = part[list(sources)]


class DeviceStates:
    """States on a GPU; rows are set and moved there by a graph of two nodes, from one buffer to the other."""

    def __init__(self, graphs: Graphs, slots: int, device: Device = Device.CUDA) -> None:
        chain = providers.chain(device.provider, device.number, Acceleration(), captures=False)
        session = onnxruntime.InferenceSession(_REARRANGE, providers=chain, enable_fallback=0)
        rearrange = Session(Path("rearrange"), session, device)
        self._number = device.number
        self._sides = [sides(each) for each in graphs.states]
        shapes = [(slots, *each) for each in self._sides]
        self._values = [[_zeros(shape, device) for shape in shapes] for _ in range(2)]
        self._slots = slots
        self._widths = [math.prod(each) for each in self._sides]
        # Of each part, what comes from outside and what goes there.
        self._fresh = [np.zeros((1, width), np.float32) for width in self._widths]
        self._taken = [np.zeros((1, width), np.float32) for width in self._widths]
        # For each row, which one it becomes: those of the front, and after them the fresh one.
        self._source_S = np.arange(slots)
        self._wanted = np.zeros(1, np.int64)
        self.front = 0
        self._arrange = [[self._arranging(rearrange, front, part) for part in range(len(shapes))] for front in range(2)]
        self._take = [[self._taking(rearrange, front, part) for part in range(len(shapes))] for front in range(2)]

    def rows(self, buffer: int, count: int) -> list[Buffer]:
        """Gives the first rows of each part, in one of the two buffers."""
        placed = zip(self._values[buffer], self._sides, strict=True)
        return [OnDevice(value, (count, *each), self._number) for value, each in placed]

    def swap(self) -> None:
        """Brings what a run has written to the front."""
        self.front = 1 - self.front

    def write(self, place: int, state: State) -> None:
        """Sets a row's state."""
        for fresh, of_row in zip(self._fresh, state, strict=True):
            fresh[0] = of_row.ravel()
        self._set(place, self._slots)

    def read(self, place: int) -> State:
        """Gives a row's state."""
        self._wanted[0] = place
        for take in self._take[self.front]:
            take()
        return [taken.reshape(each).copy() for taken, each in zip(self._taken, self._sides, strict=True)]

    def move(self, source: int, target: int) -> None:
        """Gives one row's place the state of another."""
        self._set(target, source)

    def rearrange(self, places: Sequence[int], sources: Sequence[int]) -> None:
        """Gives rows' places the states that others have now."""
        self._set(list(places), list(sources))

    def _set(self, place: int | list[int], source: int | list[int]) -> None:
        self._source_S[:] = np.arange(self._slots)
        self._source_S[place] = source
        for arrange in self._arrange[self.front]:
            arrange()
        self.swap()

    def _arranging(self, rearrange: Session, front: int, part: int) -> Callable[[], None]:
        before, after = self._flat(front, part), self._flat(1 - front, part)
        return rearrange.bind({"before": before, "fresh": self._fresh[part], "rows": self._source_S}, {"after": after})

    def _taking(self, rearrange: Session, front: int, part: int) -> Callable[[], None]:
        inputs: dict[str, Bound] = {"before": self._flat(front, part), "fresh": self._fresh[part], "rows": self._wanted}
        return rearrange.bind(inputs, {"after": self._taken[part]})

    def _flat(self, buffer: int, part: int) -> OnDevice:
        return OnDevice(self._values[buffer][part], (self._slots, self._widths[part]), self._number)


def of(graphs: Graphs, slots: int) -> HostStates | DeviceStates:
    """Gives the place for the states of so many rows, where the graph computes."""
    device = graphs.step.device
    return DeviceStates(graphs, slots, device) if device.is_cuda else HostStates(graphs, slots)


def _zeros(shape: tuple[int, ...], device: Device) -> onnxruntime.OrtValue:
    place = ("cuda", device.number) if device.is_cuda else ("cpu", 0)
    value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, *place)
    value.update_inplace(np.zeros(shape, np.float32))
    return value


# after f32[k,w] = Gather(Concat(before f32[n,w], fresh f32[m,w]), rows i64[k]): serving does not depend on the onnx
# package, which writes it in the test of this file.
_REARRANGE: Final = bytes.fromhex(
    "08093abe010a290a066265666f72650a0566726573681203616c6c2206436f6e6361742a0b0a04617869731800a00102"
    "0a270a03616c6c0a04726f77731205616674657222064761746865722a0b0a04617869731800a001021201675a1a0a06"
    "6265666f726512100a0e0801120a0a0312016e0a031201775a190a05667265736812100a0e0801120a0a0312016d0a03"
    "1201775a130a04726f7773120b0a09080712050a0312016b62190a05616674657212100a0e0801120a0a0312016b0a03"
    "12017742040a001014"
)
