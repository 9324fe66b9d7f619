"""A small classifier of scikit-learn's digits, trained here in a moment, and its graph.

Legend: N batch, C channels, H height, W width.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from export import candidate
from export.candidate import Candidate
from protos.manifest_pb2 import Score
from serving.runtime.session import Session
from training.data import digits
from training.data.dataset import DataSet, Raw
from training.inputs import Image
from training.pixels import Pixels
from training.run import Run

INPUT = Image(height=16, width=16, channels=1, mean=(0.3,), std=(0.4,))


@pytest.fixture(scope="session")
def data() -> DataSet[Raw]:
    return digits.read()


@pytest.fixture(scope="session")
def digits_run(data: DataSet[Raw]) -> Run:
    task = data.task(INPUT)
    train, test = data.train.fit(task), data.test.fit(task)
    front, net = Pixels(INPUT.mean, INPUT.std), _trained(Pixels(INPUT.mean, INPUT.std), train.inputs, train.labels_N)
    return Run(
        name="digits",
        net=net,
        front=front,
        task=task,
        samples=test,
        recipe={"name": "digits"},
        source="Nobody 1999",
        summary="Names a digit.",
        data=(data.source,),
        scores=(Score(metric="error", value=99, unit="%", data="digits test", samples=len(test)),),
        seed=0,
        library_versions={"torch": torch.__version__},
        parameters=sum(parameter.numel() for parameter in net.parameters()),
    )


def _trained(front: Pixels, image_NHWC: np.ndarray, label_N: np.ndarray) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, stride=2, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU6(),
        nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(16 * 4 * 4, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    images, labels = front(torch.tensor(image_NHWC)), torch.tensor(label_N)
    for step in range(60):
        part = slice(step * 128 % (len(labels) - 128), None)
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(images[part][:128]), labels[part][:128])
        loss.backward()  # type: ignore[no-untyped-call]  # in torch's stubs
        optimizer.step()
    return net.eval()


@pytest.fixture(scope="session")
def made(digits_run: Run) -> Candidate:
    return candidate.of_run(digits_run)


@pytest.fixture(scope="session")
def full_path(made: Candidate, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graph in 32-bit floats."""
    path = tmp_path_factory.mktemp("full") / "model.onnx"
    made.write(path, {})
    return path


@pytest.fixture(scope="session")
def full(full_path: Path) -> Session:
    return Session.open(full_path)


def answers(session: Session, samples: np.ndarray) -> np.ndarray:
    """Gives probabilities_NK."""
    return session.run({"image": samples})["probabilities"]
