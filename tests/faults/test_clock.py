"""Jumps of the wall clock."""

import ast
import sys
import time
from pathlib import Path
from typing import Final

import grpc
import pytest

from protos.generate import ROOT
from protos.inference_pb2 import InferParameter, ModelInferRequest, ModelInferResponse
from protos.rpc import INFERENCE, unary
from tests.faults.vitals import await_so, check_well, slots, write
from tests.serving import graphs
from tests.serving.asking import PATIENCE_S, call_of, raw
from tests.serving.process import serving
from tests.serving.swaps import LOOKS, OWN, Load, classify, newest, publish

# Where packages put it (Debian's libfaketime).
_LIBRARIES: Final = [
    *Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"),
    *Path("/usr/lib/faketime").glob("*MT.so.1"),
]
# Where the time of day is meant, and nothing is measured by it: what Prometheus and artifacts want to be told.
_TIME_OF_DAY: Final = {
    "serving/telemetry/metrics.py": {"time"},
    "serving/telemetry/traces.py": {"time_ns"},
    "serving/bench/h2load.py": {"time"},
    "serving/bench/closed.py": {"time"},
    "export/provenance.py": {"now"},
}
_CALLS: Final = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("date", "today")}


def called(file: Path) -> set[str]:
    """Gives which of the calls that read the wall clock a file has."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)) if (module, name) in _CALLS:
                found.add(name)
    return found


def test_nothing_is_timed_by_the_wall_clock() -> None:
    """What serves and what exports reads the time of day only where it is told to people: else time is monotonic."""
    files = [file for room in ("hondo", "serving", "export") for file in (ROOT / room).rglob("*.py")]
    assert {str(file.relative_to(ROOT)): calls for file in files if (calls := called(file))} == _TIME_OF_DAY


@pytest.mark.skipif(sys.platform != "linux" or not _LIBRARIES, reason="needs libfaketime")
def test_jumps_of_the_clock_change_nothing(models: Path, tmp_path: Path) -> None:
    """The clock jumps a day ahead, back, and two days back, under load: no request fails or waits, and none too long.

    Requests still end at their own time-outs, new versions are found, and the server ends when it is told to.
    """
    graphs.slow(models / "slow" / "1" / "model.onnx")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    faked = {
        "LD_PRELOAD": str(_LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with (
        serving(models, tmp_path / "log", *LOOKS, more=faked) as server,
        grpc.insecure_channel(server.address, options=OWN) as channel,
    ):
        load = Load(server.address)
        load.add(classify)
        load.add_stream()
        for version, jump in enumerate(("+86400", "+0", "-172800"), 2):
            clock.write_text(jump)
            publish(models, version)
            await_so(lambda: newest(channel) == version, "the new version is not served")  # noqa: B023
            write(channel, count=400)
            _check_deadlines(channel)
        await_so(lambda: load.has_failed or load.least > 10, "too few were answered")
        load.finish()
        await_so(lambda: slots(server) == 0, "rows wait or run on")
        assert len({line[:10] for line in server.log.read_text().splitlines() if line[:2] == "20"}) >= 3, "no jump"
        check_well(server.address)
        server.popen.terminate()
        assert server.popen.wait(PATIENCE_S) == 0


def _check_deadlines(channel: grpc.Channel) -> None:
    """Holds that a deadline of half a second, and as long a wait in the queue, end a request after about that."""
    request = raw("INT64", [], [10**12], "steps")
    request.model_name = "slow"
    waiting = ModelInferRequest()
    waiting.CopyFrom(request)
    waiting.parameters["timeout"].CopyFrom(InferParameter(int64_param=500_000))
    for each, timeout_s in ((request, 0.5), (waiting, 2.0)):
        began_s = time.monotonic()
        with pytest.raises(grpc.RpcError) as ended:
            unary(channel, INFERENCE, "ModelInfer", ModelInferResponse)(each, timeout=timeout_s)
        assert call_of(ended.value).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert timeout_s - 0.1 < time.monotonic() - began_s < timeout_s + 5
