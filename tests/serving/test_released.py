"""The released models, as they lie in the repository."""

from pathlib import Path
from typing import Final

import pytest

from hondo.client import Client
from protos.generate import ROOT
from tests.serving.process import serving

MODELS: Final = ROOT / "models"
DIGITS: Final = sorted((MODELS / "lenet5" / "samples").glob("digit-*.png"))


@pytest.mark.skipif(not DIGITS, reason="models/lenet5 is not there")
def test_released_models_load_and_read_digits(tmp_path: Path) -> None:
    """Every released model loads with its hashes and golden samples, and LeNet-5 reads the digits beside it."""
    with serving(MODELS, tmp_path / "log") as process, Client(process.address) as client:
        answer = client.classify(DIGITS, model="lenet5", top_k=1)
    assert [result.labels[0].name for result in answer.results] == [path.stem.removeprefix("digit-") for path in DIGITS]
