"""Legend: N batch, T tokens, L layers, H units of a layer."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from export.writing import gate, graphs, signature
from export.writing.reference import Reference
from export.writing.writer import Writer
from serving.runtime.session import Session
from tests.export.writing.conftest import make_net, make_text, write
from training.models.recurrent import PARTS, Cell


@pytest.mark.parametrize("settings", [{"layers": 1}, {"layers": 2, "dimensions": 20, "tied": True}, {"layers": 3}])
@pytest.mark.parametrize("cell", PARTS)
def test_every_net_passes_the_gate(cell: Cell, settings: dict[str, int | bool], tmp_path: Path) -> None:
    """Plain nets, GRUs and LSTMs of one to three layers, tied or not, read and write as in PyTorch."""
    net = make_net(cell, **settings)
    proof = gate.prove(write(tmp_path, net), net, make_text())
    assert max(*proof.reading.values(), *proof.writing.values()) < gate.TOLERANCE
    assert list(proof.reading) == list(proof.writing) == [1, 3, 16]


@pytest.mark.parametrize("steps", [1, 2, 8])
def test_as_many_steps_as_asked_for(steps: int, tmp_path: Path, writer: Writer) -> None:
    """What a run of K unrolled steps writes is what as many runs of one step write, to the last bit."""
    net = make_net()
    path = tmp_path / "step.onnx"
    onnx.save(graphs.step(net, {}, steps), path)
    other = Writer(writer.prefill, Session.open(path))
    assert other.steps == steps
    state = [part + 0.5 for part in writer.first_state(5)]
    token_N, how = np.arange(5), gate.controls(5)
    mine, theirs = (each.write(token_N, state, how) for each in (writer, other))
    assert np.array_equal(mine.tokens_NT, theirs.tokens_NT)
    for found, expected in zip(mine.floats(), theirs.floats(), strict=True):
        assert np.array_equal(found, expected)


def test_what_follows_a_text_is_passed_over(writer: Writer) -> None:
    """Neither the probabilities nor the state of a row depend on the tokens beyond its length, or on how many."""
    text_NT = make_text(60).reshape(3, 20)
    length_N = np.array([20, 7, 1])
    start = [part + 0.25 for part in writer.first_state(3)]
    log_probability_NT, after = writer.read(text_NT, length_N, start)
    for row, length in enumerate(length_N):
        changed_NT = text_NT.copy()
        changed_NT[row, length:] = 3
        longer_NT = np.concatenate([changed_NT, changed_NT], axis=1)
        found_NT, state = writer.read(longer_NT, length_N, start)
        assert np.array_equal(found_NT[row, :length], log_probability_NT[row, :length])
        assert not found_NT[row, length:].any()
        assert found_NT[row, 0] == 0
        for mine, theirs in zip(state, after, strict=True):
            assert np.array_equal(mine[row], theirs[row])


def test_a_row_of_one_token_leaves_its_state(writer: Writer) -> None:
    """The token that "step" is to take is not read by "prefill"."""
    start = [part + 0.25 for part in writer.first_state(2)]
    _, after = writer.read(np.array([[3, 4], [5, 6]]), np.array([1, 2]), start)
    for before, now in zip(start, after, strict=True):
        assert np.array_equal(before[0], now[0])
        assert not np.array_equal(before[1], now[1])


def test_prefill_leads_into_step(writer: Writer) -> None:
    """Text that "step" wrote has, when "prefill" reads it, the probability that it was written with."""
    token_N = np.array([1, 2, 3])
    written = writer.write(token_N, writer.first_state(3), gate.controls(3))
    read_NT = np.concatenate([token_N[:, None], written.tokens_NT], axis=1)
    found_NT, state = writer.read(read_NT, np.full(3, read_NT.shape[1]), writer.first_state(3))
    np.testing.assert_allclose(found_NT[:, 1:], written.log_probability_NT, atol=1e-4)
    for mine, theirs in zip(state, written.state, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-4)


@pytest.mark.parametrize("token", [12, -13])
def test_refuses_tokens_beyond_the_vocabulary(token: int, writer: Writer) -> None:
    """A token that is none fails the run, and is not taken for another."""
    with pytest.raises(onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument, match="out of data bounds"):
        writer.prefill._session.run(
            None, writer.named(writer.first_state(1)) | {"tokens": np.array([[token, 1]]), "length": np.array([2])}
        )


def test_signature_is_that_of_the_contract(writer: Writer) -> None:
    """Batch first in every tensor, under the names that the decode loop goes by."""
    assert [each.name for each in writer.step.inputs] == [
        *("token", "state_hidden", "state_cell", "temperature", "top_k", "top_p", "uniform")
    ]
    assert [each.name for each in writer.step.outputs] == [
        *("next_token", "log_probability", "next_state_hidden", "next_state_cell")
    ]
    assert [each.name for each in writer.prefill.inputs] == ["tokens", "length", "state_hidden", "state_cell"]
    assert [each.name for each in writer.prefill.outputs] == [
        *("log_probability", "next_state_hidden", "next_state_cell")
    ]
    for each in (*writer.step.signatures, *writer.prefill.signatures):
        assert each.shape[0] == "N"
    assert writer.steps == signature.STEPS


def test_reference_reads_one_row_after_another() -> None:
    """The reference gives a row alone what it gives it in a batch."""
    reference = Reference(make_net("gru"))
    tokens_NT = gate.pieces(make_text(), 3, 12)
    start = [np.zeros((3, 2, 20), np.float32)]
    both_NT, after = reference.read(tokens_NT, np.array([12, 5, 1]), start)
    alone_NT, state = reference.read(tokens_NT[1:2], np.array([5]), [part[1:2] for part in start])
    assert np.array_equal(both_NT[1], alone_NT[0])
    assert np.array_equal(after[0][1], state[0][0])
