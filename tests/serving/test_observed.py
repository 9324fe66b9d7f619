"""What is seen of requests from outside: counts by model, version and status, and log lines that name each."""

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from hondo.client import Client
from protos import inference_pb2 as oip
from protos.inference_pb2 import ModelInferRequest
from protos.rpc import INFERENCE, stream
from protos.triton_pb2 import ModelStatisticsRequest, ModelStatisticsResponse
from tests.hondo.pictures import encode
from tests.serving import artifacts, graphs, writers
from tests.serving.asking import PATIENCE_S, ask, call_of, infer, raw, refusal
from tests.serving.process import Process, serving

OK: Final = grpc.StatusCode.OK


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server of a few models that logs each request as JSON."""
    models = tmp_path_factory.mktemp("models")
    artifacts.write_classifier(models, "side", 1)
    artifacts.write_classifier(models, "side", 2)
    graphs.pick(models / "pick" / "1" / "model.onnx")
    graphs.fragile(models / "fragile" / "1" / "model.onnx")
    writers.write_writer(models)
    with serving(models, models / "log", "--log-requests", "--log-format", "json", "--versions", "all") as process:
        yield process


def scraped(server: Process) -> list[Sample]:
    """Gives every sample that Prometheus would read."""
    found = re.search(r"metrics on (http://[\w.:/]+)", server.log.read_text())
    assert found is not None
    with urllib.request.urlopen(found[1], timeout=PATIENCE_S) as answer:  # noqa: S310  our own server
        families = list(text_string_to_metric_families(answer.read().decode()))
    return [sample for family in families for sample in family.samples]


def counts(samples: list[Sample], name: str, *labels: str) -> "Counter[tuple[str, ...]]":
    """Adds up the samples of a name by labels."""
    counted: Counter[tuple[str, ...]] = Counter()
    for sample in samples:
        if sample.name == name:
            counted[tuple(sample.labels[label] for label in labels)] += int(sample.value)
    return +counted


def question(number: int) -> ModelInferRequest:
    """Gives one of several requests, good and bad."""
    if number % 5 == 0:
        request = raw("FP32", [5], [1.0] * 5)  # fails when it runs
        request.model_name = "fragile"
    elif number % 5 == 1:
        request = raw("INT64", [1], [1], "wrong")
        request.model_name = "pick"
    elif number % 5 == 2:
        request = raw("INT64", [1], [1], "index")
        request.model_name = "nobody"
    else:
        request = raw("UINT8", [2, 8, 8, 1], artifacts.samples()[:2].ravel().tolist(), "image")
        request.model_name, request.model_version = "side", str(number % 5 - 2)
    return request


def status(channel: grpc.Channel, request: ModelInferRequest) -> tuple[str, ...]:
    """Sends a request; gives the labels under which it should be counted."""
    code = OK
    try:
        infer(channel, request)
    except grpc.RpcError as error:
        code = call_of(error).code()
    known = request.model_name != "nobody"
    return (request.model_name, request.model_version or "1", code.name) if known else ("", "", code.name)


def test_counts_under_load_are_those_of_the_requests(server: Process) -> None:
    """Histograms and counters have just the requests that were sent, by model, version and status."""
    labels = ("model", "version", "code")
    before = scraped(server)
    with grpc.insecure_channel(server.address) as channel, ThreadPoolExecutor(8) as asking:
        scrapes = [asking.submit(scraped, server) for _ in range(3)]  # scraping while others ask disturbs nobody
        sent = Counter(asking.map(lambda number: status(channel, question(number)), range(200)))
        assert all(scrape.result() for scrape in scrapes)
    after = scraped(server)
    assert set(sent.values()) == {40}
    assert {key[-1] for key in sent} == {"OK", "INTERNAL", "INVALID_ARGUMENT", "NOT_FOUND"}
    for name in ("hondo_call_seconds_count", "hondo_calls_total"):
        assert counts(after, name, *labels) - counts(before, name, *labels) == sent
    answered = {(model, number): count for (model, number, code), count in sent.items() if code == "OK"}
    for stage in ("decode", "queue", "compute", "encode"):
        name = f"hondo_{stage}_seconds_count"
        got = counts(after, name, "model", "version") - counts(before, name, "model", "version")
        assert {key: got[key] for key in answered} == answered
    rows = counts(after, "hondo_batch_rows_sum", "model", "version")
    rows.subtract(counts(before, "hondo_batch_rows_sum", "model", "version"))
    assert {key: rows[key] for key in answered} == {key: 2 * count for key, count in answered.items()}


def test_buckets_add_up(server: Process) -> None:
    """Buckets are cumulative, the last has all, and the sum is within what they say."""
    with grpc.insecure_channel(server.address) as channel:
        status(channel, question(3))
    of_side = [sample for sample in scraped(server) if sample.labels.get("version") == "1"]
    buckets = [each for each in of_side if each.name == "hondo_call_seconds_bucket" and each.labels["code"] == "OK"]
    values = [each.value for each in buckets if each.labels["model"] == "side"]
    bounds = [float(each.labels["le"]) for each in buckets if each.labels["model"] == "side"]
    assert bounds == sorted(bounds)
    assert bounds[-1] == float("inf")
    assert values == sorted(values)
    total = counts(of_side, "hondo_call_seconds_count", "model", "code")["side", "OK"]
    assert values[-1] == total > 0


def test_messages_of_a_stream_are_counted_one_by_one(server: Process) -> None:
    """Each request of a stream counts by its own status, not the stream as a whole."""
    requests = [question(number) for number in (0, 1, 2, 3, 3)]
    labels = ("method", "model", "version", "code")
    before = counts(scraped(server), "hondo_call_seconds_count", *labels)
    with grpc.insecure_channel(server.address) as channel:
        call = stream(channel, INFERENCE, "ModelStreamInfer", oip.ModelStreamInferResponse)
        assert len(list(call(iter(requests), timeout=PATIENCE_S))) == 5
    after = counts(scraped(server), "hondo_call_seconds_count", *labels)
    assert after - before == {
        ("ModelStreamInfer", "fragile", "1", "INTERNAL"): 1,
        ("ModelStreamInfer", "pick", "1", "INVALID_ARGUMENT"): 1,
        ("ModelStreamInfer", "", "", "NOT_FOUND"): 1,
        ("ModelStreamInfer", "side", "1", "OK"): 2,
    }


def test_typed_requests_are_counted(server: Process) -> None:
    """The typed service's requests are counted by the model that answered, streamed answers by their first message."""
    with Client(server.address) as client:
        client.classify([encode(Image.fromarray(artifacts.bright("left")), "PNG")], model="side")
        list(client.generate("hello", model="writer", max_characters=5, seed=1))
    samples = scraped(server)
    calls = counts(samples, "hondo_calls_total", "method", "model", "version", "code")
    assert calls["Classify", "side", "2", "OK"] == 1
    assert calls["Generate", "writer", "1", "OK"] == 1
    first = counts(samples, "hondo_first_message_seconds_count", "method", "model")
    assert first == {("Generate", "writer"): 1}


