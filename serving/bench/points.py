"""Points: each load on a server, and the references measured just before and just after it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from hondo.errors import ServerError
from serving.bench import answers, cpu, decode
from serving.bench.calls import Calls, Drive
from serving.bench.crew import Crew
from serving.bench.figures import Figures, summarise
from serving.bench.load import Closed, Load, Pace
from serving.bench.questions import Questions
from serving.bench.rate import Rate, sharing
from serving.bench.raw import Explored, Raw, Setting

_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
# A generator that uses more of a core than that measures itself.
_BUSY: Final = 0.9
_SATURATED: Final = "the generator used all of a core: the server may give more; try --generator h2load"


@dataclass(frozen=True, slots=True)
class Reference:
    """What the machine gave without the server, just before and just after a served load."""

    before: Rate
    after: Rate
    # What the server gave.
    served_per_s: float

    @property
    def per_s(self) -> float:
        """The mean of both: a machine that drifts steadily drifts out of it."""
        return (self.before.per_s + self.after.per_s) / 2

    @property
    def ratio(self) -> float:
        """The server's share of it."""
        return self.served_per_s / self.per_s


@dataclass(frozen=True, slots=True)
class Point:
    """One load, measured."""

    load: Load
    served: Figures
    # Rows a second of raw ONNX Runtime, decoding included where the server decodes; None where it was not asked for.
    raw: Reference | None
    raw_setting: Setting | None
    # Requests a second of an empty server, only in a closed loop.
    echo: Reference | None
    # Answers under load that were compared with the answer to the same request alone, and how many differed.
    checked: int
    wrong: int
    # What a reader of the figures should know.
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReference:
    """Raw ONNX Runtime as the reference of a bench."""

    crew: Crew
    raw: Raw
    explored: Explored
    questions: Questions

    def setting(self, load: Load) -> Setting:
        """Gives the setting that a load is held against: one call at a time cannot be batched or put side by side."""
        return self.explored.single if _alone(load) else self.explored.best

    def rate(self, load: Load, seconds: float) -> Rate:
        """Measures rows a second for so many seconds.

        Where the server decodes pictures, they are decoded by as many processes as could be at work for it, and both
        rates are combined as sharing the cores (`rate.sharing`).
        """
        pictures = self.questions.pictures
        if pictures is None:
            return self.raw.measure(self.setting(load), seconds)
        ran = self.raw.measure(self.setting(load), seconds / 2)
        readers = min(len(self.crew), self.questions.rows) if _alone(load) else len(self.crew)
        return sharing(decode.rate(self.crew, pictures, readers, seconds / 2), ran)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A server under load, and what it is held against."""

    server: str
    questions: Questions
    # The server's answers to the questions, each asked alone.
    answers: Sequence[bytes]
    drive: Drive
    pace: Pace
    raw: RawReference | None = None
    # HOST:PORT of an empty server.
    echo: str | None = None

    def points(self, loads: Sequence[Load]) -> Iterator[Point]:
        """Measures each load: the references, the server, the references again."""
        for load in loads:
            raw_before, echo_before = self._raw(load), self._echo(load)
            calls, served = self._serve(load)
            echo_after, raw_after = self._echo(load), self._raw(load)
            wrong = [body for body, answer in calls.samples if not self._right(body, answer)]
            yield Point(
                load=load,
                served=served,
                raw=_reference(raw_before, raw_after, served.rows_per_s),
                raw_setting=self.raw.setting(load) if self.raw else None,
                echo=_reference(echo_before, echo_after, served.requests_per_s),
                checked=len(calls.samples),
                wrong=len(wrong),
                note=_SATURATED if calls.busy > _BUSY else "",
            )

    def _serve(self, load: Load) -> tuple[Calls, Figures]:
        host, _, port = self.server.rpartition(":")
        pids = cpu.listeners(int(port)) if host in _LOOPBACK else frozenset()
        calls, window, server_cpu_s = self.drive(self.server, load, self.pace, pids)
        deadline_s = self.pace.deadline_s
        rows = self.questions.rows
        return calls, summarise(calls, window, load, rows=rows, deadline_s=deadline_s, server_cpu_s=server_cpu_s)

    def _raw(self, load: Load) -> Rate | None:
        return self.raw.rate(load, self.pace.seconds / 2) if self.raw else None

    def _echo(self, load: Load) -> Rate | None:
        if self.echo is None or not isinstance(load, Closed):
            return None
        pace = replace(self.pace, seconds=self.pace.seconds / 2, warm_up_s=self.pace.warm_up_s / 2, deadline_s=None)
        calls, window, _ = self.drive(self.echo, load, pace, frozenset())
        figures = summarise(calls, window, load, rows=1)
        if figures.latency is None:
            raise ServerError(f"even an empty server answered nothing in {pace.seconds:g} s: give it more --seconds")
        return Rate(figures.requests_per_s, figures.latency.p50_ms, None)

    def _right(self, body: int, answer: bytes) -> bool:
        return answers.same(self.questions.method, self.answers[body], answer)


def _alone(load: Load) -> bool:
    return load == Closed(1)


def _reference(before: Rate | None, after: Rate | None, served_per_s: float) -> Reference | None:
    return None if before is None or after is None else Reference(before, after, served_per_s)
