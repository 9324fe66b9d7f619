import onnxruntime
import pytest

from hondo.errors import DeviceUnavailable
from serving.device import CUDA_PROVIDER, Device, choose

built_without_cuda = pytest.mark.skipif(
    CUDA_PROVIDER in onnxruntime.get_available_providers(), reason="this onnxruntime is built with CUDA"
)


def test_cpu_is_the_cpu() -> None:
    """Asked for the CPU, models run on the CPU, whatever else there is."""
    assert choose(Device.CPU) is Device.CPU


@built_without_cuda
def test_auto_is_the_cpu_where_there_is_no_cuda() -> None:
    """Asked for what there is, models run on the CPU where CUDA does not come up."""
    assert choose(Device.AUTO) is Device.CPU


@built_without_cuda
def test_cuda_is_never_the_cpu() -> None:
    """Asked for CUDA where it does not come up, the text says what is missing and what to install."""
    with pytest.raises(DeviceUnavailable, match=r"--device cuda .* built without CUDA: .* install hondo\[serve\]"):
        choose(Device.CUDA)
