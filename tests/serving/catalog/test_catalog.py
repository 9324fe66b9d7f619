import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hondo import artifact
from hondo.artifact import GOLDEN, MANIFEST, Tensors
from hondo.errors import InvalidArtifact, ModelNotFound
from protos.manifest_pb2 import ImageInput, Manifest
from serving.catalog.catalog import Catalog
from serving.catalog.versions import Versions
from serving.runtime.device import Device
from serving.runtime.providers import CPU_PROVIDER
from serving.runtime.session import Session
from serving.settings import ModelSettings, Settings
from serving.telemetry.metrics import Metrics
from tests.serving import artifacts, captioners, graphs, writers


def load(models: Path, versions: str = "newest") -> Catalog:
    settings = Settings(model=ModelSettings(versions=Versions.parse(versions)))
    return Catalog.load(models, Device.CPU, settings)


def refused(models: Path) -> str:
    """Gives the text with which a folder of models is refused."""
    with pytest.raises(InvalidArtifact) as raised:
        load(models)
    return str(raised.value)


def places(catalog: Catalog) -> list[str]:
    return [f"{model.name}/{model.version}" for model in catalog]


def test_artifact_and_bare_graph_are_loaded(tmp_path: Path) -> None:
    """A folder with manifest is an artifact with a task; one without is a bare graph, whatever its file is called."""
    artifacts.write_classifier(tmp_path)
    graphs.join(tmp_path / "join" / "1" / "any name.onnx")
    catalog = load(tmp_path)
    assert places(catalog) == ["join/1", "side/1"]
    bare, classifier = catalog
    assert (bare.task, bare.artifact) == ("", None)
    assert classifier.task == "classification"
    assert classifier.artifact is not None
    assert set(bare.sessions) == set(classifier.sessions) == {"model"}


def test_newest_version_is_the_default(tmp_path: Path) -> None:
    """Versions are numbers: 10 is newer than 9; each can be asked for."""
    for version in (9, 10, 2):
        artifacts.write_classifier(tmp_path, "side", version)
    catalog = load(tmp_path, "all")
    assert catalog.versions("side") == [10, 9, 2]
    assert catalog.find("side").version == 10
    assert [catalog.find("side", version).version for version in (2, 9, 10)] == [2, 9, 10]
    assert places(catalog) == ["side/10", "side/9", "side/2"]


def test_unknown_model_is_not_found(tmp_path: Path) -> None:
    """A name or version that is not there is said beside those that are."""
    artifacts.write_classifier(tmp_path, "side", 3)
    graphs.add(tmp_path / "add" / "1" / "model.onnx")
    catalog = load(tmp_path)
    with pytest.raises(ModelNotFound, match="no model 'edge'; this server has add, side"):
        catalog.find("edge")
    with pytest.raises(ModelNotFound, match="'side' has no version 4; this server has 3"):
        catalog.find("side", 4)
    assert catalog.versions("edge") == []


@pytest.mark.parametrize(
    "place", [".side/1", "side/.1", "side/0", "side/01", "side/-1", "side/v2", "side/٣", "notes.txt"]
)
def test_other_folders_are_passed_over(tmp_path: Path, place: str) -> None:
    """Work in progress (a dot), and what is no version number, is not loaded, however broken it is."""
    artifacts.write_classifier(tmp_path, "side", 7)
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "model.onnx").write_bytes(b"broken")
    assert places(load(tmp_path)) == ["side/7"]


@pytest.mark.parametrize("file", ["model.onnx", GOLDEN])
def test_altered_artifact_is_refused(tmp_path: Path, file: str) -> None:
    """An artifact of which a file was altered does not load."""
    folder = artifacts.write_classifier(tmp_path)
    with (folder / file).open("ab") as opened:
        opened.write(b"\0")
    assert f"{folder / file} was altered" in refused(tmp_path)


def regild(folder: Path, **arrays: NDArray[np.generic]) -> None:
    """Replaces the golden samples and their hash: `image=...` is an input, `probabilities=...` an output."""
    manifest = artifact.read(folder).manifest
    sides = {"image": "in"}
    artifacts.write_golden(folder, {f"model/{sides.get(name, 'out')}/{name}": array for name, array in arrays.items()})
    manifest.golden.CopyFrom(artifact.describe(folder / GOLDEN))
    artifacts.write_manifest(folder, manifest)


IMAGES = artifacts.samples()
RIGHT = artifacts.probabilities(IMAGES)


