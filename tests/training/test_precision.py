import pytest
import torch

from training import precision
from training.precision import Precision


def machine(monkeypatch: pytest.MonkeyPatch, *, gpu: bool, gpu_bf16: bool = False, cpu_bf16: bool = False) -> None:
    """Makes torch say that this machine is such a one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: gpu_bf16)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True} if cpu_bf16 else {})


@pytest.mark.parametrize("wanted", ["32-true", "bf16-mixed", "16-mixed"])
def test_takes_what_is_wanted(wanted: Precision, monkeypatch: pytest.MonkeyPatch) -> None:
    """A precision that is asked for is taken, whatever the machine would do best."""
    machine(monkeypatch, gpu=True, gpu_bf16=True, cpu_bf16=True)
    assert precision.choose(wanted, "auto") == wanted


@pytest.mark.parametrize(
    ("has", "accelerator", "expected"),
    [
        ({"gpu": False}, "auto", "32-true"),
        ({"gpu": False, "cpu_bf16": True}, "auto", "bf16-mixed"),
        ({"gpu": False, "cpu_bf16": True}, "cpu", "bf16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "auto", "bf16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "gpu", "bf16-mixed"),
        ({"gpu": True, "cpu_bf16": True}, "gpu", "16-mixed"),
        ({"gpu": True, "gpu_bf16": True}, "cpu", "32-true"),
    ],
)
def test_auto_goes_by_the_device(
    has: dict[str, bool], accelerator: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What "auto" takes is bfloat16 where the device has instructions for it, 16 bits on an older GPU, else 32 bits."""
    machine(monkeypatch, **has)
    assert precision.choose("auto", accelerator) == expected


def test_auto_on_this_machine_is_one_of_them() -> None:
    """The real torch answers on any machine what is asked of it."""
    assert precision.choose("auto", "cpu") in {"32-true", "bf16-mixed"}
