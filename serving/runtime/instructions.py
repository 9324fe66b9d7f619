"""Which instructions the processor has, as far as 8-bit integers depend on them."""

from pathlib import Path
from typing import Final

_SUMS_OF_PRODUCTS: Final = frozenset({"avx512_vnni", "avx_vnni"})


def overflows_in_8_bits(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Says whether this is an x86 processor whose sums of products of 8-bit numbers overflow 16 bits on their way.

    That is so with AVX2 where there are no VNNI instructions. Without Linux nobody tells: then no.

    Args:
        cpuinfo: where Linux describes the processor.
    """
    try:
        lines = cpuinfo.read_text("utf-8").splitlines()
    except OSError:
        return False
    flags = {flag for line in lines if line.startswith("flags") for flag in line.partition(":")[2].split()}
    return "avx2" in flags and flags.isdisjoint(_SUMS_OF_PRODUCTS)
