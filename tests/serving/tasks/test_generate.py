"""Generate and Score over the wire: texts that are the model's own, whoever else asks, leaves or lags."""

import asyncio
import math
import os
import re
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from hondo.client import AsyncClient, Client
from hondo.errors import Overloaded
from protos.hondo_pb2 import (
    Ending,
    GenerateRequest,
    GenerateResponse,
    GetModelRequest,
    GetModelResponse,
    ListModelsRequest,
    ListModelsResponse,
    ScoreRequest,
    ScoreResponse,
)
from protos.rpc import HONDO, replies
from serving.bench.holdings import held
from tests.serving import writers
from tests.serving.asking import PATIENCE_S, ask, call_of, refusal
from tests.serving.process import Process, serving

# As many streams as `HONDO_STREAMS` says, in the test of a crowd.
STREAMS = int(os.environ.get("HONDO_STREAMS", "40"))
ENDLESS = 1_000_000


def generate(channel: grpc.Channel, **fields: Any) -> list[GenerateResponse]:
    """Gives all messages of a stream."""
    call = replies(channel, HONDO, "Generate", GenerateResponse)
    return list(call(GenerateRequest(**fields), timeout=PATIENCE_S))


def texts(responses: Sequence[GenerateResponse]) -> dict[int, str]:
    """Gives what each continuation came to."""
    found: dict[int, str] = {}
    for response in responses:
        for each in response.continued:
            found[each.continuation] = found.get(each.continuation, "") + each.text
    return found


def endings(responses: Sequence[GenerateResponse]) -> dict[int, Ending]:
    """Gives how each continuation ended; each does so once."""
    found = [(each.continuation, each.ending) for r in responses for each in r.continued if each.HasField("ending")]
    assert len(dict(found)) == len(found)
    return dict(found)


def expected(prompt: str, count: int, **settings: Any) -> str:
    """Gives what the model writes."""
    return writers.decode(writers.written([writers.START, *writers.encode(prompt)], count, **settings)[0])


