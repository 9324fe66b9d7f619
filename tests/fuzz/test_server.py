"""A short run of what `make fuzz` does for as long as is wished: a real server, all of its RPCs, both of its ports."""

import os
import signal
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from protos.rpc import HONDO, INFERENCE
from tests.fuzz import seeds, thrown
from tests.fuzz.calls import Calls
from tests.fuzz.campaign import Campaign, Failed, Told
from tests.fuzz.connections import Connections
from tests.fuzz.victim import Victim, victim

_THROWN = 2000


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    """A server to be attacked."""
    with victim(tmp_path_factory.mktemp("victim")) as attacked:
        yield attacked


def test_reflection_tells_every_method(attacked: Victim) -> None:
    """What is fuzzed is all that the server has: the typed service, the open protocol, health and reflection."""
    ours = {f"/{service.full_name}/{method.name}" for service in (HONDO, INFERENCE) for method in service.methods}
    health = {f"/grpc.health.v1.Health/{method}" for method in ("Check", "List", "Watch")}
    reflection = {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"}
    assert {method.path for method in attacked.methods()} == ours | health | reflection


async def test_server_bears_what_is_thrown(attacked: Victim, tmp_path: Path) -> None:
    """Whatever comes, answers are proper, good requests between are answered rightly, memory and files come back."""
    campaign = Campaign(attacked, seed=2, folder=tmp_path)
    await campaign.run(lambda told: told.count < _THROWN, print)
    assert campaign.told.count == _THROWN


def test_chance_can_be_repeated(attacked: Victim, tmp_path: Path) -> None:
    """The same seed makes the same up, and what is read from a file is what was written to it."""

    def made_up() -> list[thrown.Thrown]:
        calls = Calls(attacked.methods(), seeds.good(), attacked.metadata, 5)
        return [*islice(calls, 200), *islice(Connections(calls, attacked.metadata, 5), 50)]

    first = made_up()
    assert made_up() == first
    thrown.write(tmp_path / "thrown", first)
    assert thrown.read(tmp_path / "thrown") == first


async def test_end_of_the_server_is_told(tmp_path: Path) -> None:
    """A server that ends is found out, and what was thrown at it kept."""
    with victim(tmp_path) as attacked:
        campaign = Campaign(attacked, seed=3, folder=tmp_path / "found")
        os.kill(attacked.pid, signal.SIGKILL)
        with pytest.raises(Failed, match="--replay"):
            await campaign.throw([])
    assert len(list((tmp_path / "found").iterdir())) == 1


async def test_improper_answer_is_told(attacked: Victim, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer with a status that is none of those which are proper is found out, and its call kept."""
    monkeypatch.setattr("tests.fuzz.asker._PROPER", frozenset())
    campaign = Campaign(attacked, seed=4, folder=tmp_path)
    call = thrown.Call(path="/hondo.v1.Hondo/GetModel", messages=(b"",), metadata=attacked.metadata)
    with pytest.raises(ExceptionGroup) as raised:
        await campaign.throw([call])
    assert raised.group_contains(Failed, match="NOT_FOUND")
    (kept,) = tmp_path.iterdir()  # noqa: ASYNC240  it is a moment
    assert thrown.read(kept) == [call]


def test_figures_are_told() -> None:
    """What came of a campaign is told in a line."""
    told = Told(calls=900, messages=1000, connections=100, seconds=2.0, warm_mb=100, now_mb=110)
    assert str(told).startswith("1,000 thrown (900 calls with 1,000 messages, 100 connections) in 2 s, 500/s")
