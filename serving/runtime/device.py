"""The device that sessions run on: asked for, checked, and never silently another one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

import onnxruntime

from hondo.errors import DeviceUnavailable, InvalidSettings
from serving.runtime import providers
from serving.runtime.providers import CPU_PROVIDER, CUDA_PROVIDER

AUTO: Final = "auto"
# What the user may ask for.
ASKED: Final = re.compile(r"auto|cpu|cuda(:\d+)?(,cuda:\d+)*")
ASKED_TEXT: Final = "auto, cpu, cuda, or such as cuda:1 or cuda:0,cuda:1 expected"


@dataclass(frozen=True, slots=True)
class Device:
    """The CPU, a GPU or several, or what else an execution provider of ONNX Runtime drives."""

    provider: str
    # Which of several of a kind: one session each.
    numbers: tuple[int, ...] = (0,)

    CPU: ClassVar["Device"]
    CUDA: ClassVar["Device"]

    @property
    def is_cpu(self) -> bool:
        """Whether it is the CPU, driven by ONNX Runtime itself."""
        return self.provider == CPU_PROVIDER

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU, driven by the CUDA provider: arrays can lie there."""
        return self.provider == CUDA_PROVIDER

    @property
    def number(self) -> int:
        """Which one it is, where it is one."""
        (number,) = self.numbers
        return number

    @property
    def each(self) -> tuple["Device", ...]:
        """Each one by itself."""
        return tuple(Device(self.provider, (number,)) for number in self.numbers)

    def __str__(self) -> str:
        name = providers.short(self.provider)
        return name if self.numbers == (0,) else ",".join(f"{name}:{number}" for number in self.numbers)


Device.CPU = Device(CPU_PROVIDER)
Device.CUDA = Device(CUDA_PROVIDER)


def choose(asked: str = AUTO, provider: str | None = None, options: Mapping[str, str] | None = None) -> Device:
    """Settles what was asked for, and brings it up.

    Args:
        asked: as `ASKED` has it; "auto" is CUDA where it comes up, else the CPU.
        provider: an execution provider's name, instead of that which `asked` says.
        options: what its sessions are made with, beside the device's number.

    Raises:
        DeviceUnavailable: it does not come up; the text says what is missing.
        InvalidSettings: the two contradict each other, or there is no such provider.
    """
    device = _asked(asked, provider)
    missing = next(filter(None, (_what_misses(each, options or {}) for each in device.each)), None)
    if missing is None:
        return device
    if asked == AUTO and provider is None:
        return Device.CPU
    how = f"--device {asked}" if provider is None else f"--provider {provider}"
    raise DeviceUnavailable(f"{how} was asked for, but {missing}")


def _asked(asked: str, provider: str | None) -> Device:
    numbers = tuple(int(each.partition(":")[2] or 0) for each in asked.split(","))
    if len(set(numbers)) < len(numbers):
        raise InvalidSettings(f"--device {asked} names a device twice")
    if provider is None:
        return Device.CPU if asked == "cpu" else Device(CUDA_PROVIDER, numbers)
    name = providers.named(provider)
    if asked != AUTO and (asked == "cpu") != (name == CPU_PROVIDER):
        raise InvalidSettings(
            f"--device {asked} and --provider {provider} contradict each other: leave one of them out"
        )
    if asked.startswith("cuda") and name not in providers.OF_NVIDIA:
        raise InvalidSettings(f"--provider {provider} does not run on --device {asked}: leave the device out")
    return Device(name, numbers)


def _what_misses(device: Device, options: Mapping[str, str]) -> str | None:
    if device.is_cpu:
        return None
    if device.provider not in onnxruntime.get_available_providers():
        return providers.why_missing(device.provider)
    own = dict(options)
    if device.provider in providers.OF_NVIDIA:
        own["device_id"] = str(device.number)
        # Finds the CUDA and cuDNN libraries that onnxruntime-gpu's own extras or torch installed as Python packages.
        onnxruntime.preload_dlls()
    try:
        # Without `enable_fallback`, it would say on standard output what fails, and go on on the CPU.
        session = onnxruntime.InferenceSession(_IDENTITY, providers=[(device.provider, own)], enable_fallback=0)
    except Exception as error:  # noqa: BLE001  the driver and its libraries raise anything
        return f"its provider does not start: {error}"
    if device.provider not in session.get_providers():
        return "its provider does not start (onnxruntime's log above names the library or driver that is missing)"
    return None


# The smallest valid model, y = Identity(x) for float x of shape [1]: serving does not depend on the onnx package.
_IDENTITY = bytes.fromhex(
    "080a12003a3e0a100a017812017922084964656e7469747912086964656e746974795a0f0a0178120a0a08080112040a"
    "020801620f0a0179120a0a08080112040a02080142040a001014"
)
