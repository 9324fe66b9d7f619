"""One ONNX graph, ready to run on ONNX Runtime: the code that serves, and the code that the export gate runs."""

import ctypes
import itertools
import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hondo.artifact import Tensors
from hondo.errors import DeviceUnavailable, InvalidArtifact, InvalidRequest, ResourceExhausted
from serving.runtime import attempt, placement, providers
from serving.runtime.cores import available
from serving.runtime.datatypes import BF16, BY_ONNX, BYTES, Datatype
from serving.runtime.device import Device
from serving.runtime.instructions import overflows_in_8_bits
from serving.runtime.providers import Acceleration

_log = logging.getLogger(__name__)

_ONNX_BFLOAT16 = 16  # onnx.TensorProto.BFLOAT16
# What onnxruntime says where it gets no memory on the CPU, from C++ and from CUDA: it has no error of its own for that.
_NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "out of memory")
# A run's option: the number of the CUDA graph that it records or repeats, which a session keeps; -1 is none.
_GRAPH_ID: Final = "gpu_graph_id"
_NO_GRAPH: Final = "-1"
# How onnxruntime calls the memory of this process.
_HERE: Final = "Cpu"


@dataclass(frozen=True, slots=True)
class Signature:
    """Name, element type and shape of a graph's input or output, as the ONNX file states them."""

    name: str
    datatype: Datatype
    # A number is fixed; a name is the same in every tensor of a request that has it; None is free.
    shape: tuple[int | str | None, ...]

    @property
    def wire_shape(self) -> list[int]:
        """The shape with -1 for every dimension that a request chooses."""
        return [side if isinstance(side, int) else -1 for side in self.shape]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """The shape of one row, where that is fixed."""
        return tuple(side for side in self.shape[1:] if isinstance(side, int))


@dataclass(frozen=True, slots=True)
class OnDevice:
    """The first so many numbers of an array where a session computes, in a shape of their own; f32."""

    value: onnxruntime.OrtValue
    shape: tuple[int, ...]
    # Of the device.
    number: int = 0


# What a graph's input or output may be bound to.
Bound = NDArray[np.generic] | OnDevice


class Run(Protocol):
    """Runs a graph on what was bound to it."""

    def __call__(self, options: onnxruntime.RunOptions | None = None) -> None:
        """Runs it once; `options` end it where it is to end early."""


def in_words(signatures: Sequence[Signature]) -> str:
    """Gives a graph's inputs or outputs in words, for the texts of errors."""
    return ", ".join(f"{signature.name!r} {signature.datatype.name}{signature.wire_shape}" for signature in signatures)


