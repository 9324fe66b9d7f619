"""What a classifier's manifest says of texts and tables, held against its graph; for pictures see test_catalog."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import json_format
from numpy.typing import NDArray

from hondo import artifact, text
from hondo.artifact import GOLDEN, MANIFEST
from hondo.errors import InvalidArtifact
from protos.manifest_pb2 import Manifest, TableInput, TextInput
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from tests.serving import artifacts, graphs, tables, words


def changed(folder: Path, change: Callable[[Manifest], object] = lambda _: None) -> None:
    """Changes an artifact's manifest, and has it name the files as they now are."""
    manifest = json_format.Parse((folder / MANIFEST).read_text("utf-8"), Manifest())
    manifest.graphs[0].file.CopyFrom(artifact.describe(folder / "model.onnx"))
    manifest.golden.CopyFrom(artifact.describe(folder / GOLDEN))
    change(manifest)
    artifacts.write_manifest(folder, manifest)


def regilded(folder: Path, **arrays: NDArray[np.generic]) -> None:
    """Replaces an artifact's golden samples: `probabilities` is the output, the other the input."""
    sides = {"probabilities": "out"}
    artifacts.write_golden(folder, {f"model/{sides.get(name, 'in')}/{name}": array for name, array in arrays.items()})
    changed(folder)


def load(models: Path) -> Catalog:
    return Catalog.load(models, Device.CPU)


def refused(models: Path) -> str:
    """Gives the text with which a folder of models is refused."""
    with pytest.raises(InvalidArtifact) as raised:
        load(models)
    return str(raised.value)


@pytest.mark.parametrize("free_length", [False, True])
def test_text_classifier_loads(tmp_path: Path, free_length: bool) -> None:
    """A graph takes tokens of the manifest's length, or of any; its golden samples hold, and its rows share runs."""
    words.write_classifier(tmp_path, free_length=free_length)
    model = load(tmp_path).find("mood")
    assert model.task == "classification"
    assert model.sessions["model"].inputs[0].wire_shape == [-1, -1 if free_length else words.LENGTH]
    sizes = model.plans["model"].sizes
    assert sizes is not None
    assert sizes.largest > 1


def test_table_classifier_loads(tmp_path: Path) -> None:
    """A graph takes rows of as many numbers as the manifest has columns."""
    tables.write_classifier(tmp_path)
    model = load(tmp_path).find("direction")
    assert model.task == "classification"
    assert model.plans["model"].sizes is not None


TEXT_CHANGES: list[tuple[Callable[[TextInput], object], str]] = [
    (lambda spec: setattr(spec, "length", 9), "the manifest makes of a text INT64[9], the graph takes 'tokens' INT64"),
    (lambda spec: setattr(spec, "length", 0), "the length is 0 words"),
    (lambda spec: spec.ClearField("tokenizer"), "the tokenizer is TOKENIZER_UNSPECIFIED"),
    (lambda spec: spec.ClearField("vocabulary"), f"the vocabulary must begin with {', '.join(text.SPECIAL)}"),
    (lambda spec: spec.vocabulary.pop(0), "the vocabulary must begin with"),
    (lambda spec: spec.vocabulary.append("good"), "the vocabulary has a word twice"),
    (lambda spec: spec.vocabulary.append("great"), "the vocabulary has 9 words, the graph has not"),
]


@pytest.mark.parametrize(("change", "why"), TEXT_CHANGES)
def test_text_that_contradicts_the_graph_is_refused(
    tmp_path: Path, change: Callable[[TextInput], object], why: str
) -> None:
    """What the manifest says of texts is complete and fits the graph, or the artifact does not load."""
    folder = words.write_classifier(tmp_path)
    changed(folder, lambda manifest: change(manifest.classification.text))
    text_ = refused(tmp_path)
    assert str(folder) in text_
    assert why in text_