def gauge(server: Process, name: str) -> float:
    """Scrapes the sum of a metric of the decode loop."""
    found = re.search(r"metrics on (\S+)", server.log.read_text())
    assert found is not None
    with urllib.request.urlopen(found[1], timeout=PATIENCE_S) as answer:  # noqa: S310  our own server
        families = text_string_to_metric_families(answer.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return sum(each.value for each in samples if each.name == name and each.labels["graph"] == "step")


def await_gauge(server: Process, name: str, value: float) -> None:
    """Waits until a metric has a value."""
    give_up_s = time.monotonic() + PATIENCE_S
    while gauge(server, name) != value:
        assert time.monotonic() < give_up_s, f"{name} is {gauge(server, name)}"
        time.sleep(0.01)


def await_rest(server: Process) -> None:
    """Waits until no row runs, and none has for a while."""
    give_up_s, since_s = time.monotonic() + PATIENCE_S, time.monotonic()
    while time.monotonic() < since_s + 0.5:
        assert time.monotonic() < give_up_s, "rows run on"
        if gauge(server, "hondo_running_rows"):
            since_s = time.monotonic()
        time.sleep(0.01)


def test_text_is_the_models_own(channel: grpc.Channel) -> None:
    """The text is what the model writes after the prompt; the last message has its length and log-likelihood."""
    responses = generate(channel, prompt="hello", max_characters=100, seed=7)
    assert texts(responses) == {0: expected("hello", 100, seed=7)}
    first = responses[0]
    assert (first.model, first.version, first.seed, first.prompt_characters) == ("writer", 1, 7, 5)
    assert all((each.model, each.seed) == ("", 0) for each in responses[1:])
    (ending,) = endings(responses).values()
    _, log_probabilities = writers.written([writers.START, *writers.encode("hello")], 100, seed=7)
    assert (ending.reason, ending.characters, ending.stop) == (Ending.LENGTH, 100, "")
    assert ending.log_likelihood == sum(log_probabilities)


def test_defaults(channel: grpc.Channel) -> None:
    """Nothing given: 500 characters from a text's beginning, at temperature 1, by a seed that is told."""
    responses = generate(channel)
    text, seed = texts(responses)[0], responses[0].seed
    assert len(text) == 500
    assert text == expected("", 500, seed=seed)
    assert generate(channel)[0].seed != seed


def test_temperature_0_is_greedy(channel: grpc.Channel) -> None:
    """At temperature 0 the seed makes no difference; 0 is not taken for nothing given."""
    greedy = expected("ab", 50, temperature=0)
    assert [
        texts(generate(channel, prompt="ab", max_characters=50, temperature=0, seed=seed))[0] for seed in (1, 2)
    ] == [greedy] * 2


def test_top_k_reaches_the_model(channel: grpc.Channel) -> None:
    """The graph gets what was asked for."""
    assert texts(generate(channel, max_characters=50, top_k=3, seed=1))[0] == expected("", 50, top_k=3, seed=1)


def test_continuations_are_those_of_their_number(channel: grpc.Channel) -> None:
    """Each continuation writes by chances of its own, which more or fewer beside it do not change."""
    three = texts(generate(channel, prompt="x", max_characters=60, seed=9, continuations=3))
    assert three == {row: expected("x", 60, seed=9, row=row) for row in range(3)}
    assert texts(generate(channel, prompt="x", max_characters=60, seed=9))[0] == three[0]


def test_log_probabilities_come_if_asked(channel: grpc.Channel) -> None:
    """Each character has its own, over all messages together; none come unasked."""
    asked: dict[str, Any] = {"prompt": "x", "max_characters": 60, "seed": 9, "stream_interval_ms": 0}
    responses = generate(channel, **asked, log_probabilities=True)
    found = [number for response in responses for each in response.continued for number in each.log_probabilities]
    assert found == writers.written([writers.START, *writers.encode("x")], 60, seed=9)[1]
    assert not any(each.log_probabilities for r in generate(channel, **asked) for each in r.continued)


@pytest.mark.parametrize("interval_ms", [0, 1, 20])
@pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, 3), (17, 19), (38, 39), (30, 37), (200, 290)])
def test_text_ends_before_its_stop(channel: grpc.Channel, interval_ms: int, begin: int, end: int) -> None:
    """No character of the stop string is sent, however the text is cut into messages; counts leave it out."""
    whole = expected("x", 400, seed=3)
    stop = whole[begin:end]
    at = whole.index(stop)
    responses = generate(
        channel,
        prompt="x",
        max_characters=ENDLESS,
        seed=3,
        stop=["!!!!!!!", stop, "zzzzz"],
        stream_interval_ms=interval_ms,
        log_probabilities=True,
    )
    assert texts(responses)[0] == whole[:at]
    (ending,) = endings(responses).values()
    assert (ending.reason, ending.stop, ending.characters) == (Ending.STOP, stop, at)
    numbers = [number for response in responses for each in response.continued for number in each.log_probabilities]
    assert ending.log_likelihood == sum(numbers)
    assert len(numbers) == at


def test_what_only_begins_a_stop_is_sent(channel: grpc.Channel) -> None:
    """A text that ends in the beginning of a stop string is sent whole."""
    whole = expected("x", 41, seed=3)
    responses = generate(channel, prompt="x", max_characters=40, seed=3, stop=[whole[35:] + "!"])
    assert texts(responses)[0] == whole[:40]


def test_messages_are_few_where_characters_are_fast(channel: grpc.Channel) -> None:
    """What is written within the interval goes into one message."""
    responses = generate(channel, max_characters=3000, stream_interval_ms=10_000)
    assert len(responses[0].continued[0].text) == writers.STEPS
    assert len(responses) == 2


def test_unknown_characters_are_named(channel: grpc.Channel) -> None:
    """Characters that the model does not know are refused by name, in a prompt, a text and a stop string."""
    for request, field in (
        (GenerateRequest(prompt="hé, hé: 5"), "prompt"),
        (ScoreRequest(text="hé, hé: 5"), "text"),
        (GenerateRequest(stop=["a", "hé, hé: 5"]), r"stop[1]"),
    ):
        code, text = refusal(channel, request)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert text.startswith(f"{field}: the model does not know the characters 'é' (U+00E9), ','")


