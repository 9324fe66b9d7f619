"""Elements of every datatype, extremes included, and their bytes on the wire."""

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

# Datatype -> six elements, as Python holds them (BF16 as its bits).
VALUES: Final[dict[str, Sequence[object]]] = {
    "BOOL": [True, False, False, True, True, False],
    "UINT8": [0, 1, 127, 128, 254, 255],
    "UINT16": [0, 1, 255, 256, 32768, 65535],
    "UINT32": [0, 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1],
    "UINT64": [0, 1, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1],
    "INT8": [-128, -1, 0, 1, 126, 127],
    "INT16": [-32768, -1, 0, 1, 256, 32767],
    "INT32": [-(2**31), -1, 0, 1, 2**24 + 1, 2**31 - 1],
    "INT64": [-(2**63), -1, 0, 1, 2**53 + 1, 2**63 - 1],
    "FP16": [-65504.0, -0.5, 0.0, 2.0**-24, 1.5, float("inf")],
    "BF16": [0x0000, 0x3F80, 0xBF80, 0x7F80, 0x0001, 0x7F7F],
    "FP32": [-float("inf"), -0.5, 0.0, 2.0**-149, 1.5, float(np.finfo(np.float32).max)],
    "FP64": [-float("inf"), -0.1, 0.0, 5e-324, 0.1, 1.7976931348623157e308],
    "BYTES": ["", "a", "größer", "線路", "\0", "a longer text than the others \N{GRINNING FACE}"],
}

# Datatype -> struct's letter for one element; BYTES, the last, has none.
_LETTERS: Final = dict(zip(VALUES, "?BHIQbhiqeHfd", strict=False))

# Datatype -> the field of InferTensorContents that the protocol gives it; FP16 and BF16 have none.
CONTENTS: Final = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


def packed(datatype: str, values: Sequence[object]) -> bytes:
    """Gives the raw contents of a tensor, made without numpy: little-endian; each text with its length before it."""
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    return struct.pack(f"<{len(values)}{_LETTERS[datatype]}", *values)


def on_the_wire(datatype: str, values: Sequence[object]) -> list[object]:
    """Gives the elements of typed contents: texts as their bytes, all else as it is."""
    return [str(value).encode() if datatype == "BYTES" else value for value in values]
