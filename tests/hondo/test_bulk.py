"""A bulk without a server: what is asked, asked again and answered, in which order."""

from collections.abc import Iterator

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from hondo import items
from hondo.answer import Answer
from hondo.bulk import Bulk
from hondo.errors import HondoError, InvalidRequest, ModelNotFound, ServerError, Unavailable
from protos.hondo_pb2 import (
    Classified,
    ClassifyRequest,
    ClassifyResponse,
    ClassifyStreamResponse,
    Failure,
    Label,
)

PATIENCE_S = 30.0


class Clock:
    """The time as the test makes it pass."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def monotonic(self) -> float:
        """Tells it."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The bulk's clock."""
    clock = Clock()
    monkeypatch.setattr("hondo.bulk.time", clock)
    return clock


def bulk(batch: int = 4, patience_s: float = PATIENCE_S) -> Bulk[str]:
    """Gives an empty bulk of texts."""
    return Bulk("texts", model="mood", version=2, top_k=1, batch=batch, patience_s=patience_s)


def add(to: Bulk[str], *texts: str) -> None:
    for text in texts:
        to.add(text, items.content("texts", text))


def answer(request: ClassifyRequest) -> ClassifyStreamResponse:
    """Answers every text with itself as its label."""
    results = [Classified(labels=[Label(name=text)]) for text in request.texts]
    return ClassifyStreamResponse(answer=ClassifyResponse(model="mood", version=2, results=results))


def failure(
    code: StatusCode, text: str = "why", retry_after_s: float = 0, index: int | None = None
) -> ClassifyStreamResponse:
    return ClassifyStreamResponse(
        failure=Failure(code=code.value[0], message=text, retry_after_s=retry_after_s, index=index)
    )


def names(answers: Iterator[Answer[str]]) -> list[str]:
    return [answer.labels[0].name for answer in answers]


def test_a_request_has_as_many_as_were_asked_for() -> None:
    """Items go out in batches, the last with what is left, under the model, version and top_k that were asked for."""
    asked = bulk(batch=3)
    add(asked, *"abcdefgh")
    requests = list(asked.to_send())
    assert [list(request.texts) for request in requests] == [["a", "b", "c"], ["d", "e", "f"], ["g", "h"]]
    assert {(request.model, request.version, request.top_k) for request in requests} == {("mood", 2, 1)}
    assert list(asked.to_send()) == []


def test_a_request_stays_far_below_the_largest_message() -> None:
    """Large items go out in smaller batches; one that is too large for any goes out alone."""
    asked = bulk(batch=100)
    add(asked, *["x" * 900_000] * 5, "y" * 5_000_000, "z")
    assert [len(request.texts) for request in asked.to_send()] == [2, 2, 1, 1, 1]


def test_there_is_no_room_for_more_than_can_be_held() -> None:
    """So many items, or so many bytes, are ahead of the answers, whatever the batch."""
    many, large = bulk(batch=1), bulk(batch=1)
    while many.has_room:
        add(many, "a")
    while large.has_room:
        add(large, "x" * 2**20)
    assert len(list(many.to_send())) == 256
    assert len(list(large.to_send())) == 16


def test_answers_make_room() -> None:
    """Room comes back when answers are taken."""
    asked = bulk(batch=1000)
    while asked.has_room:
        add(asked, "a")
    for request in list(asked.to_send()):
        asked.answered(answer(request))
    had_room = asked.has_room
    assert len(list(asked.ready())) == 8000
    assert (had_room, asked.has_room, asked.is_done) == (False, True, True)


def test_answers_wait_for_those_before_them() -> None:
    """An answer is given only when all before it are."""
    asked = bulk(batch=1)
    add(asked, "a", "b")
    *_, second = asked.to_send()
    asked.answered(failure(StatusCode.RESOURCE_EXHAUSTED))
    asked.answered(answer(second))
    assert names(asked.ready()) == []
    assert not asked.is_done
    assert asked.pause_s() > 0


def test_a_bad_item_fails_alone() -> None:
    """The item at fault gets the error, without its number in a request nobody saw; the others are asked again."""
    asked = bulk()
    add(asked, "a", "?", "c")
    list(asked.to_send())
    asked.answered(failure(StatusCode.INVALID_ARGUMENT, "texts[1]: there is no word in it", index=1))
    (again,) = asked.to_send()
    assert list(again.texts) == ["a", "c"]
    asked.answered(answer(again))
    a, bad, c = asked.ready()
    assert (a.labels[0].name, c.labels[0].name) == ("a", "c")
    assert bad.item == "?"
    assert str(bad.error) == "there is no word in it"
    with pytest.raises(InvalidRequest, match=r"^there is no word in it$"):
        _ = bad.labels


def test_a_batch_of_bad_items_is_over_when_each_was_named() -> None:
    """Where nothing is left of a request, nothing is asked again."""
    asked = bulk()
    add(asked, "?", "!")
    for _ in range(2):
        list(asked.to_send())
        asked.answered(failure(StatusCode.INVALID_ARGUMENT, index=0))
    assert list(asked.to_send()) == []
    assert [answer.item for answer in asked.ready() if answer.error] == ["?", "!"]
    assert asked.is_done


