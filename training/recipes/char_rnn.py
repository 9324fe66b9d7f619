"""A character RNN with tanh, trained as the LSTM is."""

from dataclasses import replace

from training.recipes.char_lstm import RECIPE as LSTM

RECIPE = replace(
    LSTM,
    name="char-rnn",
    source='Elman, "Finding structure in time", 1990, with tanh, on characters',
    net={**LSTM.net, "cell": "rnn"},
)
