"""Execution providers, what ONNX Runtime computes with: their names, where they come from, how sessions have them."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import onnxruntime

from hondo.errors import InvalidSettings

CPU_PROVIDER: Final = "CPUExecutionProvider"
CUDA_PROVIDER: Final = "CUDAExecutionProvider"
_TENSORRT: Final = "TensorrtExecutionProvider"
_TENSORRT_RTX: Final = "NvTensorRTRTXExecutionProvider"
# What computes on a GPU that CUDA numbers.
OF_NVIDIA: Final = frozenset({CUDA_PROVIDER, _TENSORRT, _TENSORRT_RTX})

_SUFFIX: Final = "ExecutionProvider"
# The Python package that has it; of all these packages only one can be installed at a time.
_PACKAGES: Final[Mapping[str, str]] = {
    _TENSORRT: "onnxruntime-gpu, and needs NVIDIA's package tensorrt beside it",
    _TENSORRT_RTX: "onnxruntime-trt-rtx",
    "AzureExecutionProvider": "onnxruntime",
    "CANNExecutionProvider": "onnxruntime-cann",
    "CoreMLExecutionProvider": "onnxruntime, on macOS",
    "DmlExecutionProvider": "onnxruntime-directml, on Windows",
    "MIGraphXExecutionProvider": "onnxruntime-migraphx",
    "OpenVINOExecutionProvider": "onnxruntime-openvino",
    "QNNExecutionProvider": "onnxruntime-qnn",
    "WebGpuExecutionProvider": "onnxruntime-webgpu",
}

# A comma ends an option only where the next one begins: some values have commas.
_BETWEEN_OPTIONS: Final = re.compile(r",(?=\w+=)")
OPTIONS: Final = re.compile(r"\w+=[^=]*(,\w+=[^=]*)*")
OPTIONS_TEXT: Final = "KEY=VALUE or KEY=VALUE,KEY=VALUE expected"


@dataclass(frozen=True, kw_only=True)
class Acceleration:
    """How graphs run on what is not the CPU."""

    # How cuDNN chooses a convolution's algorithm: by rule, by trying all at each new shape, or its usual one.
    conv_search: str = "HEURISTIC"
    # How a session's memory grows: by what is asked for, or to the next power of two.
    arena: str = "kSameAsRequested"
    # Memory that a session may take on its GPU, MiB.
    memory_mb: int | None = None
    tf32: bool = True
    nhwc: bool = False
    # Record a run's work on the GPU once for each size of batch, and give it the whole again as one.
    graphs: bool = False
    # Nodes that cannot run there may run on the CPU.
    cpu_fallback: bool = False
    # What else the provider is told, in its own words.
    options: Mapping[str, str] = field(default_factory=dict)

    def cuda(self, number: int, *, captures: bool) -> dict[str, str]:
        """Gives the options of the CUDA provider.

        Args:
            number: of the GPU.
            captures: whether work is recorded in CUDA graphs.
        """
        made = {
            "device_id": str(number),
            "cudnn_conv_algo_search": self.conv_search,
            "arena_extend_strategy": self.arena,
            "use_tf32": str(int(self.tf32)),
            "prefer_nhwc": str(int(self.nhwc)),
        }
        if self.memory_mb is not None:
            made["gpu_mem_limit"] = str(self.memory_mb * 2**20)
        if captures:
            made["enable_cuda_graph"] = "1"
        return made


def short(provider: str) -> str:
    """Gives a provider's name for people: "cuda" for CUDAExecutionProvider."""
    return provider.removesuffix(_SUFFIX).lower()


def named(name: str) -> str:
    """Gives ONNX Runtime's name of a provider.

    Raises:
        InvalidSettings: it knows none of that name.
    """
    by_short: dict[str, str] = {short(provider): provider for provider in onnxruntime.get_all_providers()}
    wanted = short(name.replace("-", "").replace("_", ""))
    if wanted not in by_short:
        near = difflib.get_close_matches(wanted, by_short, n=1)
        meant = f"; {near[0]} is meant?" if near else ";"
        raise InvalidSettings(f"--provider {name}: there is no such execution provider{meant} {_has()}")
    return by_short[wanted]


def why_missing(provider: str) -> str:
    """Says that this ONNX Runtime does not have a provider, and what does."""
    if provider == CUDA_PROVIDER:
        return (
            f"this onnxruntime {onnxruntime.__version__} is built without CUDA: "
            "on a machine with an NVIDIA GPU, uninstall it and install hondo[serve], which brings onnxruntime-gpu"
        )
    package = _PACKAGES.get(provider)
    if package is None:
        return f"{_has()}; no package is known that has {short(provider)}: build onnxruntime with it"
    return (
        f"{_has()}; {short(provider)} comes with the package {package}. "
        "Such packages are one module: uninstall the one that is there first"
    )


def _has() -> str:
    has = ", ".join(short(provider) for provider in onnxruntime.get_available_providers())
    return f"this onnxruntime {onnxruntime.__version__} has {has}"


def parsed(options: str | None) -> dict[str, str]:
    """Gives a provider's options as `OPTIONS` has them."""
    pairs = (each.partition("=") for each in _BETWEEN_OPTIONS.split(options or "") if each)
    return {key: value for key, _, value in pairs}


def chain(provider: str, number: int, how: Acceleration, *, captures: bool) -> list[str | tuple[str, dict[str, Any]]]:
    """Gives the providers that a session asks for its nodes, the first one first.

    Args:
        provider: what is to compute.
        number: which one of several of a kind.
        how: how it is to be used.
        captures: whether work is recorded in CUDA graphs.
    """
    if provider == CPU_PROVIDER:
        return [CPU_PROVIDER]
    cuda = (CUDA_PROVIDER, how.cuda(number, captures=captures))
    if provider == CUDA_PROVIDER:
        return [(CUDA_PROVIDER, {**cuda[1], **how.options}), CPU_PROVIDER]
    if provider not in OF_NVIDIA:
        return [(provider, dict(how.options)), CPU_PROVIDER]
    first = (provider, {"device_id": str(number), **how.options})
    # What TensorRT does not compute, CUDA does, on the same GPU.
    return [first, *([cuda] if CUDA_PROVIDER in onnxruntime.get_available_providers() else []), CPU_PROVIDER]
