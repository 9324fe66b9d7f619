"""Storms of calls whose deadlines cannot be met."""

import asyncio
import time
from collections import Counter
from pathlib import Path
from typing import Final

import grpc.aio

from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse, GenerateRequest, GenerateResponse
from protos.inference_pb2 import ModelInferResponse
from protos.rpc import HONDO, INFERENCE, replies_async, unary_async
from serving.bench.holdings import held
from tests.faults.vitals import await_back, check_well
from tests.serving import graphs
from tests.serving.asking import raw
from tests.serving.process import serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import under_load

CALLS: Final = 4000
# Calls under way at a time.
_AT_ONCE: Final = 200
_ENDLESS: Final = 1_000_000
# A server's gRPC resets a call whose time is over; where that reaches a busy client before its own clock has struck,
# gRPC calls it CANCELLED (a bare server with nothing of ours does the same). Before its time none may end so.
_RESET: Final = "CANCELLED at its deadline"
# gRPC counts deadlines in whole milliseconds.
_CLOCKS_S: Final = 0.002


async def storm(address: str) -> "Counter[str]":
    """Asks for what takes longer than it may: runs that go on for ever, texts without end, pictures at once."""
    codes: Counter[str] = Counter()
    room = asyncio.Semaphore(_AT_ONCE)
    async with grpc.aio.insecure_channel(address) as channel:
        infer = unary_async(channel, INFERENCE, "ModelInfer", ModelInferResponse)
        classify = unary_async(channel, HONDO, "Classify", ClassifyResponse)
        generate = replies_async(channel, HONDO, "Generate", GenerateResponse)
        long = raw("INT64", [], [10**12], "steps")
        long.model_name = "slow"

        async def ask(number: int) -> None:
            timeout_s = 0.001 + number % 37 / 1000
            async with room:
                began_s = time.monotonic()
                try:
                    match number % 3:
                        case 0:
                            await infer(long, timeout=timeout_s)
                        case 1:
                            timeout_s /= 10
                            await classify(ClassifyRequest(model="side", images=[PICTURES[0]]), timeout=timeout_s)
                        case _:
                            request = GenerateRequest(model="writer", max_characters=_ENDLESS)
                            async for _ in generate(request, timeout=timeout_s):
                                pass
                except grpc.aio.AioRpcError as error:
                    is_over = time.monotonic() - began_s > timeout_s - _CLOCKS_S
                    is_reset = error.code() == grpc.StatusCode.CANCELLED and is_over
                    codes[_RESET if is_reset else error.code().name] += 1
                else:
                    codes["OK"] += 1

        async with asyncio.TaskGroup() as group:
            for number in range(CALLS):
                group.create_task(ask(number))
    return codes


def test_deadlines_that_cannot_be_met(models: Path, tmp_path: Path) -> None:
    """Of thousands of such calls each ends at its deadline, or is refused for a full queue, and none otherwise.

    What they began ends with them; those without such deadlines are answered right all the while.
    """
    graphs.slow(models / "slow" / "1" / "model.onnx")
    with serving(models, tmp_path / "log") as server:
        asyncio.run(storm(server.address))  # all that is made at the first time is there
        before = held(server.popen.pid)
        with under_load(server.address):
            codes = asyncio.run(storm(server.address))
        assert codes.total() == CALLS
        assert set(codes) <= {"DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "OK", _RESET}, codes
        assert codes["DEADLINE_EXCEEDED"] > CALLS / 3
        await_back(server, before)
        check_well(server.address)
        assert "Traceback" not in server.log.read_text()
