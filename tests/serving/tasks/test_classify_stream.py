"""ClassifyStream over the wire: order, failures in their place, back-pressure, and streams that are left or stopped."""

import asyncio
import signal
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import grpc
import grpc.aio
import pytest
from PIL import Image

from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse, ClassifyStreamResponse, Row
from protos.rpc import HONDO, stream, stream_async, unary_async
from serving.runtime.session import Session
from tests.hondo.pictures import encode
from tests.serving import artifacts, graphs, tables, words
from tests.serving.artifacts import LABELS, bright
from tests.serving.asking import PATIENCE_S, ask, call_of
from tests.serving.pace import steps_per_s
from tests.serving.process import Process, serving

PICTURES: Final = [encode(Image.fromarray(bright(label)), "PNG") for label in LABELS]


def answers(channel: grpc.Channel, requests: Sequence[ClassifyRequest]) -> list[ClassifyStreamResponse]:
    """Asks on one stream."""
    method = stream(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)
    return list(method(iter(requests), timeout=PATIENCE_S))


async def read(call: grpc.aio.StreamStreamCall[ClassifyRequest, ClassifyStreamResponse]) -> ClassifyStreamResponse:
    """Gives the next response of a stream that has one."""
    response = await call.read()
    assert isinstance(response, ClassifyStreamResponse)
    return response


def best(response: ClassifyStreamResponse) -> list[str]:
    """Gives the likeliest label of each result."""
    return [result.labels[0].name for result in response.answer.results]


def test_requests_of_all_kinds_are_answered_in_order(channel: grpc.Channel) -> None:
    """Pictures, texts and rows, of several models and sizes, come back in the order in which they were asked."""
    kinds = [
        (ClassifyRequest(images=PICTURES), list(LABELS)),
        (ClassifyRequest(texts=list(words.TEXTS)), list(words.TEXTS.values())),
        (ClassifyRequest(rows=[Row(values=row) for row in tables.ROWS.values()]), list(tables.ROWS)),
        (ClassifyRequest(model="side", version=1, images=PICTURES[2:3]), ["left"]),
    ]
    responses = answers(channel, [request for request, _ in kinds] * 50)
    assert [best(response) for response in responses] == [labels for _, labels in kinds] * 50


def test_answer_is_what_a_call_of_its_own_gives(channel: grpc.Channel) -> None:
    """The stream and the single call give the same message."""
    request = ClassifyRequest(texts=list(words.TEXTS), top_k=2)
    (response,) = answers(channel, [request])
    assert response.answer == ask(channel, request)


def test_no_request_is_no_answer(channel: grpc.Channel) -> None:
    """A stream on which nothing is asked ends well."""
    assert answers(channel, []) == []


def test_failures_are_answered_in_their_place(channel: grpc.Channel) -> None:
    """A request that fails is answered by code, text and the item at fault; those around it are answered as ever."""
    good = ClassifyRequest(images=PICTURES[:1])
    bad = [
        (ClassifyRequest(model="nobody", images=PICTURES), grpc.StatusCode.NOT_FOUND, "no model 'nobody'", None),
        (ClassifyRequest(images=[*PICTURES, b"?"]), grpc.StatusCode.INVALID_ARGUMENT, "images[4]: the image is in", 4),
        (ClassifyRequest(texts=["good", " "]), grpc.StatusCode.INVALID_ARGUMENT, "texts[1]: there is no word", 1),
        (ClassifyRequest(rows=[Row()]), grpc.StatusCode.INVALID_ARGUMENT, "rows[0]: values: 0 came, 2 expected", 0),
        (ClassifyRequest(model="mood", rows=[Row()]), grpc.StatusCode.FAILED_PRECONDITION, "takes texts", None),
        (ClassifyRequest(), grpc.StatusCode.INVALID_ARGUMENT, "nothing came to classify", None),
    ]
    responses = answers(channel, [each for request, *_ in bad for each in (request, good)])
    assert [best(response) for response in responses[1::2]] == [["top"]] * len(bad)
    for response, (_, code, text, index) in zip(responses[::2], bad, strict=True):
        failure = response.failure
        assert failure.code == code.value[0]
        assert text in failure.message
        assert (failure.index if failure.HasField("index") else None) == index
        assert failure.retry_after_s == 0


def test_message_that_is_none_ends_the_stream(channel: grpc.Channel) -> None:
    """Bytes that are no ClassifyRequest end the stream with INVALID_ARGUMENT, after the answers to all before them."""
    method: grpc.StreamStreamMultiCallable[bytes, bytes] = channel.stream_stream("/hondo.v1.Hondo/ClassifyStream")
    good = ClassifyRequest(images=PICTURES[:1]).SerializeToString()
    call = method(iter([good, good, b"\xff", good]), timeout=PATIENCE_S)
    assert [best(ClassifyStreamResponse.FromString(next(call))) for _ in range(2)] == [["top"]] * 2
    with pytest.raises(grpc.RpcError) as raised:
        next(call)
    assert call_of(raised.value).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert call_of(raised.value).details() == "the message is not a valid hondo.v1.ClassifyRequest"


def test_unforeseen_failure_is_told_to_the_log_alone(tmp_path: Path) -> None:
    """What nobody foresaw is INTERNAL with a fixed text in its place; the stream goes on, the log has the rest."""
    artifacts.write_classifier(tmp_path / "models", only_batch=len(artifacts.samples()))
    with serving(tmp_path / "models", tmp_path / "log") as server:
        with grpc.insecure_channel(server.address) as channel:
            broken, fine = answers(channel, [ClassifyRequest(images=PICTURES[:1]), ClassifyRequest(texts=["good"])])
        assert broken.failure.code == grpc.StatusCode.INTERNAL.value[0]
        assert broken.failure.message == "internal error; the server's log says more"
        assert fine.failure.code == grpc.StatusCode.NOT_FOUND.value[0]
        assert "Traceback" in server.log.read_text()


