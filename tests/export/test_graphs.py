import numpy as np
import pytest
import torch
from torch import nn

from export.graphs import ClassifierGraph
from training.run import Run


def test_a_classifier_graph_gives_a_distribution_for_each_picture(run: Run, graph: ClassifierGraph) -> None:
    """Each row of probabilities is f32, non-negative and adds up to 1."""
    probabilities_NK = graph.answer(run.samples.inputs)
    assert probabilities_NK.dtype == np.float32
    assert probabilities_NK.shape == (64, 3)
    assert probabilities_NK.min() >= 0
    assert probabilities_NK.sum(axis=1) == pytest.approx(1)


def test_a_graph_is_in_evaluation_mode(run: Run) -> None:
    """A net that was left in training mode does not drop out units of the served graph."""
    graph = ClassifierGraph(run.front, nn.Sequential(run.net, nn.Dropout(0.9)).train())
    assert not any(module.training for module in graph.modules())


def test_an_answer_needs_no_writable_array(run: Run, graph: ClassifierGraph) -> None:
    """Samples that were mapped from a file read-only are taken as they are."""
    image_NHWC = run.samples.inputs[:2].copy()
    image_NHWC.flags.writeable = False
    assert torch.is_inference_mode_enabled() is False
    assert graph.answer(image_NHWC).shape == (2, 3)
