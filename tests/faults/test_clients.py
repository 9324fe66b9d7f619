"""Clients that vanish in the middle of a stream, and clients that never read."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import pytest

from protos.hondo_pb2 import CaptionRequest, CaptionResponse, GenerateRequest, GenerateResponse
from protos.inference_pb2 import ModelInferRequest, ModelStreamInferResponse
from protos.rpc import HONDO, INFERENCE, replies, stream
from serving.bench.holdings import held
from tests.faults.vitals import await_back, await_so, check_well, slots, write
from tests.serving import captioners, graphs
from tests.serving.process import Process, serving
from tests.serving.swaps import OWN, under_load

_ENDLESS: Final = 1_000_000
# A process that opens streams of all kinds, says so once each has begun, and is never heard of again.
_CLIENT: Final = """
import itertools, sys, time
import grpc
from protos.hondo_pb2 import (CaptionRequest, CaptionResponse, ClassifyRequest, ClassifyStreamResponse, GenerateRequest,
    GenerateResponse)
from protos.rpc import HONDO, replies, stream
from tests.serving import captioners
from tests.serving.requests import PICTURES

channel = grpc.insecure_channel(sys.argv[1])
texts = [replies(channel, HONDO, "Generate", GenerateResponse)(GenerateRequest(model="writer", max_characters=1_000_000,
    continuations=2)) for _ in range(24)]
captions = [replies(channel, HONDO, "Caption", CaptionResponse)(CaptionRequest(model="teller", stream_interval_ms=0,
    image=captioners.png(captioners.picture(1)), beam_width=3)) for _ in range(24)]
pictures = stream(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(
    ClassifyRequest(model="side", images=[PICTURES[number % 4]]) for number in itertools.count())
for each in (*texts, *captions, pictures):
    next(each)
print("begun", flush=True)
for _ in pictures:
    pass
"""


@pytest.fixture
def server(models: Path, tmp_path: Path) -> Iterator[Process]:
    """A server that also makes captions, and gives back large tensors."""
    captioners.write_captioner(models)
    graphs.same(models / "same" / "1" / "model.onnx", "UINT8", ["n", None])
    with serving(models, tmp_path / "log") as process:
        yield process


def vanish(address: str) -> None:
    """Has such a process begin, and kills it."""
    with subprocess.Popen([sys.executable, "-c", _CLIENT, address], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"begun\n"
        client.kill()


def test_clients_that_vanish_leave_nothing_behind(server: Process) -> None:
    """A client that is killed with fifty streams open frees its slots within moments; others get their right answers.

    Memory and file handles come back, however often that happens.
    """
    vanish(server.address)
    await_so(lambda: slots(server) == 0, "rows wait or run on")
    check_well(server.address)
    before = held(server.popen.pid)
    with under_load(server.address):
        for _ in range(2):
            vanish(server.address)
            began_s = time.monotonic()
            await_so(lambda: slots(server) == 0, "rows wait or run on")
            assert time.monotonic() - began_s < 20
    await_back(server, before)
    check_well(server.address)
    assert "Traceback" not in server.log.read_text()


def ask_and_never_read(address: str, pid: int) -> None:
    """Asks for texts, captions and large tensors without reading any; holds that what they take is bounded."""
    tensor = ModelInferRequest(model_name="same", raw_input_contents=[np.zeros(2**20, np.uint8).tobytes()])
    tensor.inputs.add(name="x", datatype="UINT8", shape=[1, 2**20])
    text = GenerateRequest(model="writer", max_characters=_ENDLESS, continuations=2)
    picture = CaptionRequest(model="teller", image=captioners.png(captioners.picture(1)))
    with grpc.insecure_channel(address, options=OWN) as deaf:
        calls: list[grpc.Call] = []
        calls += [stream(deaf, INFERENCE, "ModelStreamInfer", ModelStreamInferResponse)(_again(tensor)) for _ in "1234"]
        calls += [replies(deaf, HONDO, "Generate", GenerateResponse)(text) for _ in range(20)]
        calls += [replies(deaf, HONDO, "Caption", CaptionResponse)(picture) for _ in range(20)]
        # Each text runs until so much of it is unread, then gives its slot up: new ones are written at once.
        with grpc.insecure_channel(address, options=OWN) as channel:
            for seed in range(8):
                write(channel, count=200, seed=seed)
        await_so(lambda: not grows(pid), "the server takes in more and more")
        for call in calls:
            call.cancel()


def grows(pid: int) -> bool:
    """Says whether a process has taken more memory within half a second."""
    former = held(pid)
    time.sleep(0.5)
    return held(pid).resident_kb > former.resident_kb + 1024


def _again(request: ModelInferRequest) -> Iterator[ModelInferRequest]:
    """Gives a request a thousand times: a gigabyte that the server must not take in."""
    for _ in range(1000):
        yield request


def test_clients_that_never_read_hold_up_nobody(server: Process) -> None:
    """Of texts, captions and large tensors that nobody reads the server keeps no more than a bound, and no slot.

    Others are answered right meanwhile; once such clients leave all is free, and the next take no more than they did.
    """
    check_well(server.address)
    pid = server.popen.pid
    before = held(pid)
    with under_load(server.address):
        ask_and_never_read(server.address, pid)
        await_so(lambda: slots(server) <= 8, "rows wait or run on")
        # What requests of a size take, the server keeps for the next ones, each thread its own.
        first = held(pid)
        assert first.resident_kb < before.resident_kb + 400 * 1024
        ask_and_never_read(server.address, pid)
    await_back(server, first, more_kb=120 * 1024)
    check_well(server.address)