def test_golden_samples_that_disagree_are_refused(tmp_path: Path) -> None:
    """A graph that does not compute here what its artifact promises does not load; the text says by how much."""
    folder = artifacts.write_classifier(tmp_path)
    wrong = RIGHT.copy()
    wrong[2, 1] += 0.25
    regild(folder, image=IMAGES, probabilities=wrong)
    text = refused(tmp_path)
    assert "output 'probabilities' differs here from the golden samples by 0.25" in text
    assert str(folder) in text


def test_golden_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """A golden file without arrays in it, though its hash is right, is a broken artifact."""
    folder = artifacts.write_classifier(tmp_path)
    manifest = artifact.read(folder).manifest
    for data in (b"", b"PK", b"no arrays at all"):
        (folder / GOLDEN).write_bytes(data)
        manifest.golden.CopyFrom(artifact.describe(folder / GOLDEN))
        artifacts.write_manifest(folder, manifest)
        assert f"{folder / GOLDEN} holds no golden samples" in refused(tmp_path)


def test_golden_samples_within_rounding_are_taken(tmp_path: Path) -> None:
    """Another machine's rounding is no disagreement."""
    folder = artifacts.write_classifier(tmp_path)
    regild(folder, image=IMAGES, probabilities=RIGHT + np.float32(1e-5))
    assert places(load(tmp_path)) == ["side/1"]


@pytest.mark.parametrize(
    "arrays",
    [
        {"image": IMAGES, "probabilities": RIGHT[:, :3]},
        {"image": IMAGES, "probabilities": RIGHT[:2]},
        {"image": IMAGES, "probabilities": RIGHT[:1]},
        {"image": IMAGES, "probabilities": np.full_like(RIGHT, np.nan)},
        {"image": IMAGES[:, :4], "probabilities": RIGHT},
        {"image": IMAGES.astype(np.float32), "probabilities": RIGHT},
        {"image": IMAGES, "scores": RIGHT},
        {"image": IMAGES},
        {"probabilities": RIGHT},
        {},
    ],
    ids=["K", "N", "1", "nan", "H", "dtype", "name", "no outputs", "no inputs", "nothing"],
)
def test_golden_samples_that_do_not_fit_are_refused(tmp_path: Path, arrays: Tensors) -> None:
    """Golden samples of another shape, type or name than the graph's prove nothing: the artifact does not load."""
    folder = artifacts.write_classifier(tmp_path)
    regild(folder, **arrays)
    assert str(folder) in refused(tmp_path)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda manifest: manifest.classification.labels.pop(), "3 labels"),
        (lambda manifest: manifest.classification.labels.append("x"), "5 labels"),
        (lambda manifest: manifest.classification.ClearField("labels"), "0 labels"),
        (lambda manifest: setattr(manifest.classification.image, "height", 9), "9, 8, 1"),
        (lambda manifest: setattr(manifest.classification.image, "width", 0), "8, 0, 1"),
        (lambda manifest: setattr(manifest.classification.image, "channels", 3), "8, 8, 3"),
        (lambda manifest: manifest.classification.ClearField("image"), "neither image nor text nor table"),
        (lambda manifest: manifest.classification.image.ClearField("resize"), "RESIZE_UNSPECIFIED"),
        (lambda manifest: manifest.classification.image.ClearField("filter"), "FILTER_UNSPECIFIED"),
        (lambda manifest: setattr(manifest.classification.image, "filter", 77), "filter is 77"),
        (lambda manifest: setattr(manifest.classification.image, "resize", 77), "resize is 77"),
        (lambda manifest: setattr(manifest.classification.image, "resize", ImageInput.CENTER_CROP), "shorter_side"),
        (lambda manifest: setattr(manifest.graphs[0], "role", "net"), "'model'"),
    ],
)
def test_classifier_that_contradicts_its_graph_is_refused(
    tmp_path: Path, change: Callable[[Manifest], object], text: str
) -> None:
    """What the manifest says of pictures and labels fits the graph, or the artifact does not load."""
    folder = artifacts.write_classifier(tmp_path)
    manifest = artifact.read(folder).manifest
    change(manifest)
    if manifest.graphs[0].role != "model":
        arrays: Tensors = {
            f"{manifest.graphs[0].role}/in/image": IMAGES,
            f"{manifest.graphs[0].role}/out/probabilities": RIGHT,
        }
        artifacts.write_golden(folder, arrays)
        manifest.golden.CopyFrom(artifact.describe(folder / GOLDEN))
    artifacts.write_manifest(folder, manifest)
    refusal = refused(tmp_path)
    assert str(folder) in refusal
    assert text in refusal


