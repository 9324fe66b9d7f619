"""The parity gate of nets that write: the graphs must read and write as PyTorch does, whoever else is in the batch.

Legend: N batch, T tokens, V tokens of the vocabulary, L layers, H units of a layer.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export import signature as signatures
from export.writing import rule, signature
from export.writing.reference import AUTHOR, Reference
from export.writing.writer import Writer
from export.writing.written import Controls, Floats
from hondo.artifact import PREFILL, STEP
from hondo.errors import ParityError
from training.models.recurrent import Recurrent

BATCH_SIZES: Final = (1, 3, 16)
# Of real text, read by each row but a few shorter ones.
CHARACTERS: Final = 1000
# Written by each row, after so many of real text.
CONTINUED: Final = 200
_PROMPT: Final = 100
# Largest allowed difference of two logarithms of probabilities, and of two numbers of a state; where the latter are
# beyond 1, as an LSTM's cells may be, that share of them.
TOLERANCE: Final = 1e-4
_SEED: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the gate found."""

    # The largest difference of the logarithms of two probabilities, by batch size.
    reading: dict[int, float]
    writing: dict[int, float]
    # Whether rows that are alone and rows in company agree to the last bit, and not only in what they write.
    same_bits: bool


def prove(writer: Writer, net: Recurrent, text_T: NDArray[np.int64], tolerance: float = TOLERANCE) -> Proof:
    """Proves the graphs.

    Args:
        writer: the files, as the server runs them.
        net: what they must agree with.
        text_T: real text that the training never saw.
        tolerance: how well they must agree.

    Raises:
        ParityError: they do not read or write as the net does, or a row's text depends on the others'.
    """
    check_signature(writer, net)
    reference = Reference(net)
    return Proof(
        reading={size: check_reading(writer, reference, text_T, size, tolerance) for size in BATCH_SIZES},
        writing={size: check_writing(writer, reference, text_T, size, tolerance) for size in BATCH_SIZES},
        same_bits=check_company(writer, text_T),
    )


def check_signature(writer: Writer, net: Recurrent) -> None:
    """Checks that the graphs' inputs and outputs are those that the decode loop relies on.

    Raises:
        ParityError: they are not those that `export.writing.signature` gives for the net.
    """
    for role, session in ((PREFILL, writer.prefill), (STEP, writer.step)):
        expected = signature.takes(role, net), signature.gives(role, net)
        for does, found, meant in zip(("take", "give"), (session.inputs, session.outputs), expected, strict=True):
            if found != meant:
                has, should = (", ".join(map(signatures.text, each)) for each in (found, meant))
                raise ParityError(f"graph {role!r} must {does} {should}, but {does}s {has}")


def pieces(text_T: NDArray[np.int64], rows: int, length: int) -> NDArray[np.int64]:
    """Gives tokens_NT: pieces of a text from places far apart; a short text is gone round."""
    places_N = np.arange(rows) * len(text_T) // rows
    tokens_NT: NDArray[np.int64] = text_T[(places_N[:, None] + np.arange(length)) % len(text_T)]
    return tokens_NT


def check_reading(
    writer: Writer, reference: Reference, text_T: NDArray[np.int64], size: int, tolerance: float
) -> float:
    """Checks the probabilities of text that is given, and the state after it; read at once, and in two parts.

    Returns:
        The largest difference.
    """
    where = f"graph 'prefill', batch of {size}"
    tokens_NT = pieces(text_T, size, CHARACTERS + 1)
    length_N = np.full(size, CHARACTERS + 1)
    # The last rows of a batch are shorter: half, and only the token that "step" is to take.
    length_N[1:][-2:] = [CHARACTERS // 2, 1][: size - 1]
    start = writer.first_state(size)
    expected = reference.read(tokens_NT, length_N, start)
    worst = _compare(writer.read(tokens_NT, length_N, start), expected, tolerance, where)
    cut = CHARACTERS // 3
    first_NT, state = writer.read(tokens_NT[:, : cut + 1], np.minimum(length_N, cut + 1), start)
    rest_NT, state = writer.read(tokens_NT[:, cut:], np.maximum(length_N - cut, 1), state)
    joined_NT = np.concatenate([first_NT, rest_NT[:, 1:]], axis=1)
    return max(worst, _compare((joined_NT, state), expected, tolerance, f"{where}, in two parts"))


def check_writing(
    writer: Writer, reference: Reference, text_T: NDArray[np.int64], size: int, tolerance: float
) -> float:
    """Checks what is written after a prompt: the most probable token each time, then by chance in many ways.

    Returns:
        The largest difference.
    """
    where = f"graph 'step', batch of {size}"
    token_N, state = _prompted(writer, text_T, size)
    greedy = writer.write(token_N, state, controls(size, greedy=True))
    how = controls(size)
    check_same(greedy.tokens_NT, reference.write(token_N, state, controls(size, greedy=True)).tokens_NT, where)
    chance = writer.write(token_N, state, how)
    worst = 0.0
    for written in (greedy, chance):
        everything_NTV, after = reference.follow(token_N, written.tokens_NT, state)
        expected_NT = np.take_along_axis(everything_NTV, written.tokens_NT[:, :, None], axis=2)[:, :, 0]
        found = written.log_probability_NT, written.state
        worst = max(worst, _compare(found, (expected_NT, after), tolerance, where))
    check_rule(everything_NTV, chance.tokens_NT, how, where)
    return worst


def _prompted(writer: Writer, text_T: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], list[Floats]]:
    """Gives the last token and the state after prompts of several lengths."""
    tokens_NT = pieces(text_T, size, _PROMPT)
    length_N = _PROMPT - 3 * np.arange(size)
    return tokens_NT[np.arange(size), length_N - 1], writer.read(tokens_NT, length_N, writer.first_state(size))[1]