def test_unknown_characters_are_replaced_if_asked(channel: grpc.Channel) -> None:
    """A prompt with characters that have plain forms is read as if it had those."""
    responses = generate(channel, prompt="Hé — “5”", max_characters=30, seed=1, replace_unknown=True)
    assert texts(responses)[0] == expected("he -    ", 30, seed=1)
    scored = ask(channel, ScoreRequest(text="Hé", replace_unknown=True))
    assert scored == ask(channel, ScoreRequest(text="he"))


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (GenerateRequest(model="nobody"), grpc.StatusCode.NOT_FOUND, "there is no model 'nobody'"),
        (GenerateRequest(version=2), grpc.StatusCode.NOT_FOUND, "'writer' has no version 2"),
        (
            GenerateRequest(model="side"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'side' does not write; it does classification",
        ),
        (
            ScoreRequest(model="join", text="a"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model 'join' does not write; it is",
        ),
        (ScoreRequest(), grpc.StatusCode.INVALID_ARGUMENT, "text: there is no character in it"),
        (
            ScoreRequest(text="a" * 100_001),
            grpc.StatusCode.INVALID_ARGUMENT,
            "text: it has 100,001 characters, at most",
        ),
        (GenerateRequest(prompt="a" * 100_001), grpc.StatusCode.INVALID_ARGUMENT, "prompt: it has 100,001 characters"),
        (
            GenerateRequest(max_characters=1_000_001),
            grpc.StatusCode.INVALID_ARGUMENT,
            "max_characters: 1,000,001 came, 0 to 1,000,000 expected",
        ),
        (GenerateRequest(continuations=33), grpc.StatusCode.INVALID_ARGUMENT, "continuations: 33 came, 0 to 32"),
        (GenerateRequest(temperature=-0.1), grpc.StatusCode.INVALID_ARGUMENT, "temperature: -0.1 came, 0 to 100"),
        (GenerateRequest(temperature=math.nan), grpc.StatusCode.INVALID_ARGUMENT, "temperature: nan came"),
        (GenerateRequest(top_p=0), grpc.StatusCode.INVALID_ARGUMENT, "top_p: 0 came, above 0 and at most 1"),
        (GenerateRequest(top_p=math.nan), grpc.StatusCode.INVALID_ARGUMENT, "top_p: nan came"),
        (GenerateRequest(stop=["a"] * 9), grpc.StatusCode.INVALID_ARGUMENT, "stop: 9 came, 0 to 8 expected"),
        (GenerateRequest(stop=["a", ""]), grpc.StatusCode.INVALID_ARGUMENT, "stop[1]: its length: 0 came, 1 to 100"),
    ],
)
def test_what_cannot_be_done_is_refused(
    channel: grpc.Channel, request_: GenerateRequest | ScoreRequest, code: grpc.StatusCode, text: str
) -> None:
    """A request out of its bounds fails before it begins, and says why."""
    found_code, found = refusal(channel, request_)
    assert found_code is code
    assert text in found


def test_score_is_the_sum_of_the_characters(channel: grpc.Channel) -> None:
    """A text's log-likelihood, and its bits a character, are those of its characters, over several pieces too."""
    text = "to be, or not to be".replace(",", ".") * 40
    answer = ask(channel, ScoreRequest(text=text, log_probabilities=True))
    assert isinstance(answer, ScoreResponse)
    expected_ = writers.scores([writers.START, *writers.encode(text)])[1:]
    assert list(answer.log_probabilities) == expected_
    assert (answer.model, answer.version, answer.characters) == ("writer", 1, len(text))
    assert answer.log_likelihood == sum(expected_)
    assert answer.bits_per_character == pytest.approx(-sum(expected_) / len(text) / math.log(2), rel=1e-12)


def test_vocabulary_is_in_the_description_alone(channel: grpc.Channel) -> None:
    """The list of models leaves the vocabulary out; GetModel has it."""
    listed, described = ask(channel, ListModelsRequest()), ask(channel, GetModelRequest(model="writer"))
    assert isinstance(listed, ListModelsResponse)
    assert isinstance(described, GetModelResponse)
    (short,) = (model for model in listed.models if model.name == "writer")
    assert list(short.manifest.text_generation.vocabulary) == []
    assert "".join(described.model.manifest.text_generation.vocabulary) == writers.VOCABULARY
    assert [graph.role for graph in described.model.graphs] == ["prefill", "step"]


def test_cancelled_call_frees_its_slot(server: Process, channel: grpc.Channel) -> None:
    """A call that its client cancels is gone from the loop soon after."""
    await_gauge(server, "hondo_running_rows", 0)
    before = gauge(server, "hondo_requests_total")
    call = replies(channel, HONDO, "Generate", GenerateResponse)(
        GenerateRequest(max_characters=ENDLESS, continuations=3)
    )
    next(call)
    await_gauge(server, "hondo_running_rows", 3)
    call.cancel()
    await_gauge(server, "hondo_running_rows", 0)
    assert gauge(server, "hondo_requests_total") == before + 1