def test_all_that_is_broken_is_named(tmp_path: Path) -> None:
    """One start names every model that does not load, not only the first; none is served in part."""
    artifacts.write_classifier(tmp_path, "good")
    (artifacts.write_classifier(tmp_path, "altered") / "model.onnx").write_bytes(b"x")
    (artifacts.write_classifier(tmp_path, "unsaid") / MANIFEST).write_text("{")
    graphs.add(tmp_path / "broken" / "1" / "model.onnx").write_bytes(b"x")
    (tmp_path / "empty" / "1").mkdir(parents=True)
    lines = refused(tmp_path).splitlines()
    assert [
        next(name for name in ("altered", "broken", "empty", "unsaid") if f"/{name}/1" in line) for line in lines
    ] == [
        "altered",
        "broken",
        "empty",
        "unsaid",
    ]


def test_empty_folder_is_refused_with_a_hint(tmp_path: Path) -> None:
    """A folder without models is refused, saying how it should look."""
    assert refused(tmp_path) == f"no model in {tmp_path}: expected {tmp_path}/NAME/VERSION/model.onnx"


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    """A folder that is not there is told from an empty one."""
    assert "there is no such folder" in refused(tmp_path / "nowhere")


def test_folder_of_one_model_is_refused_with_a_hint(tmp_path: Path) -> None:
    """Who names the folder of a model instead of that of all models is told which to name."""
    artifacts.write_classifier(tmp_path)
    assert refused(tmp_path / "side").endswith(f"to serve this one model, name its parent: {tmp_path}")


def test_several_graphs_need_a_name(tmp_path: Path) -> None:
    """Of several bare graphs the one called model.onnx is served; without such a name none is guessed."""
    place = tmp_path / "pair" / "1"
    graphs.add(place / "a.onnx")
    graphs.join(place / "b.onnx")
    assert f"{place} holds 2 .onnx files: name the one to serve model.onnx" in refused(tmp_path)
    shutil.copy(place / "b.onnx", place / "model.onnx")
    assert [signature.name for signature in load(tmp_path).find("pair").sessions["model"].inputs] == ["name", "number"]


def test_artifact_in_the_wrong_folder_is_refused(tmp_path: Path) -> None:
    """A copy under another version is not served as that version."""
    shutil.copytree(artifacts.write_classifier(tmp_path), tmp_path / "side" / "2")
    assert "holds side/1 by its manifest" in refused(tmp_path)


async def test_models_run_on_several_devices(tmp_path: Path) -> None:
    """Each model has its graphs on every device, proved and warmed there, and gives the answers it gives on one."""
    artifacts.write_classifier(tmp_path)
    writers.write_writer(tmp_path)
    captioners.write_captioner(tmp_path)
    graphs.add(tmp_path / "add" / "1" / "model.onnx")
    one, two = (Catalog.load(tmp_path, Device(CPU_PROVIDER, numbers)) for numbers in ((0,), (0, 1)))
    for model in two:
        assert all([each.device.number for each in plan.sessions] == [0, 1] for plan in model.plans.values())
        decode_plan = model.decode_plan
        assert decode_plan is None or [each.step.device.number for each in decode_plan.others] == [1]
        model.open(Metrics())
    session = one.find("side").sessions["model"]
    shape = (1, *session.inputs[0].row_shape)
    feeds: Tensors = {"image": np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)}
    (name,) = [each.name for each in session.outputs]
    found = await asyncio.gather(*[two.find("side").batcher("model").run(feeds, [name]) for _ in range(20)])
    for each in found:
        np.testing.assert_array_equal(each[name], session.run(feeds)[name])
    for model in two:
        await asyncio.to_thread(model.close)


def test_a_device_that_computes_otherwise_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Golden samples are held against each device, not only against the first."""
    artifacts.write_classifier(tmp_path)
    run = Session.run

    def wrong(self: Session, feeds: Tensors, *rest: Any) -> Tensors:
        return {name: array + self.device.number for name, array in run(self, feeds, *rest).items()}

    monkeypatch.setattr(Session, "run", wrong)
    with pytest.raises(InvalidArtifact, match="differs here from the golden samples by 1"):
        Catalog.load(tmp_path, Device(CPU_PROVIDER, (0, 1)))