def test_build_is_told(server: Process) -> None:
    """A metric names the versions that run."""
    (build,) = (sample for sample in scraped(server) if sample.name == "hondo_build_info")
    assert build.labels["version"] == version("hondo")
    assert build.value == 1


def test_cancelled_request_is_counted(server: Process) -> None:
    """A caller who leaves, and one whose time is over, count as such."""
    graph = ("Generate", "writer", "1", "CANCELLED")
    with Client(server.address) as client:
        texts = client.generate("hello", model="writer", max_characters=1_000_000)
        next(iter(texts))
        texts.close()
    for _ in range(200):
        if counts(scraped(server), "hondo_calls_total", "method", "model", "version", "code")[graph]:
            break
    assert counts(scraped(server), "hondo_calls_total", "method", "model", "version", "code")[graph] == 1


def lines(server: Process) -> list[dict[str, Any]]:
    """Gives the lines of the log."""
    return [json.loads(line) for line in server.log.read_text().splitlines()]


def test_every_line_is_json_and_every_request_has_one(server: Process) -> None:
    """A log for machines is JSON line by line; a request's line has what it asked, what it got and whose it was."""
    with grpc.insecure_channel(server.address) as channel:
        request = question(4)
        request.id = "the message's own"
        infer(channel, request)
    (line,) = (line for line in lines(server) if line.get("request_id") == "the message's own")
    assert (line["method"], line["model"], line["version"], line["code"]) == ("ModelInfer", "side", "2", "OK")
    assert 0 < line["took_ms"] < 1000 * PATIENCE_S
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"])
    assert line["level"] == "INFO"