def test_reader_that_stops_is_set_aside(server: Process) -> None:
    """Who reads nothing any more holds no slot once the network's buffers are full, and gets everything in the end."""
    # The smallest buffers that gRPC takes.
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 1024)]
    with grpc.insecure_channel(server.address, options=options) as channel:
        request = GenerateRequest(max_characters=30_000, seed=4, log_probabilities=True)
        call = replies(channel, HONDO, "Generate", GenerateResponse)(request)
        first = next(call)
        await_rest(server)
        assert gauge(server, "hondo_queue_rows") == 1
        assert texts([first, *call])[0] == expected("", 30_000, seed=4)


def _code(channel: grpc.Channel, request: GenerateRequest) -> tuple[grpc.StatusCode, str]:
    """Gives the status that a stream ends with, and its text."""
    try:
        list(replies(channel, HONDO, "Generate", GenerateResponse)(request, timeout=PATIENCE_S))
    except grpc.RpcError as error:
        return call_of(error).code(), call_of(error).details() or ""
    return grpc.StatusCode.OK, ""


def test_full_queue_and_long_waits_are_refused(models_dir: Path, tmp_path: Path) -> None:
    """With one slot and one place to wait, a third stream is refused; a second may wait only for so long."""
    options = ("--max-batch-size", "1", "--max-queue-rows", "1")
    with (
        serving(models_dir, tmp_path / "log", *options) as server,
        Client(server.address) as client,
        grpc.insecure_channel(server.address) as channel,
        closing(client.generate(max_characters=ENDLESS)) as running,
    ):
        next(running)
        with closing(client.generate(max_characters=ENDLESS)) as waiting:
            next(waiting)  # the two take turns
            with pytest.raises(Overloaded, match="1 rows wait, at most 1 may") as refused:
                next(client.generate())
            assert refused.value.retry_after_s >= 0
        await_gauge(server, "hondo_queue_rows", 0)
        # One that gets its turn at once is served.
        ended = (_code(channel, GenerateRequest(max_characters=1, queue_timeout_ms=1)) for _ in range(20))
        code, text = next(each for each in ended if each[0] is not grpc.StatusCode.OK)
        assert (code, text) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "the request waited 1 ms to begin, as long as it may",
        )


async def _stream(client: AsyncClient, number: int, chance: np.random.Generator, *, slow: bool, leaves: bool) -> None:
    """Opens one stream of a crowd, and holds what comes against what the model writes alone."""
    prompt, count, written = "abcdefgh"[: number % 9], int(chance.integers(1, 2000)), ""
    stays_for = int(chance.integers(count)) if leaves else count
    await asyncio.sleep(chance.random())
    while True:
        try:
            async for piece in client.generate(prompt, max_characters=count, seed=number):
                written += piece.text
                if len(written) > stays_for:
                    break
                if slow:
                    await asyncio.sleep(chance.random() * 0.2)
        except Overloaded as full:
            await asyncio.sleep(full.retry_after_s + 0.1)
        else:
            break
    assert written == expected(prompt, count, seed=number)[: len(written) if leaves else None], f"stream {number}"


async def _crowd(address: str, chance: np.random.Generator) -> None:
    async with AsyncClient(address) as client, asyncio.timeout(280), asyncio.TaskGroup() as group:
        for number in range(STREAMS):
            slow, leaves = number % 5 == 0, chance.random() < 0.5
            group.create_task(_stream(client, number, chance, slow=slow, leaves=leaves))


async def test_crowd_gets_its_texts(models_dir: Path, tmp_path: Path) -> None:
    """Of many streams half are left at random and a fifth read slowly: all texts are right, every slot comes back.

    A second crowd takes no more memory than the first.
    """
    chance = np.random.default_rng(5)
    with serving(models_dir, tmp_path / "log") as server:
        held_kb = []
        for _ in range(2):
            await _crowd(server.address, chance)
            await_gauge(server, "hondo_running_rows", 0)
            await_gauge(server, "hondo_queue_rows", 0)
            held_kb.append(held(server.popen.pid).resident_kb)
        assert held_kb[1] < 1.05 * held_kb[0]
        assert "Traceback" not in server.log.read_text()
