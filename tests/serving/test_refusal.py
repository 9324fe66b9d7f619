"""What callers are told of errors."""

import logging

import pytest
from grpc import StatusCode

from hondo.errors import InvalidImage, InvalidRequest, ModelNotFound, Overloaded
from serving.refusal import Refusal


def test_expected_errors_are_told_as_they_are() -> None:
    """Status and text are the error's, with what it knows besides."""
    assert Refusal.of(ModelNotFound("no such"), "") == Refusal(StatusCode.NOT_FOUND, "no such")
    assert Refusal.of(Overloaded("full", 1.5), "").retry_after_s == 1.5
    assert Refusal.of(InvalidRequest("bad", 3), "") == Refusal(StatusCode.INVALID_ARGUMENT, "bad", index=3)
    assert Refusal.of(InvalidImage("bad"), "").index is None


def test_unforeseen_errors_are_told_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets a fixed text, the log what failed and why."""
    with caplog.at_level(logging.ERROR):
        refusal = Refusal.of(ZeroDivisionError("of my own"), "the sum")
    assert refusal == Refusal(StatusCode.INTERNAL, "internal error; the server's log says more")
    assert "the sum failed" in caplog.text
    assert "ZeroDivisionError: of my own" in caplog.text


@pytest.mark.parametrize("letter", ["x", "線", "\udc80"])
def test_texts_fit_into_a_header(letter: str) -> None:
    """However long a text, and of whatever letters, what is sent is short and valid."""
    text = Refusal.of(InvalidRequest(letter * 10_000), "").text
    assert len(text.encode()) <= 2004
    assert text.endswith(" ...")
