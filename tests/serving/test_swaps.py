"""Hot swaps under load: a new version takes over from the one before, and nobody notices but by its answers.

`HONDO_SWAPS=1000 pytest tests/serving/test_swaps.py` for a long run.
"""

import os
import sys
from pathlib import Path
from typing import Final

import grpc
import pytest

from serving.bench.holdings import held
from tests.serving.process import serving
from tests.serving.swaps import LOOKS, newest, publish, remove, under_load, wait_until

SWAPS: Final = int(os.environ.get("HONDO_SWAPS", "20"))

pytestmark = pytest.mark.timeout(300 + 3 * SWAPS)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of a process from /proc")
def test_swaps_under_load_lose_nothing(tmp_path: Path) -> None:
    """Version after version takes over under load: no request fails, answers are from whom they name, memory stays."""
    models = tmp_path / "models"
    publish(models, 1)
    resident: list[int] = []
    with (
        serving(models, tmp_path / "log", *LOOKS) as process,
        grpc.insecure_channel(process.address) as channel,
        under_load(process.address) as load,
    ):
        for version in range(2, 2 + SWAPS):
            publish(models, version)
            wait_until(lambda: newest(channel) == version)  # noqa: B023  called before the next round
            remove(models, version - 1)
            resident.append(held(process.popen.pid).resident_kb)
            assert not load.has_failed
    print(f"RSS, KB: {resident[:: max(1, SWAPS // 10)]}, at the end {resident[-1]}")
    # The counts of the versions of the last minute are kept; what was there at half-time has seen as many come and go.
    assert max(resident[-SWAPS // 10 :]) < 1.05 * resident[SWAPS // 2]