class Session:
    """A loaded graph.

    One that captures keeps the work of runs that it is bound to as CUDA graphs: ONNX Runtime then allows one run at a
    time, and everything at the same place in each.
    """

    def __init__(
        self,
        path: Path,
        session: onnxruntime.InferenceSession,
        device: Device = Device.CPU,
        *,
        captures: bool = False,
    ) -> None:
        self.path = path
        self._session = session
        self.device = device
        self.captures = captures
        self.inputs = tuple(_signature(node) for node in session.get_inputs())
        self.outputs = tuple(_signature(node) for node in session.get_outputs())
        self.metadata: Mapping[str, str] = session.get_modelmeta().custom_metadata_map
        self.signatures = (*self.inputs, *self.outputs)
        self._input_types = {signature.name: signature.datatype for signature in self.inputs}
        self._bf16_outputs = {signature.name for signature in self.outputs if signature.datatype is BF16}
        self._graph_ids = itertools.count(1)
        self._alone: AbstractContextManager[object] = threading.Lock() if captures else nullcontext()
        limits = attempt.current.get()
        # What is loaded in an attempt ends its runs with it.
        self._run_options = None if limits is None else limits.run_options
        if captures:
            self._run_options = _without_graph(self._run_options)
        if self._bf16_outputs and BYTES in self._input_types.values():
            raise InvalidArtifact("onnxruntime's Python API cannot run a graph with string inputs and BF16 outputs")

    @classmethod
    def open(
        cls, path: Path, device: Device = Device.CPU, threads: int | None = None, how: Acceleration | None = None
    ) -> "Session":
        """Loads a graph.

        Args:
            path: the .onnx file.
            device: a single one, as `device.choose` gives it.
            threads: how many compute one run on the CPU; as many as cores that the process may use, unless given.
            how: how it runs on what is not the CPU.

        Raises:
            InvalidArtifact: not an ONNX file that ONNX Runtime loads; or a part of it would compute on the CPU, though
                that is not the device.
            DeviceUnavailable: the graph did not come up on the device.
        """
        how = how or Acceleration()
        if how.graphs and device.is_cuda:
            try:
                return cls._opened(path, device, threads, how, captures=True)
            except InvalidArtifact as error:
                _log.info("%s runs without CUDA graphs: %s", path, error)
        return cls._opened(path, device, threads, how, captures=False)

    @classmethod
    def _opened(
        cls, path: Path, device: Device, threads: int | None, how: Acceleration, *, captures: bool
    ) -> "Session":
        options = _options(threads or available())
        if not device.is_cpu:
            options.add_session_config_entry(placement.RECORD, "1")
        chain = providers.chain(device.provider, device.number, how, captures=captures)
        try:
            # Without `enable_fallback`, a device that fails, now or in a run, is silently replaced by the CPU.
            session = onnxruntime.InferenceSession(path, options, providers=chain, enable_fallback=0)
        except Exception as error:  # onnxruntime's exceptions share no base but Exception
            raise InvalidArtifact(f"{path} does not load: {error}") from error
        if device.provider not in session.get_providers():
            raise DeviceUnavailable(f"{path} did not come up on {device}")
        if not device.is_cpu and not how.cpu_fallback:
            placement.check(path, session, str(device))
        if captures:
            _check_captures(path, session)
        return cls(path, session, device, captures=captures)

    def run(
        self, feeds: Tensors, outputs: Sequence[str] | None = None, options: onnxruntime.RunOptions | None = None
    ) -> Tensors:
        """Runs the graph once.

        Args:
            feeds: an array for every input, by name (BF16 as its bits in u16, BYTES as `str` objects).
            outputs: names of the outputs wanted; all unless given.
            options: what may end the run early.

        Returns:
            The outputs by name, in the order wanted.

        Raises:
            InvalidRequest: the arrays do not fit the graph's inputs.
            ResourceExhausted: there is not the memory that they take.
        """
        options = self._run_options if options is None else _without_graph(options) if self.captures else options
        names = list(outputs) if outputs is not None else [signature.name for signature in self.outputs]
        fed = {name: self._feed(name, array) for name, array in feeds.items()}
        try:
            with self._alone:
                if self._bf16_outputs.isdisjoint(names):
                    arrays = self._session.run(names, fed, options)
                else:
                    arrays = self._run_bf16(names, fed, options)
        except onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument as error:
            raise InvalidRequest(f"the graph does not take these tensors: {error}") from error
        except Exception as error:
            _explain(error)
            raise
        return dict(zip(names, arrays, strict=True))

    def bind(self, inputs: Mapping[str, Bound], outputs: Mapping[str, Bound]) -> Run:
        """Gives what runs the graph on arrays that stay where they are, so that a run makes none.

        Args:
            inputs: read anew by every run; contiguous, of numbers.
            outputs: written by every run; of the shapes that these inputs give.
        """
        if self.captures:
            return self._bind_captured(inputs, outputs)
        binding, run = self._session.io_binding(), self._session.run_with_iobinding
        for name, output in outputs.items():
            binding.bind_output(name, *_place(output))
        for name, array in inputs.items():
            binding.bind_input(name, *_place(array))
        # For a device, onnxruntime copies what lies here when it is bound.
        on_host = {name: array for name, array in inputs.items() if not isinstance(array, OnDevice)}
        again = {} if self.device.is_cpu else on_host
        kept = (*inputs.values(), *outputs.values())

        def bound(options: onnxruntime.RunOptions | None = None) -> None:
            assert kept, "the arrays live as long as what is bound to them"
            for name, array in again.items():
                binding.bind_input(name, *_place(array))
            try:
                run(binding, options)
            except Exception as error:
                _explain(error)
                raise

        return bound

    def _bind_captured(self, inputs: Mapping[str, Bound], outputs: Mapping[str, Bound]) -> Run:
        """Likewise; a CUDA graph reads and writes on its GPU alone, so what lies here is copied around it."""
        binding, run = self._session.io_binding(), self._session.run_with_iobinding
        before: list[tuple[onnxruntime.OrtValue, NDArray[np.generic]]] = []
        after: list[tuple[onnxruntime.OrtValue, NDArray[np.generic]]] = []
        for bounds, copied, bind, bind_raw in (
            (inputs, before, binding.bind_ortvalue_input, binding.bind_input),
            (outputs, after, binding.bind_ortvalue_output, binding.bind_output),
        ):
            for name, bound in bounds.items():
                if isinstance(bound, OnDevice):
                    bind_raw(name, *_place(bound))
                else:
                    copied.append((self._twin(bound), bound))
                    bind(name, copied[-1][0])
        graph_id = str(next(self._graph_ids))
        kept = (*inputs.values(), *outputs.values())

        def repeated(options: onnxruntime.RunOptions | None = None) -> None:
            assert kept, "the arrays live as long as what is bound to them"
            options = onnxruntime.RunOptions() if options is None else options
            options.add_run_config_entry(_GRAPH_ID, graph_id)
            with self._alone:
                for value, array in before:
                    value.update_inplace(array)
                run(binding, options)
                for value, array in after:
                    array[...] = value.numpy()

        return repeated

    def _twin(self, array: NDArray[np.generic]) -> onnxruntime.OrtValue:
        """Gives room on the device for an array."""
        place = ("cuda", self.device.number) if self.device.is_cuda else ("cpu", 0)
        return onnxruntime.OrtValue.ortvalue_from_shape_and_type(array.shape, array.dtype.type, *place)

    def _feed(self, name: str, array: NDArray[np.generic]) -> object:
        if self._input_types.get(name) is BF16:
            # Not np.ascontiguousarray, which makes a scalar a vector.
            contiguous = np.asarray(array, order="C")
            return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(contiguous, _ONNX_BFLOAT16)
        return array

    def _run_bf16(
        self, names: list[str], fed: Mapping[str, object], options: onnxruntime.RunOptions | None
    ) -> list[NDArray[np.generic]]:
        """Takes the longer way round that BF16 outputs need: numpy has no such type, so their bits are copied out."""
        make = onnxruntime.OrtValue.ortvalue_from_numpy
        values = {name: make(value) if isinstance(value, np.ndarray) else value for name, value in fed.items()}
        return [_array(value) for value in self._session.run_with_ort_values(names, values, options)]


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # failures come as exceptions; the default prints each a second time
    # Threads that spin within a run save its many hand-overs (2 % of ResNet-18 on two cores); between runs they would
    # take the cores from the gRPC threads.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if overflows_in_8_bits():
        # Signed weights are made unsigned first; with VNNI that would take more than half of the speed.
        options.add_session_config_entry("session.x64quantprecision", "1")
    if (limits := attempt.current.get()) is not None:
        limits.bind(options)
    return options


