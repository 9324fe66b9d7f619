"""What tests of several rooms share."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets, from HONDO_DATA; skips where it is not given."""
    folder = os.environ.get("HONDO_DATA")
    if folder is None:
        pytest.skip("needs real data sets: set HONDO_DATA to the folder that holds mnist/ and the others")
    return Path(folder)
