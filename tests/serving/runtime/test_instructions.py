from pathlib import Path

import pytest

from serving.runtime.instructions import overflows_in_8_bits


@pytest.mark.parametrize(
    ("cpuinfo", "overflows"),
    [
        ("flags\t\t: sse2 avx2 fma\n", True),
        ("flags\t\t: sse2 avx2 avx512f\n", True),
        ("flags\t\t: avx2 avx512f avx512_vnni\n", False),
        ("flags\t\t: avx2 avx_vnni\n", False),
        ("flags\t\t: sse2\n", False),
        ("Features\t: fp asimd\n", False),
    ],
)
def test_sums_overflow_with_avx2_and_without_vnni(cpuinfo: str, overflows: bool, tmp_path: Path) -> None:
    """Only there does ONNX Runtime need to be asked for exact sums, which are slower."""
    (tmp_path / "cpuinfo").write_text(cpuinfo, "utf-8")
    assert overflows_in_8_bits(tmp_path / "cpuinfo") is overflows


def test_without_linux_nothing_is_known(tmp_path: Path) -> None:
    """Where no such file is, ONNX Runtime is left as it is."""
    assert not overflows_in_8_bits(tmp_path / "none")
