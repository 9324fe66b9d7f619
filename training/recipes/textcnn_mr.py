"""Kim's text CNN for the sentences of film reviews."""

from dataclasses import replace

from training.inputs import Text
from training.recipes.textcnn_trec import RECIPE as TREC

RECIPE = replace(
    TREC,
    name="textcnn-mr",
    summary="Says whether a sentence of a film review is positive or negative.",
    data="mr",
    input=Text(length=60),
    epochs=8,
)
