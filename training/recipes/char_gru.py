"""A character GRU, trained as the LSTM is."""

from dataclasses import replace

from training.recipes.char_lstm import RECIPE as LSTM

RECIPE = replace(
    LSTM,
    name="char-gru",
    source='Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, 2.3, on characters',
    net={**LSTM.net, "cell": "gru"},
)