TABLE_CHANGES: list[tuple[Callable[[TableInput], object], str]] = [
    (lambda spec: spec.columns.append("z"), "makes of a row FP32[3], the graph takes 'values' FP32[-1, 2]"),
    (lambda spec: spec.columns.pop(), "makes of a row FP32[1], the graph takes 'values' FP32[-1, 2]"),
    (lambda spec: spec.ClearField("columns"), "the columns are [], at least one expected"),
    (lambda spec: spec.columns.__setitem__(0, ""), "each with a name"),
    (lambda spec: spec.columns.__setitem__(0, "y"), "two columns have one name: y, y"),
]


@pytest.mark.parametrize(("change", "why"), TABLE_CHANGES)
def test_table_that_contradicts_the_graph_is_refused(
    tmp_path: Path, change: Callable[[TableInput], object], why: str
) -> None:
    """What the manifest says of columns is complete and fits the graph, or the artifact does not load."""
    folder = tables.write_classifier(tmp_path)
    changed(folder, lambda manifest: change(manifest.classification.table))
    text_ = refused(tmp_path)
    assert str(folder) in text_
    assert why in text_


def test_input_of_another_kind_is_refused(tmp_path: Path) -> None:
    """A manifest of texts over a graph of rows does not load, nor one that says nothing of its input."""
    folder = tables.write_classifier(tmp_path)
    changed(folder, lambda manifest: manifest.classification.text.CopyFrom(words.text_input()))
    assert "makes of a text INT64[8], the graph takes 'values' FP32[-1, 2]" in refused(tmp_path)
    changed(folder, lambda manifest: manifest.classification.ClearField("text"))
    assert "says neither image nor text nor table" in refused(tmp_path)


def test_a_fixed_batch_is_refused(tmp_path: Path) -> None:
    """A graph that takes only so many rows at once is none that requests of any number can be put to."""
    folder = tables.write_classifier(tmp_path)
    graphs.table_classifier(folder / "model.onnx", tables.weights(), batch=4)
    changed(folder)
    assert "makes of a row FP32[2], the graph takes 'values' FP32[4, 2]" in refused(tmp_path)


def test_another_number_of_labels_is_refused(tmp_path: Path) -> None:
    """As with pictures, there is a label for each probability."""
    folder = words.write_classifier(tmp_path)
    changed(folder, lambda manifest: manifest.classification.labels.append("moved"))
    assert "the manifest has 3 labels, the graph gives 'probabilities' FP32[-1, 2]" in refused(tmp_path)


def test_golden_tokens_that_disagree_are_refused(tmp_path: Path) -> None:
    """Golden samples hold for tokens as for pictures."""
    folder = words.write_classifier(tmp_path)
    tokens_NT = words.tokens(["good", "bad"])
    regilded(folder, tokens=tokens_NT, probabilities=words.probabilities(tokens_NT)[::-1])
    assert "output 'probabilities' differs here from the golden samples" in refused(tmp_path)


def test_golden_tokens_beyond_the_vocabulary_are_refused(tmp_path: Path) -> None:
    """Ids that the graph does not know make it fail on its own samples: it does not load."""
    folder = words.write_classifier(tmp_path)
    tokens_NT = np.full((1, words.LENGTH), len(words.VOCABULARY), np.int64)
    regilded(folder, tokens=tokens_NT, probabilities=np.full((1, 2), 0.5, np.float32))
    assert f"{folder}: model does not run on the golden samples" in refused(tmp_path)


def test_golden_rows_that_disagree_are_refused(tmp_path: Path) -> None:
    """And for rows."""
    folder = tables.write_classifier(tmp_path)
    regilded(folder, values=np.ones((1, 2), np.float32), probabilities=np.full((1, 4), 0.25, np.float32))
    assert "output 'probabilities' differs here from the golden samples" in refused(tmp_path)


def test_bare_graph_of_tokens_or_rows_is_served(tmp_path: Path) -> None:
    """Without a manifest such graphs are served too, warmed on made-up numbers that are ids as well."""
    graphs.bag_of_words(tmp_path / "words" / "1" / "model.onnx", words.weights(), words.LENGTH)
    graphs.table_classifier(tmp_path / "rows" / "1" / "model.onnx", tables.weights())
    assert [model.plans["model"].sizes is not None for model in load(tmp_path)] == [True, True]
