"""Maps of edges on the wire: grey PNG files of 8 or 16 bits, or the numbers themselves.

Legend: H height, W width, S side outputs.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hondo.suppression import thinned
from protos.hondo_pb2 import DetectEdgesResponse, EdgeFormat, Edges

Map = NDArray[np.float32]

# Of each number of a map.
Bits = Literal[8, 16, 32]
FORMATS: Final[Mapping[Bits, EdgeFormat]] = MappingProxyType(
    {8: EdgeFormat.PNG_8, 16: EdgeFormat.PNG_16, 32: EdgeFormat.FLOAT_32}
)

_PNG_TYPES: Final[Mapping[EdgeFormat, type[np.unsignedinteger]]] = MappingProxyType(
    {EdgeFormat.PNG_8: np.uint8, EdgeFormat.PNG_16: np.uint16}
)
# zlib's Z_RLE at level 1: of all its ways the quickest for maps, and about the shortest.
_COMPRESSION: Final = {"compress_level": 1, "compress_type": 3}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Detected:
    """The edges of one picture."""

    # f32, 0 to 1.
    edges_HW: Map
    # Of the side outputs, finest first; none unless asked for.
    side_edges_SHW: Map
    # The model and version that answered.
    model: str
    version: int


def finished(map_HW: Map, *, thin: bool, threshold: float) -> Map:
    """Gives a map with what a request asks for done to it; a threshold of 0 does nothing."""
    if thin:
        map_HW = thinned(map_HW)
    if threshold:
        map_HW = (map_HW >= threshold).astype(np.float32)
    return map_HW


def encode(map_HW: Map, form: EdgeFormat) -> bytes:
    """Gives a map, 0 to 1, as it goes over the wire; PNG files have it rounded to the nearest of their steps."""
    if form == EdgeFormat.FLOAT_32:
        return map_HW.astype("<f4", copy=False).tobytes()
    kind = _PNG_TYPES[form]
    steps_HW = map_HW * np.float32(np.iinfo(kind).max)
    file = io.BytesIO()
    # Numbers a hair outside 0 to 1 would come out on the other side.
    Image.fromarray(np.rint(steps_HW.clip(0, np.iinfo(kind).max)).astype(kind)).save(file, "PNG", **_COMPRESSION)
    return file.getvalue()


def decode(data: bytes, form: EdgeFormat, height: int, width: int) -> Map:
    """Gives the map, f32[H,W], that was encoded."""
    if form == EdgeFormat.FLOAT_32:
        return np.frombuffer(data, "<f4").reshape(height, width).astype(np.float32)
    kind = _PNG_TYPES[form]
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        steps_HW = np.asarray(image)
    return steps_HW.astype(np.float32) / np.float32(np.iinfo(kind).max)


def answered(answer: DetectEdgesResponse, form: EdgeFormat) -> list[Detected]:
    """Gives what an answer says of each picture."""
    return [_detected(result, form, answer) for result in answer.results]


def _detected(result: Edges, form: EdgeFormat, answer: DetectEdgesResponse) -> Detected:
    height, width = result.height, result.width
    sides = [decode(data, form, height, width) for data in result.side_maps]
    return Detected(
        edges_HW=decode(result.map, form, height, width),
        side_edges_SHW=np.stack(sides) if sides else np.empty((0, height, width), np.float32),
        model=answer.model,
        version=answer.version,
    )