def test_an_item_that_cannot_be_asked_keeps_its_place() -> None:
    """What fails before it is sent is answered in its place."""
    asked = bulk()
    add(asked, "a")
    asked.refuse("b", FileNotFoundError("no such file"))
    add(asked, "c")
    (request,) = asked.to_send()
    assert list(request.texts) == ["a", "c"]
    asked.answered(answer(request))
    assert [type(each.error) for each in asked.ready()] == [type(None), FileNotFoundError, type(None)]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (StatusCode.NOT_FOUND, ModelNotFound),
        (StatusCode.INTERNAL, ServerError),
        (StatusCode.INVALID_ARGUMENT, InvalidRequest),
    ],
)
def test_what_would_fail_all_is_raised(code: StatusCode, error: type[HondoError]) -> None:
    """A failure that is no single item's, and will not pass, ends the bulk."""
    asked = bulk()
    add(asked, "a")
    list(asked.to_send())
    with pytest.raises(error, match="why"):
        asked.answered(failure(code))


def test_a_full_queue_is_waited_for_as_long_as_it_says(clock: Clock) -> None:
    """A refused request goes out again after the time that the server named."""
    asked = bulk()
    add(asked, "a")
    list(asked.to_send())
    asked.answered(failure(StatusCode.RESOURCE_EXHAUSTED, retry_after_s=1.5))
    assert asked.pause_s() == 1.5
    assert list(asked.to_send()) == []
    clock.now_s += 1.5
    assert asked.pause_s() == 0
    (again,) = asked.to_send()
    asked.answered(answer(again))
    assert names(asked.ready()) == ["a"]


def test_a_queue_that_stays_full_is_given_up(clock: Clock) -> None:
    """Where nothing is answered for as long as the caller is patient, the refusal is raised; pauses grow meanwhile."""
    asked = bulk(patience_s=10)
    add(asked, "a")
    pauses_s: list[float] = []

    def try_for_ever() -> None:
        while True:
            list(asked.to_send())
            asked.answered(failure(StatusCode.RESOURCE_EXHAUSTED, "full"))
            pauses_s.append(asked.pause_s())
            clock.now_s += pauses_s[-1]

    with pytest.raises(HondoError, match="full"):
        try_for_ever()
    assert 10 < sum(pauses_s) < 13
    assert pauses_s == pytest.approx(sorted(pauses_s))
    assert (pauses_s[0], pauses_s[-1]) == pytest.approx((0.1, 2.0))


def test_an_answer_renews_the_patience(clock: Clock) -> None:
    """A server that answers now and then is slow, not gone."""
    asked = bulk(batch=1, patience_s=10)
    for _ in range(10):
        add(asked, "a")
        list(asked.to_send())
        asked.answered(failure(StatusCode.RESOURCE_EXHAUSTED))
        clock.now_s += 9
        (again,) = asked.to_send()
        asked.answered(answer(again))
    assert names(asked.ready()) == ["a"] * 10


def test_a_stream_that_breaks_is_taken_up_where_it_broke(clock: Clock) -> None:
    """All that was sent and not answered is asked again, in order, before what was not sent yet."""
    asked = bulk(batch=1)
    add(asked, "a", "b", "c")
    first, *_ = list(asked.to_send())
    asked.answered(answer(first))
    add(asked, "d")
    asked.interrupted(Unavailable("gone"))
    assert not asked.is_waiting
    clock.now_s += asked.pause_s()
    again = list(asked.to_send())
    assert [list(request.texts) for request in again] == [["b"], ["c"], ["d"]]
    for request in again:
        asked.answered(answer(request))
    assert names(asked.ready()) == ["a", "b", "c", "d"]


def test_a_server_that_never_answered_is_not_waited_for(clock: Clock) -> None:
    """Where no stream ever brought an answer, the first that breaks is the end: the channel has tried it enough."""
    asked = bulk()
    add(asked, "a")
    list(asked.to_send())
    with pytest.raises(Unavailable, match="gone"):
        asked.interrupted(Unavailable("gone"))


def test_batch_must_be_something() -> None:
    """No item in a message would ask nothing for ever."""
    with pytest.raises(ValueError, match="batch is 0"):
        bulk(batch=0)


@given(
    texts=st.lists(st.sampled_from(["good", "fine", "bad", "?"]), max_size=60),
    batch=st.integers(1, 7),
    trouble=st.lists(st.sampled_from(["none", "none", "full", "late", "break"]), max_size=100),
)
def test_each_item_is_answered_once_in_its_place(texts: list[str], batch: int, trouble: list[str]) -> None:
    """Whatever goes wrong on the way, every item gets its own answer, in order: "?" an error, the others a label."""
    troubles, clock = iter(trouble), Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hondo.bulk.time", clock)
        asked = bulk(batch, patience_s=1e9)
        asked._was_answered = True
        add(asked, *texts)
        given_: list[Answer[str]] = []
        stream: list[ClassifyRequest] = []
        while not asked.is_done:
            clock.now_s += asked.pause_s()
            stream += asked.to_send()
            assert asked.is_waiting
            match next(troubles, "none"):
                case "full":
                    asked.answered(failure(StatusCode.RESOURCE_EXHAUSTED, retry_after_s=0.5))
                    stream.pop(0)
                case "late":
                    asked.answered(failure(StatusCode.DEADLINE_EXCEEDED))
                    stream.pop(0)
                case "break":
                    asked.interrupted(Unavailable("gone"))
                    stream.clear()
                case _:
                    asked.answered(responded(stream.pop(0)))
            given_ += asked.ready()
    assert [each.item for each in given_] == texts
    assert [each.error is None for each in given_] == [text != "?" for text in texts]
    assert [each.labels[0].name for each in given_ if not each.error] == [text for text in texts if text != "?"]


def responded(request: ClassifyRequest) -> ClassifyStreamResponse:
    """Answers as a server does: the first "?" fails its whole request."""
    if "?" in request.texts:
        return failure(StatusCode.INVALID_ARGUMENT, index=list(request.texts).index("?"))
    return answer(request)
