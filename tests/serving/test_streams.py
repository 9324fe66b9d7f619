"""Streams on a plain event loop: the order of answers, how much is under way, and how streams end."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

import pytest

from hondo.errors import InvalidRequest, Unavailable
from protos.hondo_pb2 import ClassifyRequest, ClassifyStreamResponse, Failure, Row
from serving.streams import Streams
from serving.tasks.inputs import rows_of

ROOM = 128  # rows


class Work:
    """Answers requests, each when it is told to, and keeps count."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.cancelled: list[int] = []
        self._gates: dict[int, asyncio.Event] = {}

    def let(self, *numbers: int) -> None:
        """Lets the answers to the requests with those numbers come."""
        for number in numbers:
            self._gates.setdefault(number, asyncio.Event()).set()

    async def answer(self, request: ClassifyRequest) -> ClassifyStreamResponse:
        """Answers with the request's number."""
        self.began.append(request.version)
        try:
            await self._gates.setdefault(request.version, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(request.version)
            raise
        return ClassifyStreamResponse(failure=Failure(code=request.version))


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def streams(work: Work) -> Streams[ClassifyRequest, ClassifyStreamResponse]:
    return Streams(work.answer, rows_of)


def request(number: int, rows: int = 1, text: str = "") -> ClassifyRequest:
    """Gives a request of so many rows, or of one text."""
    return ClassifyRequest(version=number, rows=[Row()] * rows if not text else [], texts=[text] if text else [])


async def coming(*requests: ClassifyRequest, then_wait: bool = False) -> AsyncIterator[ClassifyRequest]:
    """Gives requests as if they came over the wire, then the end, or nothing any more."""
    for each in requests:
        yield each
    if then_wait:
        await asyncio.Event().wait()


async def settle() -> None:
    """Lets everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def numbers(answers: AsyncGenerator[ClassifyStreamResponse]) -> list[int]:
    return [answer.failure.code async for answer in answers]


Service = Streams[ClassifyRequest, ClassifyStreamResponse]


async def test_answers_come_in_order_whatever_is_ready_first(streams: Service, work: Work) -> None:
    """Requests run side by side; the last to come may be done first, its answer still comes last."""
    answers = asyncio.create_task(numbers(streams.answers(coming(*map(request, range(5))))))
    await settle()
    assert work.began == [0, 1, 2, 3, 4]
    for number in (4, 2, 3, 1):
        work.let(number)
    await settle()
    assert not answers.done()
    work.let(0)
    assert await answers == [0, 1, 2, 3, 4]


async def test_streams_do_not_wait_for_each_other(streams: Service, work: Work) -> None:
    """A stream that is stuck does not hold up another of the same method."""
    stuck = asyncio.create_task(numbers(streams.answers(coming(request(1)))))
    work.let(2)
    assert await numbers(streams.answers(coming(request(2)))) == [2]
    assert not stuck.done()
    work.let(1)
    assert await stuck == [1]


async def test_empty_stream_has_no_answers(streams: Service) -> None:
    """Who asks nothing is answered nothing."""
    assert await numbers(streams.answers(coming())) == []


async def test_no_more_is_read_than_there_is_room_for(streams: Service, work: Work) -> None:
    """As many rows as there is room for are under way; the next request waits until an answer was taken."""
    work.let(*range(10))
    async with aclosing(streams.answers(coming(*(request(number, ROOM // 2) for number in range(10))))) as answers:
        await anext(answers)
        await settle()
        assert work.began == [0, 1]  # the first answer is not taken yet, only given
        await anext(answers)
        await settle()
        assert work.began == [0, 1, 2]
        assert await numbers(answers) == list(range(2, 10))


async def test_a_request_larger_than_the_room_runs_alone(streams: Service, work: Work) -> None:
    """However many rows a request has, it is answered; nothing runs beside it."""
    work.let(0, 1, 2)
    requests = coming(request(0), request(1, 10 * ROOM), request(2))
    async with aclosing(streams.answers(requests)) as answers:
        await anext(answers)
        await settle()
        assert work.began == [0]
        await anext(answers)
        await settle()
        assert work.began == [0, 1]
        assert await numbers(answers) == [2]


async def test_bytes_take_room_too(streams: Service, work: Work) -> None:
    """Few but large requests fill the room as many rows do."""
    large = "x" * (64 * 1024 * ROOM // 2)
    work.let(*range(4))
    async with aclosing(streams.answers(coming(*(request(number, text=large) for number in range(4))))) as answers:
        await anext(answers)
        await settle()
        assert work.began == [0, 1]
        assert await numbers(answers) == [1, 2, 3]


async def test_a_stream_that_is_left_leaves_nothing_behind(streams: Service, work: Work) -> None:
    """Once the caller is gone, what was under way is cancelled, wherever it was, and nothing is read."""
    before = asyncio.all_tasks()
    answers = asyncio.create_task(numbers(streams.answers(coming(*map(request, range(3)), then_wait=True))))
    await settle()
    answers.cancel()
    with pytest.raises(asyncio.CancelledError):
        await answers
    assert work.cancelled == [0, 1, 2]
    assert asyncio.all_tasks() == before


async def test_a_stream_left_between_answers_leaves_nothing_behind(streams: Service, work: Work) -> None:
    """The same holds for a caller that goes while an answer is being written."""
    before = asyncio.all_tasks()
    work.let(0)
    async with aclosing(streams.answers(coming(*map(request, range(3)), then_wait=True))) as answers:
        await anext(answers)
        await settle()
    assert work.cancelled == [1, 2]
    assert asyncio.all_tasks() == before


async def test_what_reading_fails_with_comes_after_the_answers(streams: Service, work: Work) -> None:
    """A message that is none ends the stream with its error, once all before it is answered."""

    async def broken() -> AsyncIterator[ClassifyRequest]:
        yield request(1)
        raise InvalidRequest("no message")

    work.let(1)
    answers = streams.answers(broken())
    assert (await anext(answers)).failure.code == 1
    with pytest.raises(InvalidRequest, match="no message"):
        await anext(answers)


async def test_a_stop_answers_what_was_read(streams: Service, work: Work) -> None:
    """A stop reads no further, answers what was read, then says so."""
    answers = streams.answers(coming(request(1), request(2), then_wait=True))
    work.let(1)
    assert (await anext(answers)).failure.code == 1
    streams.stop()
    work.let(2)
    assert (await anext(answers)).failure.code == 2
    with pytest.raises(Unavailable, match="stopping"):
        await anext(answers)


async def test_a_stop_reaches_a_stream_that_waits_for_room(streams: Service, work: Work) -> None:
    """A request that was read but had no room yet is not answered: it may be asked again elsewhere."""
    answers = streams.answers(coming(request(1, ROOM), request(2)))
    task = asyncio.create_task(anext(answers))
    await settle()
    streams.stop()
    work.let(1, 2)
    assert (await task).failure.code == 1
    with pytest.raises(Unavailable):
        await anext(answers)
    assert work.began == [1]


async def test_a_stream_after_the_stop_is_refused(streams: Service, work: Work) -> None:
    """Who comes after the stop is told so at once."""
    streams.stop()
    with pytest.raises(Unavailable):
        await anext(streams.answers(coming(request(1), then_wait=True)))
    assert work.began == []
