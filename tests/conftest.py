"""What tests of several rooms share."""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grpc
import hypothesis
import pytest

from hondo.errors import DeviceUnavailable
from serving.runtime.device import choose
from tests.serving import assortment
from tests.serving.process import Process, serving

# Repeatable by default; `pytest --hypothesis-profile=explore` looks for what nobody has found yet.
hypothesis.settings.register_profile("repeatable", deadline=None, max_examples=200, derandomize=True, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _gpu(request: pytest.FixtureRequest) -> None:
    """Skips tests marked `gpu` where CUDA does not come up."""
    if request.node.get_closest_marker("gpu") is not None and (reason := no_gpu()) is not None:
        pytest.skip(reason)


@cache
def no_gpu() -> str | None:
    """Says why there is no GPU; None where there is one."""
    try:
        choose("cuda")
    except DeviceUnavailable as error:
        return f"needs a GPU: {error}"
    return None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets, from HONDO_DATA; skips where it is not given."""
    folder = os.environ.get("HONDO_DATA")
    if folder is None:
        pytest.skip("needs real data sets: set HONDO_DATA to the folder that holds mnist/ and the others")
    return Path(folder)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of tiny models: classifiers, one in two versions, and one of every other task; bare graphs."""
    return assortment.write(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def server(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`hondo serve` of `models_dir`, one process for all tests that only ask."""
    options = ("--max-message-mb", "8", "--versions", "all")
    with serving(models_dir, tmp_path_factory.mktemp("log") / "server.log", *options) as process:
        yield process


@pytest.fixture
def channel(server: Process) -> Iterator[grpc.Channel]:
    """A connection to `server`."""
    with grpc.insecure_channel(server.address) as channel:
        yield channel