def controls(size: int, *, greedy: bool = False) -> Controls:
    """Gives settings that differ from row to row; a row has the same ones in a batch of any size."""
    row_N = np.arange(size)
    uniform_NT = [np.random.default_rng((_SEED, int(row))).random(CONTINUED, np.float32) for row in row_N]
    temperature_N = np.zeros(size) if greedy else np.array([1, 0.8, 0.5, 1.3])[row_N % 4]
    return Controls(
        temperature_N=temperature_N.astype(np.float32),
        top_k_N=np.array([0, 0, 5, 20, 1])[row_N % 5],
        top_p_N=np.array([1, 0.9, 0.5])[row_N % 3].astype(np.float32),
        uniform_NT=np.stack(uniform_NT),
    )


def check_company(writer: Writer, text_T: NDArray[np.int64]) -> bool:
    """Checks that a row's text does not depend on who else is in the batch, nor on its place there.

    Returns:
        Whether states and probabilities are the same to the last bit.
    """
    largest = max(BATCH_SIZES)
    token_N, state = _prompted(writer, text_T, largest)
    how = controls(largest)
    together = writer.write(token_N, state, how)
    same_bits = True
    for size in (1, 2, 7):
        for start in range(0, largest - size + 1, size):
            rows = slice(start, start + size)
            apart = writer.write(token_N[rows], [part[rows] for part in state], how.rows(rows))
            where = f"graph 'step', row {start} of {largest} against a batch of {size}"
            check_same(apart.tokens_NT, together.tokens_NT[rows], where)
            pairs = zip(apart.floats(), together.floats(), strict=True)
            same_bits &= all(np.array_equal(mine, theirs[rows]) for mine, theirs in pairs)
    return same_bits


def check_same(found_NT: NDArray[np.int64], expected_NT: NDArray[np.int64], where: str) -> None:
    """Checks that tokens are those that are expected.

    Raises:
        ParityError: one is not; the text names the first.
    """
    for row, place in np.argwhere(found_NT != expected_NT)[:1]:
        raise ParityError(
            f"{where}, row {row}: token {place} of what is written is {found_NT[row, place]}, "
            f"but {expected_NT[row, place]} is expected"
        )


def check_rule(everything_NTV: Floats, written_NT: NDArray[np.int64], how: Controls, where: str) -> None:
    """Checks that each token is the one that the rule chooses, as far as rounding leaves that to it.

    Raises:
        ParityError: one is not.
    """
    for (row, place), token in np.ndenumerate(written_NT):
        begin, end = rule.line(everything_NTV[row, place], *how.of(row)).share(int(token))
        uniform = float(how.uniform_NT[row, place])
        if not begin - TOLERANCE <= uniform <= end + TOLERANCE:
            raise ParityError(
                f"{where}, row {row}: token {place} of what is written is {token}, whose share is {begin:.6f} to "
                f"{end:.6f}, but the number that decides is {uniform:.6f}"
            )


def _compare(
    found: tuple[Floats, list[Floats]], expected: tuple[Floats, list[Floats]], tolerance: float, where: str
) -> float:
    """Gives the largest difference of log-probabilities; the states' is held to the same."""
    states = max(off_state(mine, theirs) for mine, theirs in zip(found[1], expected[1], strict=True))
    worst = float(off(found[0], expected[0]).max())
    if not max(worst, states) <= tolerance:
        raise ParityError(
            f"{where}: log-probabilities differ by up to {worst:.2g} and states by up to {states:.2g} from {AUTHOR}'s, "
            f"at most {tolerance:g} is allowed"
        )
    return worst


def off_state(found: Floats, expected: Floats) -> float:
    """Gives the largest difference of two numbers of a state, as TOLERANCE has it."""
    return float((off(found, expected) / np.maximum(1, np.abs(expected))).max())


def off(found: Floats, expected: Floats) -> NDArray[np.float64]:
    """Gives the differences; infinite where one is no number."""
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    # What is no number is as wrong as can be, and must not pass because it compares false.
    return np.where(np.isnan(difference), np.inf, difference)
