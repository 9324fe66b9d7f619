from collections.abc import Sequence

import onnxruntime
import pytest

from hondo.errors import DeviceUnavailable, InvalidSettings
from serving.runtime.device import Device, choose
from serving.runtime.providers import CUDA_PROVIDER

AZURE = "AzureExecutionProvider"  # onnxruntime's package has it; it computes no node that hondo serves

built_without_cuda = pytest.mark.skipif(
    CUDA_PROVIDER in onnxruntime.get_available_providers(), reason="this onnxruntime is built with CUDA"
)
built_with_azure = pytest.mark.skipif(
    AZURE not in onnxruntime.get_available_providers(), reason="this onnxruntime is built without Azure's provider"
)


def test_cpu_is_the_cpu() -> None:
    """Asked for the CPU, models run on the CPU, whatever else there is."""
    assert choose("cpu") == choose("auto", "cpu") == Device.CPU


@built_without_cuda
def test_auto_is_the_cpu_where_there_is_no_cuda() -> None:
    """Asked for what there is, models run on the CPU where CUDA does not come up."""
    assert choose("auto") is Device.CPU


@built_without_cuda
@pytest.mark.parametrize("asked", ["cuda", "cuda:1", "cuda:0,cuda:1"])
def test_cuda_is_never_the_cpu(asked: str) -> None:
    """Asked for CUDA where it does not come up, the text says what is missing and what to install."""
    with pytest.raises(
        DeviceUnavailable, match=rf"--device {asked} was .* built without CUDA: .* install hondo\[serve\]"
    ):
        choose(asked)


@built_without_cuda
def test_provider_that_is_missing_is_said_to_be() -> None:
    """A provider that the build lacks is refused: the text says what it has, and which package brings the other."""
    with pytest.raises(DeviceUnavailable) as raised:
        choose("auto", "tensorrt")
    text = str(raised.value)
    assert text.startswith("--provider tensorrt was asked for, but this onnxruntime")
    assert "cpu; tensorrt comes with the package onnxruntime-gpu" in text


@built_with_azure
def test_other_providers_are_chosen_by_name() -> None:
    """What the build has is chosen by its short name, in any case, or by onnxruntime's own."""
    for name in ("azure", "Azure", AZURE):
        assert choose("auto", name) == Device(AZURE)


@pytest.mark.parametrize(
    ("asked", "provider", "told"),
    [
        ("auto", "opnvino", "--provider opnvino: there is no such execution provider; openvino is meant?"),
        ("auto", "xyz", "--provider xyz: there is no such execution provider; this onnxruntime"),
        ("cpu", "openvino", "--device cpu and --provider openvino contradict each other: leave one of them out"),
        ("cuda", "cpu", "--device cuda and --provider cpu contradict each other: leave one of them out"),
        ("cuda:1", "openvino", "--provider openvino does not run on --device cuda:1: leave the device out"),
        ("cuda:1,cuda:1", None, "--device cuda:1,cuda:1 names a device twice"),
    ],
)
def test_what_makes_no_sense_is_refused(asked: str, provider: str | None, told: str) -> None:
    """Unknown providers, and what contradicts itself, are the user's mistakes; the text says which."""
    with pytest.raises(InvalidSettings) as raised:
        choose(asked, provider)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("numbers", "shown"), [((0,), "cuda"), ((1,), "cuda:1"), ((0, 1), "cuda:0,cuda:1"), ((3, 0), "cuda:3,cuda:0")]
)
def test_devices_are_shown_as_they_are_asked_for(numbers: Sequence[int], shown: str) -> None:
    """A device's text is what `--device` takes, and each of several stands by itself."""
    device = Device(CUDA_PROVIDER, tuple(numbers))
    assert str(device) == shown
    assert [each.number for each in device.each] == list(numbers)
