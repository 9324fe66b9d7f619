"""What the tests of faults share."""

from pathlib import Path

import pytest

from tests.serving import writers
from tests.serving.swaps import publish


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of a classifier and a model that writes, the test's own."""
    models = tmp_path / "models"
    publish(models, 1)
    writers.write_writer(models)
    return models
