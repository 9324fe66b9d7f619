"""Legend: N rows, F columns."""

import numpy as np
import pytest
import torch

from training.columns import Columns


def test_brings_each_column_to_mean_0_and_deviation_1() -> None:
    """Each column of the rows that were measured comes out so; other rows go by the same figures."""
    values_NF = torch.tensor([[1.0, -10.0], [2.0, 0.0], [3.0, 10.0]])
    columns = Columns(2)
    columns.measure(values_NF)
    deviation = np.sqrt(2 / 3)
    np.testing.assert_allclose(columns(values_NF)[:, 0], np.array([-1, 0, 1]) / deviation, rtol=1e-6)
    np.testing.assert_allclose(columns(values_NF)[:, 1], np.array([-1, 0, 1]) / deviation, rtol=1e-6)
    np.testing.assert_allclose(columns(torch.tensor([[4.0, 20.0]])), [[2 / deviation, 2 / deviation]], rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6 / 3, -7e-9])
def test_leaves_a_constant_column_at_0(value: float) -> None:
    """A column that never changes says nothing: it becomes 0, and no rounding error of its mean is blown up."""
    values_NF = torch.full((1000, 1), value)
    columns = Columns(1)
    columns.measure(values_NF)
    assert columns.std_F.tolist() == [1]
    assert columns(values_NF).abs().max() == 0


def test_measures_what_lies_far_from_0() -> None:
    """Small differences of large numbers, such as seconds of the clock, are measured as well."""
    generator = np.random.default_rng(0)
    values_NF = torch.tensor(generator.normal(1e6, 2.0, (5000, 1)), dtype=torch.float32)
    columns = Columns(1)
    columns.measure(values_NF)
    scaled_NF = columns(values_NF).double()
    assert scaled_NF.mean().item() == pytest.approx(0, abs=0.02)
    assert scaled_NF.std(correction=0).item() == pytest.approx(1, rel=1e-3)


def test_figures_are_part_of_the_weights() -> None:
    """A net that is loaded normalises as it did in training."""
    columns, loaded = Columns(2), Columns(2)
    columns.measure(torch.tensor([[1.0, 5.0], [3.0, 9.0]]))
    loaded.load_state_dict(columns.state_dict())
    assert loaded.mean_F.tolist() == [2, 7]
    assert loaded.std_F.tolist() == [1, 2]


def test_before_measuring_changes_nothing() -> None:
    """Columns that were not measured pass as they are."""
    values_NF = torch.tensor([[1.0, 5.0]])
    assert torch.equal(Columns(2)(values_NF), values_NF)
