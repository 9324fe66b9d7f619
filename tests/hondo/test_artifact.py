import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hondo import artifact
from hondo.artifact import GOLDEN, MANIFEST
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import File, Manifest
from tests.serving import artifacts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A good artifact, for the test to spoil."""
    return artifacts.write_classifier(tmp_path, "side", 3)


def refused(folder: Path) -> str:
    """Gives the text with which an artifact is refused."""
    with pytest.raises(InvalidArtifact) as raised:
        artifact.read(folder)
    return str(raised.value)


def change(folder: Path, change: Callable[[Manifest], object]) -> None:
    """Changes the manifest of an artifact."""
    manifest = artifact.read(folder).manifest
    change(manifest)
    artifacts.write_manifest(folder, manifest)


def test_artifact_gives_its_facts(folder: Path) -> None:
    """A good artifact gives its manifest, the path of its graph and its golden samples by tensor name."""
    read = artifact.read(folder)
    assert (read.manifest.name, read.manifest.version) == ("side", 3)
    assert tuple(read.manifest.classification.labels) == artifacts.LABELS
    assert read.graph_path("model") == folder / "model.onnx"
    inputs, outputs = read.golden("model")
    assert np.array_equal(inputs.pop("image"), artifacts.samples())
    assert np.array_equal(outputs.pop("probabilities"), artifacts.probabilities(artifacts.samples()))
    assert (inputs, outputs) == ({}, {})


def test_unknown_role_is_a_key_error(folder: Path) -> None:
    """A role that no graph has is the caller's mistake."""
    with pytest.raises(KeyError):
        artifact.read(folder).graph_path("prefill")


def test_relative_folder_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The names NAME/VERSION are found also where the path that is given does not spell them out."""
    monkeypatch.chdir(folder)
    assert artifact.read(Path()).manifest.name == "side"


@pytest.mark.parametrize("file", ["model.onnx", GOLDEN])
def test_altered_file_is_refused(folder: Path, file: str) -> None:
    """A file of which one bit was changed does not load; the text names it and both hashes."""
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    before = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    (folder / file).write_bytes(data)
    text = refused(folder)
    assert file in text
    assert before in text
    assert hashlib.sha256(data).hexdigest() in text


@pytest.mark.parametrize("file", ["model.onnx", GOLDEN])
def test_missing_file_is_refused(folder: Path, file: str) -> None:
    """A file that the manifest names must be there; the text names it."""
    (folder / file).unlink()
    assert str(folder / file) in refused(folder)


@pytest.mark.parametrize(
    "path", ["../model.onnx", "/etc/hostname", "..", ".", "", "sub/model.onnx", "./model.onnx", "a\0b"]
)
def test_file_elsewhere_is_refused(folder: Path, path: str) -> None:
    """The manifest names plain files beside it: it cannot reach out of its folder."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["graphs"][0]["file"]["path"] = path
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    assert "beside the manifest" in refused(folder)


@pytest.mark.parametrize("place", ["side/4", "edge/3"])
def test_folder_of_another_name_is_refused(folder: Path, place: str) -> None:
    """An artifact copied to another name or version does not load as what it is not."""
    elsewhere = folder.parent.parent / place
    shutil.copytree(folder, elsewhere)
    assert "side/3" in refused(elsewhere)


def test_unknown_field_is_refused(folder: Path) -> None:
    """A field that this version does not know is refused, not overlooked."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    (folder / MANIFEST).write_text(json.dumps({**manifest, "colour": "red"}), "utf-8")
    assert "colour" in refused(folder)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"name": 3}', b"\xff\xfe", b"null"])
def test_broken_manifest_is_refused(folder: Path, data: bytes) -> None:
    """A manifest that is no JSON, or no manifest, is refused; the text says where."""
    (folder / MANIFEST).write_bytes(data)
    assert str(folder) in refused(folder)


def test_missing_manifest_is_refused(tmp_path: Path) -> None:
    """A folder without manifest is no artifact."""
    assert MANIFEST in refused(tmp_path)


def test_manifest_without_graph_is_refused(folder: Path) -> None:
    """An artifact has at least one graph."""
    change(folder, lambda manifest: manifest.ClearField("graphs"))
    assert "no graph" in refused(folder)


def test_two_graphs_of_one_role_are_refused(folder: Path) -> None:
    """Each graph has its own role, so that none is left out in silence."""
    change(folder, lambda manifest: manifest.graphs.append(manifest.graphs[0]))
    assert "'model'" in refused(folder)


def test_manifest_is_readable_json(folder: Path) -> None:
    """The canonical JSON keeps names as people write them and comes back as the same manifest."""
    change(folder, lambda manifest: manifest.classification.labels.append("größer"))
    text = (folder / MANIFEST).read_text("utf-8")
    assert "größer" in text
    assert artifact.to_json(artifact.read(folder).manifest) == text


def test_describe_gives_name_and_hash(tmp_path: Path) -> None:
    """A file's entry is its plain name and the SHA-256 of its contents."""
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    entry = artifact.describe(path)
    assert (entry.path, entry.sha256) == ("a.bin", hashlib.sha256(b"abc").hexdigest())


@pytest.mark.parametrize("method", [0, 99])
def test_samples_packed_in_an_unknown_way_are_refused(folder: Path, method: int) -> None:
    """Golden samples that the library fails on, in whatever way, are refused like all that cannot be read."""
    data = bytearray((folder / GOLDEN).read_bytes())
    place = data.index(b"PK\x01\x02")
    # The method is 10 bytes into an entry; where it is a good one, the lengths are not.
    data[place + 10 : place + 12] = method.to_bytes(2, "little")
    data[place + 24] ^= 0 if method else 0xFF
    (folder / GOLDEN).write_bytes(data)
    with pytest.raises(InvalidArtifact, match="holds no golden samples"):
        artifact.Artifact(folder, Manifest(golden=File(path=GOLDEN))).golden("model")
