"""Messages that come compressed."""

import sys
from pathlib import Path
from typing import Any, Final

import grpc
import pytest

from serving.bench.holdings import held
from tests.faults.vitals import check_well
from tests.serving.asking import PATIENCE_S, call_of
from tests.serving.process import serving
from tests.serving.swaps import classify

# What a quarter of a megabyte unpacks to, and what the server takes in a message.
_BOMB_BYTES: Final = 256 * 2**20
_MOST_BYTES: Final = 64 * 2**20
_PACKINGS: Final = [grpc.Compression.Gzip, grpc.Compression.Deflate]


@pytest.mark.parametrize("packing", _PACKINGS)
def test_compressed_questions_are_answered(models: Path, tmp_path: Path, packing: grpc.Compression) -> None:
    """What a client compresses is read."""
    with (
        serving(models, tmp_path / "log") as server,
        grpc.insecure_channel(server.address, compression=packing) as channel,
    ):
        classify(channel, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory that a process had")
@pytest.mark.parametrize("packing", _PACKINGS)
def test_bombs_are_refused_before_they_are_large(models: Path, tmp_path: Path, packing: grpc.Compression) -> None:
    """A message that unpacks to more than the server takes is refused, and never takes the memory of all of it."""
    with serving(models, tmp_path / "log") as server:
        before_kb = held(server.popen.pid).most_resident_kb
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(server.address, options, packing) as channel:
            call: Any = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            with pytest.raises(grpc.RpcError) as refused:
                call(bytes(_BOMB_BYTES), timeout=PATIENCE_S)
        assert call_of(refused.value).code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert held(server.popen.pid).most_resident_kb - before_kb < 2 * _MOST_BYTES / 1024
        check_well(server.address)
