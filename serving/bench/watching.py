"""What it costs to count requests: `python -m serving.bench.watching MODEL --models DIR`.

Two servers of one model, one that counts and one that was told not to (--no-metrics), are asked in turns, each as often
first as second, so that a machine that drifts or is disturbed does not favour one. Processor time of a request, which
other work disturbs less, stands beside the rates. Both run the model in the same way: which sizes of batch pay is
measured when a server loads it, and where two found different ones, that is more of a difference than the counts are.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import click
import grpc
import numpy as np

from hondo.errors import ServerError
from hondo.process import serving
from protos.model_config_pb2 import ModelConfig
from protos.rpc import INFERENCE, unary
from protos.triton_pb2 import ModelConfigRequest, ModelConfigResponse
from serving.bench import cpu, generator, h2load, machine, tensors
from serving.bench.calls import Drive
from serving.bench.crew import Crew
from serving.bench.figures import Figures, summarise
from serving.bench.load import Closed, Pace
from serving.bench.questions import Questions, ask

_WARM_UP_S: Final = 0.5
# Servers that are started until one runs the model as the other does.
_TRIES: Final = 12
_PATIENCE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Both servers, one just after the other."""

    counting: Figures
    plain: Figures

    @property
    def rate(self) -> float:
        """What the server that counts gave, as a share of what the other gave."""
        return self.counting.requests_per_s / self.plain.requests_per_s

    @property
    def cpu(self) -> float:
        """The processor time that the server without counts took for a request, as a share of what the other took."""
        return (self.plain.server_cpu_ms or 0) / (self.counting.server_cpu_ms or math.inf)


@dataclass(frozen=True, slots=True)
class Bench:
    """What asks both servers."""

    drive: Drive
    questions: Questions
    load: Closed
    pace: Pace

    def figures(self, server: str) -> Figures:
        """Measures a server."""
        pids = cpu.listeners(int(server.rpartition(":")[2]))
        calls, window, server_cpu_s = self.drive(server, self.load, self.pace, pids)
        return summarise(calls, window, self.load, rows=self.questions.rows, server_cpu_s=server_cpu_s)

    def turns(self, counting: str, plain: str, rounds: int) -> list[Turn]:
        """Measures both, so many times."""
        found: list[Turn] = []
        for number in range(rounds):
            order = [counting, plain] if number % 2 else [plain, counting]
            figures = {server: self.figures(server) for server in order}
            found.append(Turn(figures[counting], figures[plain]))
        return found


def in_words(turns: Sequence[Turn]) -> str:
    """Gives the figures of all turns, and the medians of their ratios."""
    facts = machine.describe()
    return "\n".join(
        [
            f"{facts.cpu}, {facts.cores} cores, load {facts.load_average:.1f}; {facts.versions}",
            f"counting, requests/s: {'; '.join(f'{each.counting.requests_per_s:,.0f}' for each in turns)}",
            f"not counting: {'; '.join(f'{each.plain.requests_per_s:,.0f}' for each in turns)}",
            f"processor time of a request, counting, ms: {'; '.join(_cpu(each.counting) for each in turns)}",
            f"not counting: {'; '.join(_cpu(each.plain) for each in turns)}",
            f"counting costs {_cost([each.rate for each in turns])} of the rate, "
            f"{_cost([each.cpu for each in turns])} of the processor time "
            f"(medians and quartiles of {len(turns)} turns)",
        ]
    )


def _cost(shares: Sequence[float]) -> str:
    """Gives what is missing of a share: how far the turns lie apart tells what the median is worth."""
    low, middle, high = sorted(1 - share for share in np.quantile(shares, (0.25, 0.5, 0.75)).tolist())
    return f"{middle:.1%} ({low:.1%} to {high:.1%})"


def _cpu(figures: Figures) -> str:
    return f"{figures.server_cpu_ms or 0:.3f}"


@contextmanager
def alike(models: Path, model: str, options: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Starts a server that counts and one that does not, which run a model at the same sizes; gives their addresses.

    Raises:
        ServerError: none of several did.
    """
    with serving(models, *options) as counting:
        for _ in range(_TRIES):
            with serving(models, "--no-metrics", *options) as plain:
                if _way(plain, model) == _way(counting, model):
                    yield counting, plain
                    return
    raise ServerError(f"of {_TRIES} servers none ran {model!r} as the first one does: is other work going on?")


def _way(server: str, model: str) -> ModelConfig:
    """Gives how a server runs a model, its sizes of batch among it."""
    with grpc.insecure_channel(server) as channel:
        ask = unary(channel, INFERENCE, "ModelConfig", ModelConfigResponse)
        config: ModelConfig = ask(ModelConfigRequest(name=model), timeout=_PATIENCE_S).config
    return config


@click.command()
@click.argument("model")
@click.argument("serve_options", nargs=-1, type=click.UNPROCESSED, metavar="[-- SERVE_OPTIONS...]")
@click.option(
    "--models", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of models to serve."
)
@click.option("--rounds", type=click.IntRange(1), default=9, show_default=True, help="How often to ask both.")
@click.option("--seconds", type=click.FloatRange(0.1), default=3.0, show_default=True, help="How long each time.")
@click.option("--concurrency", type=click.IntRange(1), default=32, show_default=True, help="Calls under way at once.")
@click.option(
    "--generator",
    "kind",
    type=click.Choice(["python", "h2load"]),
    default="h2load",
    show_default=True,
    help="What asks; the native one takes less of the server's cores.",
)
def bench(
    *,
    model: str,
    serve_options: tuple[str, ...],
    models: Path,
    rounds: int,
    seconds: float,
    concurrency: int,
    kind: Literal["python", "h2load"],
) -> None:
    """Measure what counting costs a server of MODEL."""
    with alike(models, model, serve_options) as (counting, plain):
        questions = tensors.questions(counting, model, rows=1, shapes={})
        answer_bytes = len(ask(counting, questions.method, questions.bodies[:1])[0])
        with Crew(1) as crew:
            drive = h2load.driver(1, questions, answer_bytes) if kind == "h2load" else generator.driver(crew, questions)
            pace = Pace(seconds=seconds, warm_up_s=_WARM_UP_S, connections=8)
            click.echo(in_words(Bench(drive, questions, Closed(concurrency), pace).turns(counting, plain, rounds)))


if __name__ == "__main__":
    bench()
