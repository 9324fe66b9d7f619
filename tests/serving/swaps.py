"""Versions that come and go while a server runs, and clients that hold it to its word meanwhile.

A version's classes are moved by as many places as its number says, so that an answer tells by which it was made.
"""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import numpy as np

from protos.hondo_pb2 import (
    ClassifyRequest,
    ClassifyResponse,
    ClassifyStreamResponse,
    GetModelRequest,
    GetModelResponse,
)
from protos.inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.rpc import HONDO, INFERENCE, stream, unary
from tests.serving import artifacts
from tests.serving.asking import PATIENCE_S, ask
from tests.serving.requests import PICTURES

CLASSES: Final = len(artifacts.LABELS)
# A connection of its own, on which nothing is asked twice: a failure would be seen.
OWN: Final = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))
# What loads behind traffic may take on a machine that is busy with other things, seconds.
LOAD_S: Final = 90.0
# Requests of a stream that are not answered yet.
_IN_FLIGHT: Final = 16
# The server looks so often, seconds.
LOOKS: Final = ("--watch", "--watch-seconds", "0.05")


def publish(models: Path, version: int, name: str = "side") -> None:
    """Brings a version as the exporter does: written aside, then renamed into its place."""
    aside = models / f".{name}-{version}"
    made = artifacts.write_classifier(aside, name, version, turn=version)
    rename(made, models / name / str(version))
    shutil.rmtree(aside)


def rename(made: Path, place: Path) -> None:
    """Puts a folder into its place, in the place of what may be there."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(made.parent / "before")
    made.rename(place)


def remove(models: Path, version: int, name: str = "side") -> None:
    """Removes a version."""
    aside = models / f".{name}-{version}-gone"
    (models / name / str(version)).rename(aside)
    shutil.rmtree(aside)


def newest(channel: grpc.Channel, name: str = "side") -> int:
    """Gives which version is served."""
    answer = ask(channel, GetModelRequest(model=name))
    assert isinstance(answer, GetModelResponse)
    return answer.model.version


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until something is so; fails where it takes too long."""
    give_up_s = time.monotonic() + LOAD_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.02)


def check_classified(answer: ClassifyResponse, picture: int) -> int:
    """Holds that an answer about one of the pictures is right, and from the version it names; gives that."""
    best = answer.results[0].labels[0]
    assert best.name == artifacts.LABELS[picture]
    assert best.index == (picture + answer.version) % CLASSES
    return answer.version


def classify(channel: grpc.Channel, picture: int, name: str = "side") -> int:
    """Asks about a picture by Classify; gives the version that answered."""
    call = unary(channel, HONDO, "Classify", ClassifyResponse)
    return check_classified(call(ClassifyRequest(model=name, images=[PICTURES[picture]]), timeout=PATIENCE_S), picture)


def infer(channel: grpc.Channel, picture: int) -> int:
    """Asks about one by ModelInfer; gives the version that answered."""
    request = ModelInferRequest(model_name="side", raw_input_contents=[artifacts.samples()[picture].tobytes()])
    request.inputs.add(name="image", datatype="UINT8", shape=[1, artifacts.SIDE, artifacts.SIDE, 1])
    answer = unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(request, timeout=PATIENCE_S)
    best = np.frombuffer(answer.raw_output_contents[0], "<f4").argmax()
    assert best == (picture + int(answer.model_version)) % CLASSES
    return int(answer.model_version)


class Load:
    """Clients that ask without a pause, each on a connection of its own, until they are told to stop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(8)
        self._asking: list[Future[list[int]]] = []
        # What each client was answered by so far.
        self._answered: list[list[int]] = []

    def add(self, ask_once: Callable[[grpc.Channel, int], int]) -> None:
        """Adds one that asks about the pictures one after the other."""
        self._asking.append(self._threads.submit(self._go_on, ask_once))

    def add_stream(self) -> None:
        """Adds one that asks on one stream all the time."""
        self._asking.append(self._threads.submit(self._stream))

    def finish(self) -> list[list[int]]:
        """Gives which versions each client was answered by, in their order; raises the first failure there was."""
        self._stop.set()
        _, hanging = wait(self._asking, 2 * PATIENCE_S)
        assert not hanging, f"clients {[number for number, one in enumerate(self._asking) if one in hanging]} hang"
        return [asking.result() for asking in self._asking]

    @property
    def least(self) -> int:
        """How many answers that client has had that had the fewest."""
        return min(map(len, self._answered)) if len(self._answered) == len(self._asking) else 0

    @property
    def has_failed(self) -> bool:
        """Says whether a client has met an error."""
        return any(asking.done() for asking in self._asking)

    def _go_on(self, ask_once: Callable[[grpc.Channel, int], int]) -> list[int]:
        answered: list[int] = []
        self._answered.append(answered)
        with grpc.insecure_channel(self._address, options=OWN) as channel:
            while not self._stop.wait(0.001):
                answered.append(ask_once(channel, len(answered) % CLASSES))
        return answered

    def _stream(self) -> list[int]:
        answered: list[int] = []
        self._answered.append(answered)
        room = threading.Semaphore(_IN_FLIGHT)

        def requests() -> Iterator[ClassifyRequest]:
            number = 0
            while not self._stop.wait(0.001):
                room.acquire(timeout=PATIENCE_S)
                yield ClassifyRequest(images=[PICTURES[number % CLASSES]])
                number += 1

        with grpc.insecure_channel(self._address, options=OWN) as channel:
            for response in stream(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(requests()):
                room.release()
                assert response.HasField("answer"), response.failure
                answered.append(check_classified(response.answer, len(answered) % CLASSES))
        return answered


@contextmanager
def under_load(address: str) -> Iterator[Load]:
    """Has clients ask by Classify, by ModelInfer and on a stream; all that fails among them fails at the end."""
    load = Load(address)
    for ask_once in (classify, classify, infer, infer):
        load.add(ask_once)
    load.add_stream()
    try:
        yield load
        wait_until(lambda: load.has_failed or load.least > 10)
    finally:
        load.finish()
