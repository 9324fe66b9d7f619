"""Legend: N batch, V tokens of the vocabulary."""

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from export.signature import BATCH
from export.writing import rule, sampling, signature
from export.writing.nodes import Nodes
from serving.runtime.datatypes import BY_NAME
from serving.runtime.session import Signature

V = 6
ROWS = 4


class Choice:
    """The choice alone, as a graph: logits in, token and log-probability out."""

    def __init__(self) -> None:
        nodes = Nodes()
        token, log_probability = sampling.choose(
            nodes, sampling.rank(nodes, "logits", V), signature.UNIFORM, sampling.controls(nodes, V)
        )
        nodes.output("chosen", token)
        nodes.output("log", log_probability)
        f32, i64 = BY_NAME["FP32"], BY_NAME["INT64"]
        takes = (
            Signature("logits", f32, (BATCH, V)),
            Signature(signature.TEMPERATURE, f32, (BATCH,)),
            Signature(signature.TOP_K, i64, (BATCH,)),
            Signature(signature.TOP_P, f32, (BATCH,)),
            Signature(signature.UNIFORM, f32, (BATCH, 1)),
        )
        gives = (Signature("chosen", i64, (BATCH, 1)), Signature("log", f32, (BATCH, 1)))
        model = nodes.model("choice", takes, gives, {})
        onnx.checker.check_model(model, full_check=True)
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def __call__(
        self, logits: list[list[float]], uniform: list[float], temperature: float = 1, top_k: int = 0, top_p: float = 1
    ) -> tuple[list[int], NDArray[np.float32]]:
        """Gives the tokens chosen and their log-probabilities."""
        rows = len(logits)
        token, log = self._session.run(
            None,
            {
                "logits": np.array(logits, np.float32),
                signature.TEMPERATURE: np.full(rows, temperature, np.float32),
                signature.TOP_K: np.full(rows, top_k, np.int64),
                signature.TOP_P: np.full(rows, top_p, np.float32),
                signature.UNIFORM: np.array(uniform, np.float32)[:, None],
            },
        )
        return token[:, 0].tolist(), log[:, 0]


@pytest.fixture(scope="module")
def choice() -> Choice:
    return Choice()


# Probabilities 0.1, 0.4, 0.05, 0.2, 0.05, 0.2: in their order tokens 1, 3, 5, 0, 2, 4.
SHARES = np.array([0.1, 0.4, 0.05, 0.2, 0.05, 0.2])
LOGITS = np.log(SHARES).tolist()


def chosen(choice: Choice, uniform: list[float], **how: float) -> list[int]:
    return choice([LOGITS] * len(uniform), uniform, **how)[0]  # type: ignore[arg-type]  # top_k is whole


def test_parts_the_line_by_probability(choice: Choice) -> None:
    """The line from 0 to 1 is parted among the tokens, the most probable first; of equals, the lower id first."""
    assert chosen(choice, [0, 0.39, 0.41, 0.59, 0.61, 0.79, 0.81, 0.89, 0.91, 0.94, 0.96, 0.999]) == [
        *(1, 1, 3, 3, 5, 5, 0, 0, 2, 2, 4, 4)
    ]


def test_temperature_bends_the_line(choice: Choice) -> None:
    """Shares are the probabilities to the power of one over the temperature."""
    share = np.sort(SHARES**2)[::-1] / (SHARES**2).sum()
    assert chosen(choice, [share[0] - 0.01, share[0] + 0.01], temperature=0.5) == [1, 3]


def test_temperature_0_takes_the_most_probable(choice: Choice) -> None:
    """Whatever the number, top_k and top_p."""
    for how in ({}, {"top_k": 3}, {"top_p": 0.5}):
        assert chosen(choice, [0, 0.5, 0.999], temperature=0, **how) == [1, 1, 1]


def test_top_k_leaves_the_most_probable(choice: Choice) -> None:
    """So many tokens share the whole line; more than there are is all."""
    assert chosen(choice, [0, 0.65, 0.68, 0.999], top_k=2) == [1, 1, 3, 3]
    assert chosen(choice, [0.999, 0.999], top_k=100) == [4, 4]


def test_top_p_leaves_the_fewest_that_have_the_share(choice: Choice) -> None:
    """The token that reaches the share is the last that is left; there is always one."""
    assert chosen(choice, [0, 0.65, 0.68, 0.999], top_p=0.5) == [1, 1, 3, 3]
    assert chosen(choice, [0.999, 0.999], top_p=0.39) == [1, 1]
    assert chosen(choice, [0.999, 0.999], top_p=1e-9) == [1, 1]


def test_top_p_counts_what_top_k_leaves(choice: Choice) -> None:
    """The share is of the tokens that top_k left: of 1, 3 and 5, the first has a half."""
    assert chosen(choice, [0.999], top_k=3, top_p=0.49) == [1]
    assert chosen(choice, [0.999], top_k=3, top_p=0.51) == [3]


def test_log_probability_is_the_nets_own(choice: Choice) -> None:
    """Neither temperature nor top_k nor top_p changes the probability that is told."""
    _, log = choice([LOGITS] * 2, [0.0, 0.999], temperature=3, top_k=2, top_p=0.9)
    np.testing.assert_allclose(log, np.log([0.4, 0.2]), atol=1e-6)


def test_numbers_beyond_all_bounds_choose_some_token(choice: Choice) -> None:
    """Logits and controls at their extremes give a token of the vocabulary."""
    extremes = [[1e30] * V, [-1e30, 0, 0, 0, 0, 0], [float("-inf")] * 5 + [0.0], [0.0] * V]
    for temperature in (1e-38, 1e-6, 1e6):
        for top_p in (0.0, 1.0):
            tokens, _ = choice(extremes, [1 - 2**-24] * 4, temperature=temperature, top_p=top_p)
            assert all(0 <= token < V for token in tokens)


@settings(deadline=None, max_examples=200)
@given(
    logits=st.lists(st.floats(-20, 20, width=32), min_size=V, max_size=V),
    uniform=st.floats(0, 1, exclude_max=True, width=32),
    temperature=st.sampled_from([0.0, 0.3, 1.0, 2.5]),
    top_k=st.integers(0, V + 1),
    top_p=st.sampled_from([0.1, 0.5, 0.9, 1.0]),
)
def test_agrees_with_the_rule(  # noqa: PLR0917  hypothesis gives them by name
    choice: Choice, logits: list[float], uniform: float, temperature: float, top_k: int, top_p: float
) -> None:
    """The nodes choose what the rule in 64-bit floats chooses, but where a number lies within rounding of a border."""
    (token,), _ = choice([logits], [uniform], temperature, top_k, top_p)
    values = np.array(logits, np.float32).astype(np.float64)
    parted = rule.line(values - np.logaddexp.reduce(values), temperature, top_k, top_p)
    begin, end = parted.share(token)
    # A border of top_p may fall on either side too.
    near_top_p = end == np.inf and top_p < 1
    assert near_top_p or begin - 1e-5 <= uniform <= end + 1e-5


def test_rule_chooses_by_hand() -> None:
    """The rule itself, on the shares above."""
    logs = np.log(SHARES)
    assert [rule.choose(logs, u, 1, 0, 1) for u in (0.0, 0.5, 0.7, 0.85, 0.97)] == [1, 3, 5, 0, 4]
    assert rule.choose(logs, 0.99, 0, 0, 1) == 1
    assert rule.choose(logs, 0.99, 1, 3, 0.51) == 3
    assert rule.line(logs, 1, 2, 1).share(5) == (np.inf, np.inf)
