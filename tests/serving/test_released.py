"""The released models, as they lie in the repository."""

from collections.abc import Iterator
from typing import Final

import pytest

from hondo import artifact
from hondo.client import Client
from protos.generate import ROOT
from tests.serving.process import serving

MODELS: Final = ROOT / "models"
DIGITS: Final = sorted((MODELS / "lenet5" / "samples").glob("digit-*.png"))
DOG: Final = MODELS / "efficientnet-lite0" / "samples" / "dog.jpg"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server of all released models, which loads them with their hashes and golden samples."""
    log = tmp_path_factory.mktemp("released") / "log"
    with serving(MODELS, log) as process, Client(process.address) as asked:
        yield asked


def test_lenet5_reads_the_digits_beside_it(client: Client) -> None:
    """LeNet-5 names each digit that lies beside it."""
    answer = client.classify(DIGITS, model="lenet5", top_k=1)
    assert [result.labels[0].name for result in answer.results] == [path.stem.removeprefix("digit-") for path in DIGITS]


def test_efficientnet_sees_the_dog_beside_it(client: Client) -> None:
    """EfficientNet-Lite0 takes the dog that lies beside it for an Alaskan Malamute."""
    labels = client.classify([DOG], model="efficientnet-lite0", top_k=1).results[0].labels
    assert labels[0].name == "Alaskan Malamute"


def test_textcnn_knows_what_a_question_asks_for(client: Client) -> None:
    """The text CNN, the only one that takes texts, tells a person, a place and a number apart."""
    questions = ["Who wrote War and Peace?", "Where is the Louvre?", "How many people live in Kyoto?"]
    results = client.classify(texts=questions, top_k=1).results
    assert [result.labels[0].name for result in results] == ["person", "location", "number"]


# Two nets, one that sees and one that says.
MOST_BYTES = {"captioner": 21 * 10**6}


@pytest.mark.parametrize("model", sorted(path.name for path in MODELS.iterdir() if path.is_dir()))
def test_released_models_are_small_and_measured(model: str) -> None:
    """A released model has scores, or says whose weights it has, or has learnt nothing; and fits a repository."""
    manifest = artifact.read(MODELS / model / "1").manifest
    learnt = manifest.provenance.parameters > 0
    assert (
        manifest.scores or manifest.provenance.HasField("weights") or not manifest.provenance.parameters or not learnt
    )
    size = sum(path.stat().st_size for path in (MODELS / model).rglob("*") if path.is_file())
    assert size < MOST_BYTES.get(model, 12 * 2**20)
