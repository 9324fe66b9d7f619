import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch
from torch import nn

from export import gate
from export.convert import convert
from export.graphs import ClassifierGraph
from hondo.errors import ParityError
from protos.manifest_pb2 import Classification
from serving.runtime.session import Session
from tests.export.conftest import LABELS
from training.run import Run

Edit = Callable[[onnx.ModelProto], None]


def edited(onnx_path: Path, folder: Path, edit: Edit) -> Session:
    model = onnx.load(onnx_path)
    edit(model)
    onnx.save(model, folder / "edited.onnx")
    return Session.open(folder / "edited.onnx")


def last_layer(model: onnx.ModelProto) -> onnx.TensorProto:
    return next(weights for weights in model.graph.initializer if weights.name == "net.4.weight")


def set_weights(edit: Callable[[np.ndarray], np.ndarray]) -> Edit:
    def apply(model: onnx.ModelProto) -> None:
        weights = last_layer(model)
        weights.CopyFrom(onnx.numpy_helper.from_array(edit(onnx.numpy_helper.to_array(weights).copy()), weights.name))

    return apply


def without_softmax(model: onnx.ModelProto) -> None:
    softmax = next(node for node in model.graph.node if node.op_type == "Softmax")
    softmax.op_type = "Identity"
    del softmax.attribute[:]


def check(session: Session, graph: ClassifierGraph, run: Run) -> dict[int, float]:
    return gate.check_parity(session, graph, run.samples.inputs, run.task.labels)


def test_the_file_of_a_net_passes(session: Session, graph: ClassifierGraph, run: Run) -> None:
    """An honest export passes at every batch size, and the gate tells by how much."""
    worst = check(session, graph, run)
    assert list(worst) == [1, 2, 7, 32]
    assert all(0 <= difference <= 1e-5 for difference in worst.values())


def test_every_batch_has_samples_of_its_own(session: Session, graph: ClassifierGraph, run: Run) -> None:
    """A sample that the file gets wrong is found by whichever batch it is in, and named by its number in the run."""
    for sample, size in ((0, 1), (2, 2), (9, 7), (41, 32)):
        wrong = Wrong(graph, run.samples.inputs[sample])
        with pytest.raises(ParityError, match=rf"^graph 'model', batch of {size}, sample {sample}: "):
            check(session, wrong, run)


