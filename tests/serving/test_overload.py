"""What clients see of a server that has more to do than it can: refusals, limits, urgency."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from hondo import retry
from protos.inference_pb2 import InferParameter, ModelInferResponse
from protos.rpc import INFERENCE, unary_async
from serving.runtime.session import Session
from tests.serving import graphs
from tests.serving.asking import raw
from tests.serving.pace import steps_per_s
from tests.serving.process import serving


@dataclass(frozen=True)
class Slow:
    """A server of one model that runs for as long as it is told, with room for two to wait."""

    address: str
    steps_per_s: float


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slow]:
    """The server, for all tests of this file."""
    models: Path = tmp_path_factory.mktemp("models")
    pace = steps_per_s(Session.open(graphs.slow(models / "slow" / "1" / "model.onnx")))
    with serving(models, tmp_path_factory.mktemp("log") / "log", "--max-queue-rows", "2") as process:
        yield Slow(process.address, pace)


Call = grpc.aio.UnaryUnaryCall[Any, ModelInferResponse]
# Asks for a run of so many seconds, with a deadline and Triton's parameters.
Ask = Callable[..., Call]


@pytest.fixture
async def ask(slow: Slow) -> AsyncIterator[Ask]:
    """ModelInfer on that server."""
    async with grpc.aio.insecure_channel(slow.address) as channel:
        infer = unary_async(channel, INFERENCE, "ModelInfer", ModelInferResponse)

        def ask(run_s: float, timeout_s: float = 20, **parameters: int) -> Call:
            request = raw("INT64", [], [1 + int(run_s * slow.steps_per_s)], "steps")
            request.model_name = "slow"
            for name, value in parameters.items():
                request.parameters[name].CopyFrom(InferParameter(int64_param=value))
            return infer(request, timeout=timeout_s)

        yield ask


async def refused(call: Call) -> grpc.aio.AioRpcError:
    """Gives the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


async def occupied(ask: Ask, run_s: float) -> Call:
    """Occupies the model; gives the call once it runs."""
    await ask(0)  # the connection stands
    call = ask(run_s)
    await asyncio.sleep(0.15)
    return call


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(ask: Ask) -> None:
    """RESOURCE_EXHAUSTED with google.rpc.RetryInfo within a moment; whoever waits is answered all the same."""
    running = await occupied(ask, 0.8)
    waiting = [ask(0) for _ in range(2)]
    await asyncio.sleep(0.1)
    started_s = time.monotonic()
    error = await refused(ask(0))
    assert time.monotonic() - started_s < 0.3
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.details() == "the queue is full: 2 rows wait, at most 2 may"
    retry_after_s = retry.from_metadata(error.trailing_metadata())
    assert retry_after_s is not None
    assert retry_after_s >= 0
    assert [len((await call).outputs) for call in (running, *waiting)] == [1, 1, 1]


async def test_a_request_waits_no_longer_than_it_says(ask: Ask) -> None:
    """Triton's `timeout`, in microseconds, bounds the time in the queue: DEADLINE_EXCEEDED, and the slot is free."""
    running = await occupied(ask, 0.6)
    errors = [await refused(ask(0, timeout=20_000)) for _ in range(4)]
    assert {error.code() for error in errors} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    assert "waited" in (errors[0].details() or "")
    await running


async def test_expired_and_cancelled_calls_free_their_slots(ask: Ask) -> None:
    """Many more callers than slots give up in the queue, by deadline or by cancelling; others find the slots free."""
    running = await occupied(ask, 1)
    for _ in range(4):
        expired = ask(1000, timeout_s=0.03)
        assert (await refused(expired)).code() == grpc.StatusCode.DEADLINE_EXCEEDED
        cancelled = ask(1000)
        await asyncio.sleep(0.02)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        await asyncio.sleep(0.02)
    assert not running.done()
    patient = [ask(0) for _ in range(2)]
    assert [len((await call).outputs) for call in (running, *patient)] == [1, 1, 1]


async def test_high_priority_overtakes(ask: Ask) -> None:
    """Of two that wait, the one with Triton's `priority` 1 runs first, though it came last."""
    running = await occupied(ask, 0.4)
    ended: list[str] = []

    async def noted(name: str, call: Call) -> None:
        await call
        ended.append(name)

    patient = asyncio.create_task(noted("patient", ask(0.3)))
    await asyncio.sleep(0.05)
    urgent = asyncio.create_task(noted("urgent", ask(0, priority=1)))
    await asyncio.gather(running, patient, urgent)
    assert ended == ["urgent", "patient"]
