"""Legend: N batch, T tokens, V tokens of the vocabulary, L layers, H units of a layer."""

import pytest
import torch
from torch import Tensor, nn

from training.models.recurrent import PARTS, Cell, Recurrent

TOKENS = torch.tensor([[0, 3, 1, 4, 1, 2], [2, 2, 0, 1, 3, 4]])


def make(cell: Cell, **settings: int | float | bool) -> Recurrent:
    torch.manual_seed(1)
    return Recurrent(5, cell=cell, **{"layers": 2, "width": 7, "dimensions": 4, **settings}).eval()  # type: ignore[arg-type]  # each has its own type


@pytest.mark.parametrize("cell", PARTS)
def test_computes_what_torchs_own_stack_computes(cell: Cell) -> None:
    """Layers with explicit state give what torch's module of several layers gives with the same weights."""
    net = make(cell, layers=3)
    stack = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}[cell](4, 7, 3, batch_first=True)
    for number, layer in enumerate(net.layers):
        for name, weights in layer.named_parameters():
            stack.get_parameter(name.replace("l0", f"l{number}")).data.copy_(weights)
    outputs_NTH, state = stack(net.vectors(TOKENS))
    parts = state if cell == "lstm" else (state,)
    logits_NTV, after = net(TOKENS)
    torch.testing.assert_close(logits_NTV, net.output(outputs_NTH))
    for found_NLH, expected_LNH in zip(after, parts, strict=True):
        torch.testing.assert_close(found_NLH, expected_LNH.transpose(0, 1))


@pytest.mark.parametrize("cell", PARTS)
def test_state_carries_on(cell: Cell) -> None:
    """A text read in two parts, the second from the state after the first, gives what it gives in one."""
    net = make(cell)
    whole_NTV, after = net(TOKENS)
    first_NTV, state = net(TOKENS[:, :2])
    rest_NTV, last = net(TOKENS[:, 2:], state)
    torch.testing.assert_close(torch.cat([first_NTV, rest_NTV], dim=1), whole_NTV)
    torch.testing.assert_close(last, after)
    assert [tuple(part.shape) for part in after] == [(2, 2, 7)] * len(PARTS[cell])


def test_plain_net_by_hand() -> None:
    """The plain net is Elman's: h' = tanh(W x + b + R h + c)."""
    net = make("rnn", layers=1)
    (layer,) = net.layers
    hidden_NH = torch.zeros(2, 7)
    for token_N in TOKENS.T:
        inward_NH = net.vectors(token_N) @ layer.get_parameter("weight_ih_l0").T + layer.get_parameter("bias_ih_l0")
        again_NH = hidden_NH @ layer.get_parameter("weight_hh_l0").T + layer.get_parameter("bias_hh_l0")
        hidden_NH = torch.tanh(inward_NH + again_NH)
    torch.testing.assert_close(net(TOKENS)[1][0][:, 0], hidden_NH)


def test_forget_gates_begin_open() -> None:
    """An LSTM's second bias of the forget gate begins at 1, and only that."""
    for layer in make("lstm").layers:
        bias = layer.get_parameter("bias_hh_l0")
        assert torch.equal(bias[7:14], torch.ones(7))
        assert not torch.equal(bias[:7], torch.ones(7))


def test_tied_output_has_the_tokens_vectors() -> None:
    """Tied weights are one parameter, drawn so small that a fresh net holds all tokens for about as probable."""
    net = make("gru", tied=True, dimensions=7)
    assert net.output.weight is net.vectors.weight
    count = sum(parameter.numel() for parameter in net.parameters())
    assert count == sum(p.numel() for p in make("gru", dimensions=7).parameters()) - 5 * 7
    probability_NTV = torch.softmax(net(TOKENS)[0], dim=2)
    assert probability_NTV.max() < 2 / 5


@pytest.mark.parametrize(
    ("settings", "fault"), [({"tied": True}, "tied needs as many dimensions"), ({"layers": 4}, "1 to 3 are meant")]
)
def test_refuses_what_cannot_be(settings: dict[str, int], fault: str) -> None:
    """Settings that make no net are refused."""
    with pytest.raises(ValueError, match=fault):
        make("rnn", **settings)


@pytest.mark.parametrize("setting", ["input_dropout", "dropout", "recurrent_dropout"])
def test_drops_in_training_alone(setting: str) -> None:
    """Each dropout changes what the net gives in training, and nothing in evaluation."""
    net, plain = make("lstm", **{setting: 0.5}), make("lstm")
    assert torch.equal(net(TOKENS)[0], plain(TOKENS)[0])
    assert not torch.equal(net.train()(TOKENS)[0], plain(TOKENS)[0])


def test_recurrent_dropout_holds_for_the_whole_window() -> None:
    """The weights from step to step are dropped once a window: the same tokens from the same state go the same way."""
    net = make("rnn", recurrent_dropout=0.5, layers=1).train()
    tokens_NT = torch.tensor([[1, 2, 3], [1, 2, 3]])
    logits_NTV: Tensor = net(tokens_NT)[0]
    torch.testing.assert_close(logits_NTV[0], logits_NTV[1])


def test_carries_32_bits_where_16_are_computed_with() -> None:
    """The state stays in 32 bits under automatic precision."""
    with torch.autocast("cpu", torch.bfloat16):
        _, state = make("lstm")(TOKENS)
    assert {part.dtype for part in state} == {torch.float32}