def test_failure_is_logged_under_the_callers_id(server: Process) -> None:
    """A traceback is logged under the id that the caller sent and is told again, so that both find it."""
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = grpc.insecure_channel(server.address).unary_unary(
        f"/{INFERENCE.full_name}/ModelInfer"
    )
    with pytest.raises(grpc.RpcError) as raised:
        call(question(0).SerializeToString(), metadata=(("x-request-id", "find me"),), timeout=PATIENCE_S)
    told = dict(call_of(raised.value).trailing_metadata() or ())
    assert told["x-request-id"] == "find me"
    failures = [line for line in lines(server) if line.get("request_id") == "find me" and "traceback" in line]
    assert len(failures) == 1
    assert "ONNXRuntimeError" in failures[0]["traceback"]


def test_id_of_any_letters_is_told_again(server: Process) -> None:
    """An id that no header could carry is told in one all the same, and does not make its request fail otherwise."""
    request = question(1)
    request.id = "größer\n\N{GRINNING FACE}"
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = grpc.insecure_channel(server.address).unary_unary(
        f"/{INFERENCE.full_name}/ModelInfer"
    )
    with pytest.raises(grpc.RpcError) as raised:
        call(request.SerializeToString(), timeout=PATIENCE_S)
    failed = call_of(raised.value)
    assert failed.code() is grpc.StatusCode.INVALID_ARGUMENT
    told = dict(failed.trailing_metadata() or ())["x-request-id"]
    assert told == r"gr\xf6\xdfer\U0001f600"


def test_nameless_request_gets_a_name(server: Process) -> None:
    """A request without an id is given one, which a refusal tells and the log has."""
    with grpc.insecure_channel(server.address) as channel:
        before = len(lines(server))
        refusal(channel, question(1))
        refusal(channel, question(1))
    made = [line["request_id"] for line in lines(server)[before:]]
    assert len(set(made)) == 2
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in made)


def test_nothing_is_counted_where_nobody_wants_it(tmp_path: Path) -> None:
    """With --no-metrics there are none, and statistics say so."""
    graphs.pick(tmp_path / "models" / "pick" / "1" / "model.onnx")
    with (
        serving(tmp_path / "models", tmp_path / "log", "--no-metrics") as process,
        grpc.insecure_channel(process.address) as channel,
    ):
        request = raw("INT64", [1], [1], "index")
        request.model_name = "pick"
        infer(channel, request)
        code, text = refusal(channel, ModelStatisticsRequest(name="pick"))
        assert {sample.name for sample in scraped(process)} <= {"hondo_build_info"}
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "--no-metrics" in text


def test_workers_statistics_are_those_of_all(tmp_path: Path) -> None:
    """Whichever worker is asked, statistics and metrics tell of all of them."""
    graphs.pick(tmp_path / "models" / "pick" / "1" / "model.onnx")
    own = [("grpc.use_local_subchannel_pool", 1)]
    with serving(tmp_path / "models", tmp_path / "log", "--workers", "2") as process:
        request = raw("INT64", [1], [1], "index")
        request.model_name = "pick"
        for _ in range(16):
            with grpc.insecure_channel(process.address, options=own) as channel:
                infer(channel, request)
        told: set[int] = set()
        for _ in range(200):  # a worker shows its counts four times a second
            with grpc.insecure_channel(process.address, options=own) as channel:
                answer = ask(channel, ModelStatisticsRequest(name="pick"))
            assert isinstance(answer, ModelStatisticsResponse)
            told.add(answer.model_stats[0].inference_stats.success.count)
            if told >= {16}:
                break
        assert max(told) == 16
        assert counts(scraped(process), "hondo_calls_total", "method", "code")["ModelInfer", "OK"] == 16