async def test_who_does_not_read_is_not_read(server: Process) -> None:
    """A caller that writes without reading is held up after a while, not buffered; once it reads, all is answered."""
    # Large on either way: HTTP/2 itself buffers some megabytes.
    request = ClassifyRequest(texts=["good " * 600] * 32)
    total, written = 600, 0
    small_window = [("grpc.http2.bdp_probe", 0)]
    async with grpc.aio.insecure_channel(server.address, options=small_window) as channel:
        call = stream_async(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(timeout=3 * PATIENCE_S)

        async def write() -> None:
            nonlocal written
            for _ in range(total):
                await call.write(request)
                written += 1
            await call.done_writing()

        writing = asyncio.create_task(write())
        before = -1
        while written > before:
            before = written
            await asyncio.sleep(1)
        assert 0 < written < total / 2
        responses = [await read(call) for _ in range(total)]
        await writing
    assert [best(response) for response in responses] == [["glad"] * 32] * total


@dataclass(frozen=True)
class Slow:
    """A server of one classifier that runs for as long as its rows say, with room for four of them to wait."""

    process: Process
    steps_per_s: float

    def request(self, run_s: float) -> ClassifyRequest:
        """Asks for a run of so many seconds."""
        return ClassifyRequest(rows=[Row(values=[1 + int(run_s * self.steps_per_s)])], top_k=1)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    """Such a server."""
    tables.write_slow(tmp_path / "models")
    pace = steps_per_s(Session.open(graphs.slow(tmp_path / "model.onnx")))
    # One at a time, and not on the event loop, for which a single step is short enough.
    options = ("--instances", "1", "--max-batch-size", "1", "--max-queue-rows", "4")
    with serving(tmp_path / "models", tmp_path / "log", *options) as process:
        yield Slow(process, pace)


async def refused(call: Awaitable[object]) -> grpc.aio.AioRpcError:
    """Gives the error that a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return raised.value


async def code_alone(channel: grpc.aio.Channel, request: ClassifyRequest) -> grpc.StatusCode:
    """Gives the status of a call of its own."""
    call = unary_async(channel, HONDO, "Classify", ClassifyResponse)(request, timeout=PATIENCE_S)
    code: grpc.StatusCode = await call.code()
    return code


async def test_a_full_queue_is_a_failure_that_says_when_to_come_again(slow: Slow) -> None:
    """Requests beyond the queue are RESOURCE_EXHAUSTED in their place, with the seconds to wait; the others run."""
    async with grpc.aio.insecure_channel(slow.process.address) as channel:
        call = stream_async(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(timeout=PATIENCE_S)
        await call.write(slow.request(0.3))
        assert best(await read(call)) == ["late"]  # from here on it is known how long a row takes
        await call.write(slow.request(1))
        await asyncio.sleep(0.3)  # it has left the queue and runs, before the next ones come
        for _ in range(6):
            await call.write(slow.request(0.3))
        await call.done_writing()
        outcomes = [await read(call) for _ in range(7)]
    kinds = [outcome.WhichOneof("outcome") for outcome in outcomes]
    assert kinds == ["answer"] * 5 + ["failure"] * 2
    for outcome in outcomes[5:]:
        assert outcome.failure.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert outcome.failure.retry_after_s > 0


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
async def test_a_stream_that_is_left_frees_its_slots(slow: Slow, ending: str) -> None:
    """What waits for a caller that went, by cancelling or by its deadline, leaves the queue: others find the room."""
    async with grpc.aio.insecure_channel(slow.process.address) as channel:
        timeout_s = 1.0 if ending == "expired" else PATIENCE_S
        call = stream_async(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(timeout=timeout_s)
        await call.write(slow.request(3))
        await asyncio.sleep(0.3)  # it has left the queue and runs, before the next ones come
        for _ in range(4):
            await call.write(slow.request(100))
        await asyncio.sleep(0.3)
        assert await code_alone(channel, slow.request(0)) is grpc.StatusCode.RESOURCE_EXHAUSTED
        if ending == "cancelled":
            call.cancel()
        await call.code()  # the end of the call
        await asyncio.sleep(0.2)
        alone = [code_alone(channel, slow.request(0)) for _ in range(4)]
        assert await asyncio.gather(*alone) == [grpc.StatusCode.OK] * 4
    assert "Traceback" not in slow.process.log.read_text()


async def test_a_stop_answers_what_was_read_and_ends_the_stream(slow: Slow) -> None:
    """SIGTERM: no more is read, what was read is answered, then the stream ends UNAVAILABLE and the server exits 0."""
    async with grpc.aio.insecure_channel(slow.process.address) as channel:
        call = stream_async(channel, HONDO, "ClassifyStream", ClassifyStreamResponse)(timeout=PATIENCE_S)
        for _ in range(4):
            await call.write(slow.request(0.3))
        assert best(await read(call)) == ["late"]
        slow.process.popen.send_signal(signal.SIGTERM)
        assert [best(await read(call)) for _ in range(3)] == [["late"]] * 3
        error = await refused(read(call))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "stopping" in (error.details() or "")
    assert slow.process.popen.wait(PATIENCE_S) == 0
    assert "Traceback" not in slow.process.log.read_text()