def _without_graph(options: onnxruntime.RunOptions | None) -> onnxruntime.RunOptions:
    """Has runs with these options, which several sessions of an attempt share, neither record nor repeat a graph."""
    options = options or onnxruntime.RunOptions()
    try:
        options.get_run_config_entry(_GRAPH_ID)
    except RuntimeError:  # there is none yet; a second one would be warned of
        options.add_run_config_entry(_GRAPH_ID, _NO_GRAPH)
    return options


def _check_captures(path: Path, session: onnxruntime.InferenceSession) -> None:
    """Makes sure that a graph's inputs and outputs are on its GPU: what is read here is read once, when it is recorded.

    Raises:
        InvalidArtifact: some are not.
    """
    nodes = (*session.get_inputs(), *session.get_outputs())
    memories = (*session.get_input_memory_infos(), *session.get_output_memory_infos())
    here = [node.name for node, memory in zip(nodes, memories, strict=True) if memory.name == _HERE]
    if here:
        raise InvalidArtifact(f"{path} has {', '.join(map(repr, here))} on the CPU")


def _explain(error: Exception) -> None:
    """Says what a run has failed for, where onnxruntime's text alone tells.

    Raises:
        ResourceExhausted: there was not the memory.
    """
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        raise ResourceExhausted("the server has not the memory that this run takes: send less at once") from error


def _place(bound: Bound) -> tuple[str, int, type, tuple[int, ...], int]:
    """Gives where something bound lies, as onnxruntime wants it told."""
    if isinstance(bound, OnDevice):
        return bound.value.device_name(), bound.number, np.float32, bound.shape, bound.value.data_ptr()
    return "cpu", 0, bound.dtype.type, bound.shape, bound.ctypes.data


def _signature(node: onnxruntime.NodeArg) -> Signature:
    if node.type not in BY_ONNX:
        raise InvalidArtifact(f"the graph's {node.name!r} is of type {node.type}, which the protocol cannot carry")
    return Signature(node.name, BY_ONNX[node.type], tuple(node.shape))


def _array(value: onnxruntime.OrtValue) -> NDArray[np.generic]:
    if value.element_type() != _ONNX_BFLOAT16:
        array: NDArray[np.generic] = value.numpy()
        return array
    shape = value.shape()
    bits = (ctypes.c_uint16 * int(np.prod(shape, dtype=np.int64))).from_address(value.data_ptr())
    return np.ctypeslib.as_array(bits).reshape(shape).copy()
