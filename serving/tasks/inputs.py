"""Inputs: from the pictures, texts or rows that a request asks about to the array that a model's graph takes.

Legend: N pictures, texts or rows, H height, W width, C channels, T places for words, F columns.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from hondo import images, text
from hondo.errors import InvalidRequest
from protos.hondo_pb2 import ClassifyRequest
from protos.manifest_pb2 import Classification, ImageInput, TableInput, TextInput

Item = TypeVar("Item")
Read = TypeVar("Read")
Array = NDArray[np.generic]

# So much of a request is read on the event loop, where it takes less than half a millisecond; a change of threads takes
# 0.13 and more. What is more than that is read elsewhere, in parts of so much at least.
_QUICK_BYTES: Final = 4096
_QUICK_PIXELS: Final = 8192
_QUICK_CHARACTERS: Final = 4096
_QUICK_NUMBERS: Final = 8192


class Pictures:
    """Picture files, for a graph that takes image u8[N,H,W,C]."""

    field: Final = "images"
    takes: Final = "images"

    def __init__(self, spec: ImageInput, limits: images.Limits) -> None:
        self._spec = spec
        self._limits = limits
        # What the graph takes of each.
        self.row_bytes: Final = spec.height * spec.width * spec.channels

    async def read(self, request: ClassifyRequest, workers: Executor) -> Array:
        """Gives image_NHWC."""
        files = list(request.images)
        sizes = [len(file) for file in files]
        if sum(sizes) <= _QUICK_BYTES and len(files) * self._spec.height * self._spec.width <= _QUICK_PIXELS:
            opened = _each("images", files, self._open)
            if sum(image.width * image.height for image in opened) <= _QUICK_PIXELS:
                return np.stack(_each("images", opened, self._decode))
        return await _elsewhere("images", files, self._read, _parts(sizes, _QUICK_BYTES), workers)

    def _open(self, file: bytes) -> images.Opened:
        return images.opened(file, self._limits)

    def _decode(self, opened: images.Opened) -> Array:
        return images.fit(images.decoded(opened), self._spec)

    def _read(self, file: bytes) -> Array:
        return images.read(file, self._spec, self._limits)


class Texts:
    """Texts, for a graph that takes tokens i64[N,T]."""

    field: Final = "texts"
    takes: Final = "texts"

    def __init__(self, spec: TextInput) -> None:
        self._ids = text.index(spec.vocabulary)
        self._length = spec.length
        self.row_bytes: Final = 8 * spec.length

    async def read(self, request: ClassifyRequest, workers: Executor) -> Array:
        """Gives tokens_NT."""
        texts = list(request.texts)
        sizes = [len(each) for each in texts]
        if sum(sizes) <= _QUICK_CHARACTERS:
            return np.stack(_each("texts", texts, self._encode))
        return await _elsewhere("texts", texts, self._encode, _parts(sizes, _QUICK_CHARACTERS), workers)

    def _encode(self, each: str) -> Array:
        return text.encode(each, self._ids, self._length)


class Rows:
    """Rows of numbers, for a graph that takes values f32[N,F]."""

    field: Final = "rows"

    def __init__(self, spec: TableInput) -> None:
        self._columns = list(spec.columns)
        self.takes: Final = f"rows of {len(self._columns)} numbers ({', '.join(self._columns)})"
        self.row_bytes: Final = 4 * len(self._columns)

    async def read(self, request: ClassifyRequest, workers: Executor) -> Array:
        """Gives values_NF."""
        if len(request.rows) * len(self._columns) <= _QUICK_NUMBERS:
            return self._read(request)
        return await asyncio.get_running_loop().run_in_executor(workers, self._read, request)

    def _read(self, request: ClassifyRequest) -> Array:
        rows = [row.values[:] for row in request.rows]
        for index, row in enumerate(rows):
            if len(row) != len(self._columns):
                expected = f"{len(self._columns)} expected: {', '.join(self._columns)}"
                raise InvalidRequest(f"rows[{index}]: values: {len(row)} came, {expected}", index)
        values_NF = np.array(rows, np.float32)
        for index, column in np.argwhere(~np.isfinite(values_NF)).tolist():
            found = f"{self._columns[column]!r} is {values_NF[index, column]}"
            raise InvalidRequest(f"rows[{index}]: {found}, a finite number expected", index)
        return values_NF


Inputs = Pictures | Texts | Rows


def of(task: Classification, limits: images.Limits) -> Inputs:
    """Gives how the graph of a classifier gets its input."""
    match task.WhichOneof("input"):
        case "image":
            return Pictures(task.image, limits)
        case "text":
            return Texts(task.text)
        case "table":
            return Rows(task.table)
        case other:
            raise AssertionError(f"a classifier without pictures, texts or rows, but {other}, does not load")


def field_of(request: ClassifyRequest) -> str:
    """Gives the field in which a request has what it asks about.

    Raises:
        InvalidRequest: it asks about nothing, or about several kinds of things.
    """
    came = [field for field in ("images", "texts", "rows") if getattr(request, field)]
    if not came:
        raise InvalidRequest("nothing came to classify: send images, texts or rows, at least one")
    if len(came) > 1:
        raise InvalidRequest(f"{' and '.join(came)} came together: send one kind in a request")
    return came[0]


def rows_of(request: ClassifyRequest) -> int:
    """Gives how many rows a request asks the graph about."""
    return len(request.images) + len(request.texts) + len(request.rows)


def _each(field: str, items: Sequence[Item], read: Callable[[Item], Read], first: int = 0) -> list[Read]:
    """Reads one after the other; an error says which one was at fault, counted from `first`."""
    done: list[Read] = []
    for index, item in enumerate(items, first):
        try:
            done.append(read(item))
        except InvalidRequest as error:
            raise InvalidRequest(f"{field}[{index}]: {error}", index) from error
    return done


async def _elsewhere(
    field: str, items: Sequence[Item], read: Callable[[Item], Array], parts: Iterator[slice], workers: Executor
) -> Array:
    """Reads off the event loop, several parts side by side."""
    loop = asyncio.get_running_loop()
    reading = [loop.run_in_executor(workers, _each, field, items[part], read, part.start) for part in parts]
    try:
        return np.stack([array for arrays in await asyncio.gather(*reading) for array in arrays])
    finally:
        for job in reading:
            job.cancel()  # where one is bad, the rest need not be read


def _parts(sizes: Sequence[int], least: int) -> Iterator[slice]:
    """Cuts a sequence of so large things into parts that are together no smaller than `least`, but for the last."""
    start = together = 0
    for end, size in enumerate(sizes, 1):
        together += size
        if together >= least:
            yield slice(start, end)
            start, together = end, 0
    if start < len(sizes):
        yield slice(start, len(sizes))
