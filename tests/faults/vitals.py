"""The vital signs of a server: what it holds, and that it is well."""

import time
from collections.abc import Callable
from typing import Final

import grpc
from grpc_health.v1.health_pb2 import HealthCheckResponse

from protos.hondo_pb2 import GenerateRequest, GenerateResponse
from protos.rpc import HONDO, replies
from serving.bench import holdings
from serving.bench.holdings import Held, held
from tests.serving import writers
from tests.serving.asking import PATIENCE_S
from tests.serving.health import check
from tests.serving.process import Process
from tests.serving.swaps import OWN, classify

# What comes back may take so long on a busy machine, seconds.
BACK_S: Final = 60.0


def slots(server: Process) -> float:
    """Gives how many rows wait or run."""
    return holdings.slots(server.log)


def await_so(condition: Callable[[], bool], what: str) -> None:
    """Waits until something is so."""
    give_up_s = time.monotonic() + BACK_S
    while not condition():
        assert time.monotonic() < give_up_s, what
        time.sleep(0.05)


def await_back(server: Process, before: Held, *, more_kb: int = 32 * 1024, more_handles: int = 8) -> None:
    """Waits until all slots are free, and no more is held than before but for so much."""
    await_so(lambda: slots(server) == 0, "rows wait or run on")
    pid = server.popen.pid
    # gRPC's pollers and the metrics' connections come and go.
    await_so(lambda: held(pid).file_handles <= before.file_handles + more_handles, "file handles stay open")
    await_so(
        lambda: held(pid).resident_kb <= before.resident_kb + more_kb, f"memory stays taken: {held(pid)}, {before}"
    )


def write(channel: grpc.Channel, prompt: str = "hello", count: int = 40, seed: int = 3) -> None:
    """Has a text written, and holds that it is the model's."""
    call = replies(channel, HONDO, "Generate", GenerateResponse)
    request = GenerateRequest(model="writer", prompt=prompt, max_characters=count, seed=seed)
    written = "".join(each.text for answer in call(request, timeout=PATIENCE_S) for each in answer.continued)
    tokens, _ = writers.written([writers.START, *writers.encode(prompt)], count, seed=seed)
    assert written == writers.decode(tokens)


def check_well(address: str) -> None:
    """Holds that a server says it serves, and answers right: a picture, and a text where it has a model that writes."""
    with grpc.insecure_channel(address, options=OWN) as channel:
        assert check(channel, "") == HealthCheckResponse.SERVING
        assert check(channel, "side") == HealthCheckResponse.SERVING
        for picture in range(4):
            classify(channel, picture)
        write(channel)
