"""A bulk: what of many pictures, texts or rows is to be asked, was asked and was answered.

It sends and receives nothing: `hondo.many` does, blocking or with asyncio.
"""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from grpc import StatusCode

from hondo import items
from hondo.answer import Answer
from hondo.errors import HondoError, InvalidRequest, from_status
from hondo.items import Content, Field
from protos.hondo_pb2 import ClassifyRequest, ClassifyResponse, ClassifyStreamResponse, Failure

Item = TypeVar("Item")

# A request ends before it would be longer, so that no server refuses it for its length.
_REQUEST_BYTES: Final = 2 * 2**20
# What is asked ahead of the answers, at most: so many requests, but more items where those are small, and fewer bytes.
_REQUESTS_AHEAD: Final = 8
_ITEMS_AHEAD: Final = 256
_BYTES_AHEAD: Final = 16 * 2**20
# From a failure that may pass to the next attempt, at least and at most, unless the server says longer.
_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0

_CODES: Final = {code.value[0]: code for code in StatusCode}
# What may pass. A request that failed with it is asked again.
_PASSING: Final = {StatusCode.RESOURCE_EXHAUSTED, StatusCode.DEADLINE_EXCEEDED, StatusCode.UNAVAILABLE}


@dataclass(slots=True, eq=False)
class _Place(Generic[Item]):
    """An item's place in the order of answers."""

    item: Item
    answer: Answer[Item] | None = None


@dataclass(slots=True, eq=False)
class _Asked(Generic[Item]):
    """A request, and the places of what it asks about."""

    request: ClassifyRequest
    places: list[_Place[Item]]
    size_bytes: int


class Bulk(Generic[Item]):
    """The items of one bulk, from the first that has no answer yet."""

    def __init__(self, field: Field, *, model: str, version: int, top_k: int, batch: int, patience_s: float) -> None:
        """Asks a model about items of one kind.

        Args:
            field: which kind.
            model: its name; empty where the server has only one that takes them.
            version: 0 is the newest.
            top_k: how many labels for each item.
            batch: how many items go into a request.
            patience_s: for how long failures that may pass are borne without an answer in between.
        """
        if batch < 1:
            raise ValueError(f"batch is {batch}, at least 1 expected")
        self.field: Final = field
        self._empty = ClassifyRequest(model=model, version=version, top_k=top_k)
        self._batch = batch
        self._patience_s = patience_s
        self._places: deque[_Place[Item]] = deque()
        self._filling = self._fresh()
        self._unsent: deque[_Asked[Item]] = deque()
        self._sent: deque[_Asked[Item]] = deque()
        self._bytes = 0
        self._was_answered = False
        # Since when only failures came, and when to ask again, by time.monotonic().
        self._failing_since_s: float | None = None
        self._resume_s = 0.0

    @property
    def has_room(self) -> bool:
        """Whether more items should be added."""
        most = max(_ITEMS_AHEAD, _REQUESTS_AHEAD * self._batch)
        return len(self._places) < most and self._bytes < _BYTES_AHEAD

    @property
    def is_done(self) -> bool:
        """Whether every item that was added has been answered, and the answer taken."""
        return not self._places

    @property
    def is_waiting(self) -> bool:
        """Whether a request was sent that was not answered."""
        return bool(self._sent)

    def add(self, item: Item, content: Content) -> None:
        """Takes an item to ask about."""
        size_bytes = items.size_bytes(content)
        if self._filling.places and self._filling.size_bytes + size_bytes > _REQUEST_BYTES:
            self._end_request()
        place = _Place(item)
        self._places.append(place)
        self._filling.places.append(place)
        self._filling.size_bytes += size_bytes
        self._bytes += size_bytes
        getattr(self._filling.request, self.field).append(content)
        if len(self._filling.places) == self._batch:
            self._end_request()

    def refuse(self, item: Item, error: InvalidRequest | OSError) -> None:
        """Takes an item that cannot even be asked about."""
        self._places.append(_Place(item, Answer(item=item, error=error)))

    def pause_s(self) -> float:
        """Gives how long to wait before anything goes on."""
        return 0.0 if self._sent else max(0.0, self._resume_s - time.monotonic())

    def to_send(self) -> Iterator[ClassifyRequest]:
        """Gives the requests to send now, which may be none."""
        self._end_request()
        while self._unsent and self._resume_s <= time.monotonic():
            self._sent.append(self._unsent.popleft())
            yield self._sent[-1].request

    def answered(self, response: ClassifyStreamResponse) -> None:
        """Takes the response to the first of the requests that were sent.

        Raises:
            HondoError: it failed for a reason that would fail all others too.
        """
        asked = self._sent.popleft()
        if response.HasField("failure"):
            self._failed(asked, response.failure)
            return
        self._answer(asked, response.answer)

    def interrupted(self, error: HondoError) -> None:
        """Has all that was sent in vain asked again, on another stream.

        Raises:
            HondoError: the error, where there never was an answer, or none for long.
        """
        if not self._was_answered:
            raise error
        self._bear(error)
        self._unsent.extendleft(reversed(self._sent))
        self._sent.clear()

    def ready(self) -> Iterator[Answer[Item]]:
        """Gives the answers that are next in order and there."""
        while self._places and (answer := self._places[0].answer) is not None:
            self._places.popleft()
            yield answer

    def _fresh(self) -> _Asked[Item]:
        request = ClassifyRequest()
        request.CopyFrom(self._empty)
        return _Asked(request, [], 0)

    def _end_request(self) -> None:
        if self._filling.places:
            self._unsent.append(self._filling)
            self._filling = self._fresh()

    def _answer(self, asked: _Asked[Item], answer: ClassifyResponse) -> None:
        self._went_well()
        self._bytes -= asked.size_bytes
        for place, result in zip(asked.places, answer.results, strict=True):
            place.answer = Answer(item=place.item, model=answer.model, version=answer.version, found=result.labels)

    def _failed(self, asked: _Asked[Item], failure: Failure) -> None:
        code = _CODES.get(failure.code, StatusCode.UNKNOWN)
        if failure.HasField("index"):
            self._went_well()
            text = failure.message.removeprefix(f"{self.field}[{failure.index}]: ")
            self._drop(asked, failure.index, InvalidRequest(text))
        elif code in _PASSING:
            self._bear(from_status(code, failure.message), failure.retry_after_s)
        else:
            raise from_status(code, failure.message)
        if asked.places:
            self._unsent.appendleft(asked)

    def _drop(self, asked: _Asked[Item], index: int, error: InvalidRequest) -> None:
        """Answers the item that is at fault, and leaves the others to be asked again."""
        place = asked.places.pop(index)
        place.answer = Answer(item=place.item, error=error)
        contents = getattr(asked.request, self.field)
        size_bytes = items.size_bytes(contents[index])
        del contents[index]
        asked.size_bytes -= size_bytes
        self._bytes -= size_bytes

    def _went_well(self) -> None:
        self._was_answered = True
        self._failing_since_s = None

    def _bear(self, error: HondoError, pause_s: float = 0.0) -> None:
        """Has the next attempt wait, the longer the longer it fails; raises the error once that is too long."""
        now_s = time.monotonic()
        if self._failing_since_s is None:
            self._failing_since_s = now_s
        failing_s = now_s - self._failing_since_s
        if failing_s > self._patience_s:
            raise error
        pause_s = max(pause_s, min(max(_PAUSE_S, failing_s), _LONGEST_PAUSE_S))
        self._resume_s = max(self._resume_s, now_s + pause_s)