class Wrong(ClassifierGraph):
    """A graph that answers otherwise for one picture."""

    def __init__(self, graph: ClassifierGraph, image_HWC: np.ndarray) -> None:
        super().__init__(graph.front, graph.net)
        self.image_HWC = torch.tensor(image_HWC)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Gives probabilities_NK."""
        answer_NK = super().forward(image)
        answer_NK[(image == self.image_HWC).flatten(1).all(dim=1)] += 1e-4
        return answer_NK


def test_a_nudged_weight_is_refused(session: Session, run: Run) -> None:
    """A net of which one weight was changed after the export differs from its file; the text has both values."""
    net = copy.deepcopy(run.net)
    assert isinstance(net, nn.Sequential)
    with torch.no_grad():
        next(net[4].parameters())[0, 0] += 0.01
    with pytest.raises(
        ParityError,
        match=r"batch of \d+, sample \d+: the probability of '\w+' is 0\.\d+ in ONNX Runtime but 0\.\d+ in PyTorch: "
        r"a difference of 0\.\d+, at most 1e-05 is allowed",
    ):
        check(session, ClassifierGraph(run.front, net), run)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(set_weights(lambda weights_KI: weights_KI[::-1].copy()), id="classes in another order"),
        pytest.param(set_weights(lambda weights_KI: weights_KI * np.float32("nan")), id="not a number"),
        pytest.param(set_weights(lambda weights_KI: weights_KI * np.float32(1.001)), id="a thousandth more"),
        pytest.param(without_softmax, id="no softmax"),
    ],
)
def test_a_file_that_differs_is_refused(
    edit: Edit, onnx_path: Path, graph: ClassifierGraph, run: Run, tmp_path: Path
) -> None:
    """Whatever was done to the file, the gate names a sample and how far it is off."""
    with pytest.raises(ParityError, match=r"sample \d+: .* a difference of [\d.einf+-]+, at most 1e-05"):
        check(edited(onnx_path, tmp_path, edit), graph, run)


def test_a_net_of_nans_is_refused_though_its_file_agrees(onnx_path: Path, run: Run, tmp_path: Path) -> None:
    """What is no number on both sides is no agreement."""
    session = edited(onnx_path, tmp_path, set_weights(lambda weights_KI: weights_KI * np.float32("nan")))
    net = copy.deepcopy(run.net)
    assert isinstance(net, nn.Sequential)
    with torch.no_grad():
        next(net[4].parameters()).mul_(float("nan"))
    with pytest.raises(ParityError, match="is nan in ONNX Runtime but nan in PyTorch: a difference of inf"):
        check(session, ClassifierGraph(run.front, net), run)


def test_another_best_class_is_refused_within_the_tolerance() -> None:
    """Probabilities that agree to 1e-5 still fail where they make another class the most probable."""
    found_NK = np.full((1, 3), 1 / 3, np.float32)
    expected_NK = found_NK.copy()
    found_NK[0, 1] += np.float32(1e-6)
    with pytest.raises(ParityError, match=r"sample 5: the most probable class is 'square' .* 'circle' .* in PyTorch"):
        gate._compare_best(found_NK, expected_NK, LABELS, gate.Standard("PyTorch"), where="graph 'model'", first=5)


def test_too_few_samples_prove_nothing(session: Session, graph: ClassifierGraph, run: Run) -> None:
    """The gate refuses to pass what it could not try."""
    with pytest.raises(ParityError, match="takes 42 samples to prove, but there are 41"):
        gate.check_parity(session, graph, run.samples.inputs[:41], run.task.labels)


def task(run: Run) -> Classification:
    return Classification(image=run.task.image, labels=run.task.labels)


def test_the_signature_that_the_server_relies_on_passes(session: Session, run: Run) -> None:
    """A file whose tensors fit the task's sizes and labels passes."""
    gate.check_signature(session, task(run))


def test_a_label_too_many_is_refused(session: Session, run: Run) -> None:
    """The number of labels must be the number of probabilities."""
    with pytest.raises(ParityError, match=r"must give probabilities FP32\[N,4\], but gives probabilities FP32\[N,3\]$"):
        gate.check_signature(session, Classification(image=run.task.image, labels=[*run.task.labels, "star"]))


def rename_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].name = "picture"
    for node in model.graph.node:
        node.input[:] = ["picture" if name == "image" else name for name in node.input]


def test_another_name_is_refused(onnx_path: Path, run: Run, tmp_path: Path) -> None:
    """Inputs are asked for by name: another one is refused, and the text says what was found."""
    with pytest.raises(ParityError, match=r"must take image UINT8\[N,8,6,1\], but takes picture UINT8\[N,8,6,1\]$"):
        gate.check_signature(edited(onnx_path, tmp_path, rename_input), task(run))


class FrozenBatch(nn.Module):
    """A net that takes two pictures, no more and no less."""

    def forward(self, image_NCHW: torch.Tensor) -> torch.Tensor:
        """Gives logits_NK, which are the first pixels."""
        return image_NCHW.reshape(2, 48)[:, :3]


def test_a_net_that_fixes_the_batch_size_is_refused(run: Run, tmp_path: Path) -> None:
    """A net that serves one batch size only is refused by its signature."""
    convert(ClassifierGraph(run.front, FrozenBatch()), run.task, tmp_path / "model.onnx", {})
    with pytest.raises(ParityError, match=r"must take image UINT8\[N,8,6,1\], but takes image UINT8\[2,8,6,1\]$"):
        gate.check_signature(Session.open(tmp_path / "model.onnx"), task(run))


def test_a_file_that_does_not_run_is_refused(run: Run, graph: ClassifierGraph, tmp_path: Path) -> None:
    """Where ONNX Runtime fails at a batch size, the gate says at which, and why."""
    convert(ClassifierGraph(run.front, FrozenBatch()), run.task, tmp_path / "model.onnx", {})
    with pytest.raises(ParityError, match="batch of 1: ONNX Runtime fails: "):
        check(Session.open(tmp_path / "model.onnx"), graph, run)
