"""Detecting edges: a map as large as the picture for each picture of a request.

Legend: N pictures of a run, H height, W width, C channels, S side outputs.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import Executor
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hondo import images, maps
from hondo.artifact import MODEL, Tensors
from hondo.errors import InvalidImage, InvalidRequest, ResourceExhausted, WrongTask
from hondo.maps import Map
from protos.hondo_pb2 import DetectEdgesRequest, DetectEdgesResponse, EdgeFormat, Edges
from protos.hondo_pb2 import Priority as RequestPriority
from serving.batching.queue import Priority
from serving.catalog.model import Model
from serving.contract.detector import EDGES, SIDE_EDGES, SMALLEST_PX
from serving.tasks.bounds import Bounds
from serving.tasks.room import Room
from serving.tasks.tiles import Tile, Tiling
from serving.telemetry.course import Stage, stage

Made = TypeVar("Made")
Image = NDArray[np.uint8]

_FLOAT_BYTES = 4


class Detector:
    """A model whose task is edge detection."""

    def __init__(self, model: Model, workers: Executor, bounds: Bounds, room: Room) -> None:
        assert model.artifact is not None, "a model with a task has a manifest"
        task = model.artifact.manifest.edge_detection
        session = model.sessions[MODEL]
        self.name = model.name
        self._model = model
        self._workers = workers
        self._bounds = bounds
        self._room = room
        self._channels = task.channels
        self._input = session.inputs[0].name
        self._side_outputs = next((each.wire_shape[1] for each in session.outputs if each.name == SIDE_EDGES), 0)
        self._tiling = Tiling(task.reach_px, task.step_px, max(1, bounds.run_bytes // model.pixel_bytes))

    async def answer(self, request: DetectEdgesRequest) -> DetectEdgesResponse:
        """Finds the edges in the pictures of a request."""
        if request.side_edges and not self._side_outputs:
            raise WrongTask(f"model {self.name!r} has no side outputs")
        _check_asked(request)
        self._bounds.check_runs("images", len(request.images))
        with stage(Stage.DECODE):
            opened = await self._off_loop(_each, request.images, self._opened)
        pixels = [image.width * image.height for image in opened]
        self._check_size(sum(pixels), request)
        with self._room.taken(sum(pixels)):
            with stage(Stage.DECODE):
                pictures = await _all(
                    self._off_loop(_at, place, self._decoded, one) for place, one in enumerate(opened)
                )
            results = await _all(self._edges(image_HWC, request) for image_HWC in pictures)
        response = DetectEdgesResponse(model=self.name, version=self._model.version, results=results)
        self._check_answer(response.ByteSize())
        return response

    def _opened(self, file: bytes) -> images.Opened:
        opened = images.opened(file, self._bounds.images)
        if min(opened.size) < SMALLEST_PX:
            raise InvalidImage(
                f"the image has {opened.width} x {opened.height} pixels, at least {SMALLEST_PX} a side are needed"
            )
        self._tiling.tiles(opened.height, opened.width)  # fails where there are none
        return opened

    def _decoded(self, opened: images.Opened) -> Image:
        return images.whole(images.decoded(opened), self._channels)

    def _check_size(self, pixels: int, request: DetectEdgesRequest) -> None:
        most = self._bounds.images.max_pixels
        if pixels > most:
            raise InvalidRequest(f"images: {pixels:,} pixels came together, at most {most:,} are taken in a request")
        if request.format == EdgeFormat.FLOAT_32:
            maps_each = 1 + (self._side_outputs if request.side_edges and self._side_outputs > 0 else 0)
            self._check_answer(_FLOAT_BYTES * pixels * maps_each)

    def _check_answer(self, answer_bytes: int) -> None:
        most = self._bounds.message_bytes
        if answer_bytes > most:
            raise ResourceExhausted(
                f"the answer has {answer_bytes:,} bytes, at most {most:,} are sent: ask for fewer pictures at once, "
                "or for PNG_8"
            )

    async def _edges(self, image_HWC: Image, request: DetectEdgesRequest) -> Edges:
        wanted = [EDGES, SIDE_EDGES] if request.side_edges else [EDGES]
        outputs = await self._run(image_HWC, wanted, request)
        edges_HW, sides_SHW = outputs[EDGES], outputs.get(SIDE_EDGES, ())
        height, width = edges_HW.shape
        with stage(Stage.ENCODE):
            each = [self._off_loop(_finished, map_HW, request) for map_HW in (edges_HW, *sides_SHW)]
            found, *sides = await _all(each)
        return Edges(height=height, width=width, map=found, side_maps=sides)

    async def _run(self, image_HWC: Image, wanted: Sequence[str], request: DetectEdgesRequest) -> Tensors:
        """Gives the maps of a picture, by output, from one run or from several."""
        height, width, _ = image_HWC.shape
        tiles = self._tiling.tiles(height, width)
        if len(tiles) == 1:
            return await self._run_tile(image_HWC, tiles[0], wanted, request)
        tall, wide = self._tiling.padded(height, width)
        padded_HWC = await self._off_loop(_padded, image_HWC, tall, wide)
        whole: Tensors = {}
        parts = asyncio.Semaphore(self._bounds.parts)

        async def add(tile: Tile) -> None:
            async with parts:
                found = await self._run_tile(padded_HWC, tile, wanted, request)
            for name, part in found.items():
                if name not in whole:
                    whole[name] = np.empty((*part.shape[:-2], tall, wide), np.float32)
            await self._off_loop(_keep, whole, found, tile)

        await _all(add(tile) for tile in tiles)
        return {name: array[..., :height, :width] for name, array in whole.items()}

    async def _run_tile(
        self, image_HWC: Image, tile: Tile, wanted: Sequence[str], request: DetectEdgesRequest
    ) -> Tensors:
        seen_NHWC = np.ascontiguousarray(image_HWC[tile.rows.seen, tile.columns.seen])[np.newaxis]
        outputs = await self._model.batcher(MODEL).run(
            {self._input: seen_NHWC},
            wanted,
            priority=Priority.HIGH if request.priority == RequestPriority.HIGH else Priority.NORMAL,
            timeout_ms=request.queue_timeout_ms or None,
        )
        return {name: array_N[0] for name, array_N in outputs.items()}

    async def _off_loop(self, function: Callable[..., Made], *arguments: object) -> Made:
        return await asyncio.get_running_loop().run_in_executor(self._workers, function, *arguments)


def _padded(image_HWC: Image, height: int, width: int) -> Image:
    """Repeats the last row and column up to a size."""
    own_height, own_width, _ = image_HWC.shape
    return np.pad(image_HWC, ((0, height - own_height), (0, width - own_width), (0, 0)), "edge")


def _keep(whole: Tensors, found: Tensors, tile: Tile) -> None:
    """Puts what is kept of a tile's maps into those of the whole picture."""
    for name, part in found.items():
        kept = part[..., tile.rows.inner, tile.columns.inner]
        whole[name][..., tile.rows.kept, tile.columns.kept] = kept


