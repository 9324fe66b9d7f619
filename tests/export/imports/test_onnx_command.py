import re
from pathlib import Path

import numpy as np
import onnx
import onnx.helper
import pytest
from click.testing import CliRunner, Result
from onnx import ModelProto, TensorProto

from export.imports import samples
from hondo import artifact
from hondo.cli import main
from serving.catalog.catalog import Catalog
from serving.runtime.device import Device
from serving.runtime.session import Session
from tests.export.imports.conftest import HEIGHT, LABELS, WIDTH, Write, thirds


def run(path: Path, labels_file: Path, *flags: str) -> Result:
    models = str(path.parent / "models")
    line = ["import", "onnx", str(path), "--name", "thirds", "--labels", str(labels_file), "--to", models, *flags]
    return CliRunner().invoke(main, line)


def published(path: Path) -> artifact.Artifact:
    return artifact.read(path.parent / "models" / "thirds" / "1")


def softmax(logits_NK: np.ndarray) -> np.ndarray:
    powers_NK = np.exp(logits_NK - logits_NK.max(axis=1, keepdims=True))
    return np.asarray(powers_NK / powers_NK.sum(axis=1, keepdims=True))


def test_a_file_of_one_picture_at_a_time_becomes_a_model(write: Write, labels_file: Path) -> None:
    """What is published takes bytes, any number of pictures at once, and says what the file says of each."""
    path = write(thirds(norm=True))
    flags = ("--channels", "bgr", "--mean", "0.4,0.5,0.6", "--std", "0.25", "--filter", "bicubic", "--resize", "12")
    ran = run(path, labels_file, *flags)
    assert ran.exit_code == 0, ran.output
    assert '"softmax": true' in ran.output
    read = published(path)
    task = read.manifest.classification
    assert tuple(task.labels) == LABELS
    assert (task.image.height, task.image.width, task.image.channels, task.image.shorter_side) == (HEIGHT, WIDTH, 3, 12)
    pictures_NHWC = samples.take(task.image, None, 5).images_NHWC
    pixels_NCHW = (
        pictures_NHWC[..., ::-1].transpose(0, 3, 1, 2) / 255 - np.array([0.4, 0.5, 0.6])[:, None, None]
    ) / 0.25
    original = Session.open(path)
    feeds = [{"pixels": pixels_NCHW[n : n + 1].astype(np.float32)} for n in range(5)]
    expected_NK = softmax(np.concatenate([original.run(feed)["logits"] for feed in feeds]))
    model = Catalog.load(path.parent / "models", Device.CPU).find("thirds")
    found_NK = model.sessions["model"].run({"image": pictures_NHWC})["probabilities"]
    np.testing.assert_allclose(found_NK.astype(np.float32), expected_NK, atol=1e-5)
    assert len(set(expected_NK.argmax(axis=1))) > 1


def test_the_manifest_says_where_the_file_is_from(write: Write, labels_file: Path) -> None:
    """Its name, hash, origin and terms, and what was made of its numbers, are in the manifest and on the card."""
    path = write(thirds())
    ran = run(path, labels_file, "--origin", "Jane Doe's page", "--terms", "CC BY 4.0", "--summary", "Where light is.")
    assert ran.exit_code == 0, ran.output
    read = published(path)
    made = read.manifest.provenance
    assert (made.weights.origin, made.weights.terms, made.weights.file) == ("Jane Doe's page", "CC BY 4.0", "own.onnx")
    assert made.weights.sha256 == artifact.sha256(path)
    assert made.parameters == 2 * 3 * 9 + 2 + 2 * HEIGHT * WIDTH * 3
    card = (read.folder / "README.md").read_text("utf-8")
    for told in ("Where light is.", "Jane Doe's page. Terms: CC BY 4.0", made.weights.sha256, '"layout": "nchw"'):
        assert told in card
    assert "differ from the original file's by at most" in card


def with_softmax(model: ModelProto) -> ModelProto:
    model.graph.node.append(onnx.helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1))
    model.graph.output[0].name = "probabilities"
    return model


def test_a_file_that_ends_with_a_softmax_gets_no_second_one(write: Write, labels_file: Path) -> None:
    """Its own probabilities are what is served."""
    path = write(with_softmax(thirds(batch="n")))
    ran = run(path, labels_file)
    assert ran.exit_code == 0, ran.output
    assert '"softmax": false' in ran.output
    graph = onnx.load(published(path).graph_path("model")).graph
    assert [node.op_type for node in graph.node].count("Softmax") == 1


