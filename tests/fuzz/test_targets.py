"""A short run of what `make fuzz` does for as long as is wished: readers of what comes from outside."""

import contextlib
import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Final

import pytest

from hondo.errors import HondoError
from tests.fuzz import extremes, target

_INPUTS: Final = 300
# These keep threads and an event loop for as long as their process lives.
_ALONE: Final = "questions"
_CAN_GUIDE: Final = find_spec("atheris") is not None


@pytest.mark.parametrize("name", [name for name in target.NAMES if name != _ALONE])
def test_spoiled_input_is_read_or_refused(
    name: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a good input is spoiled, it is read or refused with an error of Hondo's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp(name)))
    reader = import_module(f"tests.fuzz.targets.{name}")
    seeds, dice = reader.seeds(), Random(1)  # noqa: S311  the same chance each time
    for seed in seeds:
        with contextlib.suppress(HondoError):
            reader.one(seed)
    for _ in range(_INPUTS):
        data = dice.choice(seeds)
        for _ in range(dice.choice((1, 1, 2, 4))):
            data = extremes.spoiled(data, dice)
        with contextlib.suppress(HondoError):
            reader.one(data)


@pytest.mark.skipif(not _CAN_GUIDE, reason="atheris has no wheel for this platform")
def test_guided_questions_are_answered_or_refused(tmp_path: Path) -> None:
    """Requests that are led by the lines that they reach are answered or refused with an error of Hondo's own."""
    assert "DONE" in target.fuzz(_ALONE, tmp_path, runs=500)


@pytest.mark.skipif(not _CAN_GUIDE, reason="atheris has no wheel for this platform")
def test_input_that_fails_is_kept_and_fails_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An input that raises what nobody foresaw ends the run, is named, and does so again when it is replayed."""
    monkeypatch.setenv("HONDO_FUZZ_EXPECTS", "InvalidSettings")
    with pytest.raises(AssertionError, match="libFuzzer: fuzz target exited"):
        target.fuzz("tokens", tmp_path, runs=500)
    (failed,) = tmp_path.glob("tokens-crash-*")
    with pytest.raises(AssertionError, match="InvalidRequest"):
        target.replay("tokens", failed)