def _check_asked(request: DetectEdgesRequest) -> None:
    if not 0 <= request.threshold <= 1:
        raise InvalidRequest(f"threshold: {request.threshold:g}, 0 to 1 expected")
    if request.format not in EdgeFormat.values():
        raise InvalidRequest(f"format: {request.format}, one of {', '.join(EdgeFormat.keys())} expected")


def _finished(map_HW: Map, request: DetectEdgesRequest) -> bytes:
    form: EdgeFormat = request.format
    return maps.encode(maps.finished(map_HW, thin=request.thin, threshold=request.threshold), form)


def _each(files: Sequence[bytes], read: Callable[[bytes], Made]) -> list[Made]:
    if not files:
        raise InvalidRequest("images: none came, at least one expected")
    return [_at(place, read, file) for place, file in enumerate(files)]


def _at(place: int, read: Callable[[Any], Made], item: object) -> Made:
    """Reads one of several; an error says which."""
    try:
        return read(item)
    except InvalidRequest as error:
        raise InvalidRequest(f"images[{place}]: {error}", place) from error


async def _all(doing: Iterable[Coroutine[Any, Any, Made]]) -> list[Made]:
    """Waits for all; where one fails, the others are cancelled."""
    tasks = [asyncio.ensure_future(each) for each in doing]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
