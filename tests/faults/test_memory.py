"""Memory that runs out."""

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import grpc
import numpy as np
import pytest
from onnx import helper

from hondo.client import Client
from protos.inference_pb2 import ModelInferRequest, ModelInferResponse
from protos.rpc import INFERENCE, unary
from serving.bench.holdings import held
from tests.faults.vitals import await_back, await_so, check_well
from tests.serving import artifacts, graphs
from tests.serving.asking import PATIENCE_S, call_of, raw
from tests.serving.process import serving
from tests.serving.requests import PICTURES
from tests.serving.swaps import OWN, under_load

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux counts what a process writes to as its data"
)

# 32 GiB of numbers.
_MANY: Final = 2**33
# The limit on what a process writes to, KiB: twice what the server begins with.
_LIMIT: Final = "ulimit -d 450000"
# A message that does not fit in.
_MOST_BYTES: Final = 240 * 2**20


def hungry(path: Path) -> Path:
    """Writes a graph that makes as many numbers as it is told, all 0, and adds them up."""
    nodes = [
        helper.make_node("ConstantOfShape", ["count"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["y"], keepdims=0),
    ]
    return graphs.save(path, nodes, [graphs.tensor("count", "INT64", [1])], [graphs.tensor("y", "FP32", [])])


def summed(channel: grpc.Channel, count: int) -> str:
    """Has numbers made and added up; gives the code that the call ends with, and its text."""
    request = raw("INT64", [1], [count], "count")
    request.model_name = "hungry"
    try:
        unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(request, timeout=PATIENCE_S)
    except grpc.RpcError as error:
        return f"{call_of(error).code().name}: {call_of(error).details()}"
    return "OK"


def test_a_run_that_wants_too_much_is_refused(models: Path, tmp_path: Path) -> None:
    """Where the process may not have the memory that a run takes, its caller is told so, and nobody else notices."""
    hungry(models / "hungry" / "1" / "model.onnx")
    refused = "RESOURCE_EXHAUSTED: the server has not the memory that this run takes: send less at once"
    with (
        serving(models, tmp_path / "log", before=_LIMIT) as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
    ):
        assert summed(channel, 10) == "OK"
        before = held(server.popen.pid)
        with under_load(server.address), ThreadPoolExecutor(4) as threads:
            codes = list(threads.map(lambda number: summed(channel, (10, _MANY)[number % 2]), range(40)))
        assert codes == ["OK", refused] * 20
        await_back(server, before)
        check_well(server.address)


def test_a_worker_that_gets_no_memory_is_followed_by_another(models: Path, tmp_path: Path) -> None:
    """Where gRPC itself gets no memory for a message, it may end its process: only the calls on that worker notice.

    Clients with retries are answered right all the time, and another worker takes the place.
    """
    graphs.same(models / "same" / "1" / "model.onnx", "UINT8", ["n", None])
    large = ModelInferRequest(model_name="same", raw_input_contents=[np.ones(_MOST_BYTES, np.uint8).tobytes()])
    large.inputs.add(name="x", datatype="UINT8", shape=[1, _MOST_BYTES])
    options = ("--workers", "2", "--max-message-mb", "250")
    with serving(models, tmp_path / "log", *options, before=_LIMIT) as server, Client(server.address) as client:
        with grpc.insecure_channel(server.address, options=OWN) as channel, pytest.raises(grpc.RpcError) as raised:
            unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(large, timeout=PATIENCE_S)
        # UNKNOWN is what gRPC says where it notices in Python.
        assert call_of(raised.value).code().name in {"UNAVAILABLE", "RESOURCE_EXHAUSTED", "UNKNOWN"}
        for _ in range(50):
            assert client.classify([PICTURES[2]], model="side").results[0].labels[0].name == artifacts.LABELS[2]
        ends = re.findall(r"worker (\d) was ended by signal", server.log.read_text())
        await_so(lambda: all(_came_up_again(server.log, number) for number in ends), "no worker follows")
        check_well(server.address)


def _came_up_again(log: Path, number: str) -> bool:
    return log.read_text().count(f"worker {number}: up") == 2
