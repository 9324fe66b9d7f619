"""The device that sessions run on: asked for, checked, and never silently another one."""

from enum import StrEnum

import onnxruntime

from hondo.errors import DeviceUnavailable

CUDA_PROVIDER = "CUDAExecutionProvider"
CPU_PROVIDER = "CPUExecutionProvider"


class Device(StrEnum):
    """What the user may ask for."""

    CPU = "cpu"
    CUDA = "cuda"
    # CUDA where it comes up, else the CPU.
    AUTO = "auto"


def choose(device: Device) -> Device:
    """Settles AUTO and checks CUDA by bringing its provider up.

    Returns:
        CPU or CUDA.

    Raises:
        DeviceUnavailable: CUDA was asked for and does not come up; the text says what is missing.
    """
    if device is Device.CPU:
        return Device.CPU
    missing = _what_cuda_misses()
    if missing is None:
        return Device.CUDA
    if device is Device.AUTO:
        return Device.CPU
    raise DeviceUnavailable(f"--device cuda was asked for, but {missing}")


def _what_cuda_misses() -> str | None:
    if CUDA_PROVIDER not in onnxruntime.get_available_providers():
        return (
            f"this onnxruntime {onnxruntime.__version__} is built without CUDA: "
            "on a machine with an NVIDIA GPU, uninstall it and install hondo[serve], which brings onnxruntime-gpu"
        )
    # Finds the CUDA and cuDNN libraries that onnxruntime-gpu's own extras or torch installed as Python packages.
    onnxruntime.preload_dlls()
    try:
        session = onnxruntime.InferenceSession(_IDENTITY, providers=[CUDA_PROVIDER])
    except Exception as error:  # noqa: BLE001  the driver and its libraries raise anything
        return f"its provider does not start: {error}"
    if CUDA_PROVIDER not in session.get_providers():
        return "its provider does not start (onnxruntime's log above names the library or driver that is missing)"
    return None


# The smallest valid model, y = Identity(x) for float x of shape [1]: serving does not depend on the onnx package.
_IDENTITY = bytes.fromhex(
    "080a12003a3e0a100a017812017922084964656e7469747912086964656e746974795a0f0a0178120a0a08080112040a"
    "020801620f0a0179120a0a08080112040a02080142040a001014"
)
