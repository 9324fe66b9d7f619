"""Page-locked arrays, and what stands for them where there is no GPU."""

import ctypes
import logging
import mmap

import numpy as np
import onnxruntime
import pytest

from serving.runtime import locked
from serving.runtime.device import Device
from serving.runtime.providers import CUDA_PROVIDER


@pytest.mark.parametrize("shape", [(), (0, 3), (5,), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.int64, np.bool_])
def test_array_is_one_like_any_other(shape: tuple[int, ...], dtype: type[np.generic]) -> None:
    """An array on pages of its own has zeros in it, can be written, and begins where a page does."""
    array = locked.array(shape, dtype, Device.CPU)
    assert (array.shape, array.dtype, array.flags.writeable) == (shape, np.dtype(dtype), True)
    assert not array.any()
    assert array.ctypes.data % mmap.PAGESIZE == 0
    array[...] = 1
    assert array.all()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Makes two arrays for a GPU; gives what is logged."""
    locked._runtime.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert locked.array((4,), np.float32, Device.CUDA).tolist() == [0, 0, 0, 0]
    locked._runtime.cache_clear()
    return [record.message for record in caplog.records]


def test_without_cuda_memory_is_ordinary(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where CUDA's runtime is not loaded, that is logged once, and the array is as good."""
    monkeypatch.setattr(locked, "_RUNTIMES", ("libnone.so.1",))
    (line,) = told(caplog)
    assert line == "no page-locked memory: CUDA's runtime (libnone.so.1) is not loaded"


@pytest.mark.skipif(CUDA_PROVIDER in onnxruntime.get_available_providers(), reason="there may be a GPU here")
def test_memory_that_cannot_be_locked_is_ordinary(caplog: pytest.LogCaptureFixture) -> None:
    """Where CUDA's runtime has no GPU to lock memory for, each array says so, and is as good."""
    try:
        kept = ctypes.CDLL("libcudart.so.13")
    except OSError:
        pytest.skip("CUDA's runtime 13 is not installed here")
    lines = told(caplog)
    assert kept is not None
    assert len(lines) == 2
    assert all(line.startswith("16 bytes are not page-locked: CUDA's error ") for line in lines)