def test_sums_are_not_taken_for_probabilities(write: Write, labels_file: Path) -> None:
    """A file whose rows do not add up to 1 is refused where its user wants no softmax, and nothing is published."""
    path = write(thirds())
    ran = run(path, labels_file, "--softmax", "no")
    assert ran.exit_code == 1
    assert re.search(r"is no probabilities: .* add up to .* --softmax yes", ran.output)
    assert not list((path.parent / "models").rglob("*.onnx"))


def test_another_number_of_labels_is_refused(write: Write, labels_file: Path) -> None:
    """The names must be as many as the file's classes."""
    labels_file.write_text("left\nright\n", "utf-8")
    ran = run(write(thirds()), labels_file)
    assert ran.exit_code == 1
    assert "has 2 names, but the model has 3 classes" in ran.output


def averaged(model: ModelProto) -> ModelProto:
    """Makes each row the mean of the batch's, which no row-by-row file does."""
    model.graph.node[-1].output[0] = "each"
    axes = onnx.numpy_helper.from_array(np.array([0]), "axes")
    model.graph.initializer.append(axes)
    model.graph.node.append(onnx.helper.make_node("ReduceMean", ["each", "axes"], ["mean"], keepdims=1))
    model.graph.node.append(onnx.helper.make_node("Add", ["each", "mean"], ["logits"]))
    model.opset_import[0].version = 18
    return model


def test_rows_that_influence_each_other_are_found_out(write: Write, labels_file: Path) -> None:
    """A file that was exported for one picture, and mixes pictures where there are more, is not published."""
    path = write(averaged(thirds()))
    ran = run(path, labels_file)
    assert ran.exit_code == 1
    assert "batch of 2, sample " in ran.output
    assert "in the original file: a difference of" in ran.output
    assert not list((path.parent / "models").rglob("*.onnx"))


def frozen(model: ModelProto) -> ModelProto:
    """Adds a constant as long as the batch, so that no other length will do."""
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "four"))
    model.graph.node[-1].output[0] = "each"
    model.graph.node.append(onnx.helper.make_node("Add", ["each", "four"], ["logits"]))
    return model


def test_a_batch_that_cannot_be_freed_is_told(write: Write, labels_file: Path) -> None:
    """Where the length of the batch is built into the graph's numbers, the text says what to do."""
    ran = run(write(frozen(thirds(batch=4))), labels_file)
    assert ran.exit_code == 1
    assert "takes a fixed number of pictures at a time" in ran.output
    assert "export it again with a dynamic batch axis" in ran.output


def two_inputs(model: ModelProto) -> ModelProto:
    model.graph.input.append(onnx.helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))
    return model


def two_outputs(model: ModelProto) -> ModelProto:
    model.graph.output.append(onnx.helper.make_tensor_value_info("row", TensorProto.FLOAT, [1, 2 * HEIGHT * WIDTH]))
    return model


def test_a_file_of_other_things_is_refused(write: Write, labels_file: Path) -> None:
    """A file with two inputs is no classifier of pictures; one of two outputs needs to be told which."""
    ran = run(write(two_inputs(thirds())), labels_file)
    assert "one tensor of pictures was expected" in ran.output
    path = write(two_outputs(thirds()))
    assert "name the one with the classes by --output" in run(path, labels_file).output
    assert "has no output 'x'" in run(path, labels_file, "--output", "x").output
    assert run(path, labels_file, "--output", "logits").exit_code == 0


@pytest.mark.parametrize(
    ("flags", "fault"),
    [
        (("--mean", "a,b"), "'a,b' is no number"),
        (("--mean", "1,2"), "mean has 2 values, 1 or 3 expected"),
        (("--size", "big"), "'big' is no size"),
        (("--size", "10"), "does not take pictures of 10x10 pixels"),
        (("--resize", "5"), "--resize is '5': stretch, or the shorter side in pixels"),
    ],
)
def test_flags_that_do_not_fit_are_told(flags: tuple[str, ...], fault: str, write: Write, labels_file: Path) -> None:
    """The text repeats what was given and says what is expected."""
    ran = run(write(thirds()), labels_file, *flags)
    assert ran.exit_code != 0
    assert fault in ran.output
