from collections.abc import Iterator
from pathlib import Path

import pytest

from hondo.errors import InvalidArtifact
from serving.bench import decode, pictures, raw, tensors
from serving.bench.crew import Crew
from serving.bench.echo import echoing
from serving.bench.load import Closed
from serving.bench.points import RawReference
from serving.bench.questions import Pictures, Questions, ask
from serving.bench.raw import Raw, Setting
from serving.runtime.device import Device
from tests.serving import artifacts
from tests.serving.bench.samples import jpeg
from tests.serving.process import Process


@pytest.fixture(scope="module")
def crew() -> Iterator[Crew]:
    """Two processes."""
    with Crew(2) as crew:
        yield crew


@pytest.fixture(scope="module")
def asked(server: Process) -> Questions:
    """Requests for the classifier `side`, a picture each."""
    return tensors.questions(server.address, "side", shapes={})


def test_every_way_to_run_is_tried() -> None:
    """On the CPU: growing batches on one session with all cores and on a session a core, spinning and not."""
    tried = [setting for series in raw.settings(2, 4, Device.CPU, batches=True) for setting in series]
    assert len(tried) == len(set(tried))
    assert {setting.rows for setting in tried} == {2, 4, 8, 16, 32}
    assert {(s.instances, s.threads, s.spinning) for s in tried} == {
        (instances, threads, spinning) for instances, threads in ((1, 4), (4, 1), (1, 1)) for spinning in (False, True)
    }


def test_graph_that_takes_one_request_runs_one_request() -> None:
    """Where rows of several requests do not fit into one run, only the request's own size is tried."""
    tried = [setting for series in raw.settings(3, 2, Device.CPU, batches=False) for setting in series]
    assert {setting.rows for setting in tried} == {3}


def test_raw_runs_the_graph(crew: Crew, asked: Questions, models_dir: Path) -> None:
    """Raw ONNX Runtime is measured at settings of which the best is none worse than the others, and one is for one."""
    graph = models_dir / "side" / "2" / "model.onnx"
    explored = Raw(crew, graph, Device.CPU, asked.feeds, asked.rows).explore(0.01, batches=True)
    assert explored.rates[explored.best].per_s == max(rate.per_s for rate in explored.rates.values())
    assert (explored.single.rows, explored.single.instances) == (1, 1)
    assert all(rate.cpu_ms is not None for rate in explored.rates.values())


@pytest.mark.parametrize("name", ["BF16", "BYTES", "FP16"])
def test_raw_feeds_every_datatype(crew: Crew, server: Process, models_dir: Path, name: str) -> None:
    """Datatypes that numpy does not have run raw too, joined into batches."""
    asked = tensors.questions(server.address, f"same_{name}", rows=1, shapes={"x": (1, 3)})
    graph = models_dir / f"same_{name}" / "1" / "model.onnx"
    measured = Raw(crew, graph, Device.CPU, asked.feeds, asked.rows).measure(Setting(4, 2, 1, False), 0.01)
    assert measured.per_s > 0


def test_broken_graph_is_named(crew: Crew, asked: Questions, tmp_path: Path) -> None:
    """A file that is no graph ends the bench with its path."""
    graph = tmp_path / "model.onnx"
    graph.write_text("nothing")
    with pytest.raises(InvalidArtifact, match=r"model\.onnx does not load"):
        Raw(crew, graph, Device.CPU, asked.feeds, 1).measure(Setting(1, 1, 1, False), 0.01)


def test_pictures_are_held_against_decoding_and_running(crew: Crew, models_dir: Path) -> None:
    """The reference of pictures is slower than either of decoding alone and running alone at the same time."""
    files = (jpeg(40),)
    asked = Questions(
        method=pictures.CLASSIFY,
        bodies=(b"",),
        rows=1,
        feeds=({"image": artifacts.samples()[:1]},),
        batches=True,
        pictures=Pictures(files, artifacts.image_input()),
    )
    graph = Raw(crew, models_dir / "side" / "1" / "model.onnx", Device.CPU, asked.feeds, 1)
    reference = RawReference(crew=crew, raw=graph, explored=graph.explore(0.01, batches=True), questions=asked)
    assert reference.rate(Closed(8), 0.1).per_s > 0
    assert reference.setting(Closed(1)) == reference.explored.single
    assert reference.setting(Closed(2)) == reference.explored.best
    assert decode.rate(crew, asked.pictures or Pictures((), artifacts.image_input()), 2, 0.02).per_s > 0


def test_echo_gives_the_answer_back(asked: Questions) -> None:
    """The empty server takes the same method and gives the same bytes, whatever the request."""
    with echoing(asked.method, b"an answer") as server:
        assert ask(server, asked.method, asked.bodies) == [b"an answer"] * len(asked.bodies)
