"""A complete artifact without torch: a classifier that says whether a text is glad or sad.

Legend: N texts, T places for words, V words of the vocabulary, K classes.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hondo import text
from hondo.artifact import GOLDEN, describe
from protos.manifest_pb2 import Classification, Graph, Manifest, TextInput
from tests.serving import artifacts, graphs

LENGTH: Final = 8  # words
VOCABULARY: Final = (*text.SPECIAL, "good", "fine", "bad", "poor", "film", "!")
LABELS: Final = ("glad", "sad")
# Texts and the label of each, sure enough.
TEXTS: Final = {"A good film.": "glad", "bad, BAD film": "sad", "Fine!": "glad", "poor": "sad"}


def weights() -> NDArray[np.float32]:
    """Gives f32[V,K]: what each word says."""
    weights_VK = np.zeros((len(VOCABULARY), len(LABELS)), np.float32)
    for word, label in (("good", 0), ("fine", 0), ("bad", 1), ("poor", 1)):
        weights_VK[VOCABULARY.index(word), label] = 1
    return weights_VK


def tokens(texts: "list[str] | tuple[str, ...]") -> NDArray[np.int64]:
    """Gives tokens_NT of some texts."""
    ids = text.index(VOCABULARY)
    return np.stack([text.encode(each, ids, LENGTH) for each in texts])


def probabilities(tokens_NT: NDArray[np.int64]) -> NDArray[np.float32]:
    """Gives what the classifier answers, f32[N,K], computed with numpy alone."""
    powers_NK = np.exp(weights()[tokens_NT].sum(axis=1))
    answer: NDArray[np.float32] = powers_NK / powers_NK.sum(axis=1, keepdims=True)
    return answer


def text_input() -> TextInput:
    """Gives how the classifier wants its texts."""
    return TextInput(tokenizer=TextInput.KIM, vocabulary=VOCABULARY, length=LENGTH)


def write_classifier(models: Path, name: str = "mood", *, free_length: bool = False) -> Path:
    """Writes the artifact below the folder `models`; gives its folder.

    Args:
        models: the folder of all models.
        name: the model's name.
        free_length: the graph takes texts of any length, not only LENGTH.
    """
    folder = models / name / "1"
    graph = graphs.bag_of_words(folder / "model.onnx", weights(), "length" if free_length else LENGTH)
    tokens_NT = tokens(list(TEXTS))
    artifacts.write_golden(folder, {"model/in/tokens": tokens_NT, "model/out/probabilities": probabilities(tokens_NT)})
    manifest = Manifest(
        name=name,
        version=1,
        summary="Says whether a text is glad or sad.",
        graphs=[Graph(role="model", file=describe(graph))],
        golden=describe(folder / GOLDEN),
        classification=Classification(text=text_input(), labels=LABELS),
    )
    artifacts.write_manifest(folder, manifest)
    return folder
