"""Which batch sizes a session runs at."""

import time

import pytest

from serving.runtime.sizes import Sizes


def test_the_size_that_serves_most_rows_a_second_is_chosen() -> None:
    """A larger size is taken, and padded, only where its time for the rows at hand is the shortest a row."""
    sizes = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3))
    assert [sizes.choose(rows) for rows in (1, 2, 3, 4, 5, 8, 100)] == [1, 2, 3, 4, 5, 8, 8]
    assert [sizes.padded(rows) for rows in (1, 2, 3, 4, 5, 8)] == [1, 2, 4, 4, 8, 8]


def test_sizes_about_as_good_give_way_to_the_smaller() -> None:
    """Where a larger batch saves nothing a row, the smaller one answers sooner and is preferred."""
    assert Sizes((1, 2, 4), (1.0, 1.99, 3.95)).choose(4) == 1


def test_padding_is_weighed_against_a_second_run() -> None:
    """Five rows go as four and one where a run of eight takes longer than both."""
    assert Sizes((1, 2, 4, 8), (1.0, 1.5, 2.0, 4.0)).choose(5) == 4


def test_rows_of_any_size_are_not_padded_and_bounded_by_their_numbers() -> None:
    """Where requests choose how large a row is, a run holds no more numbers than the largest measured, or one row."""
    sizes = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3), row_numbers=100)
    assert [sizes.of_rows(numbers).largest for numbers in (50, 100, 101, 200, 300, 5000)] == [8, 8, 4, 4, 2, 1]
    assert [sizes.padded(rows) for rows in (1, 3, 5)] == [1, 3, 5]
    fixed = Sizes((1, 2, 4, 8), (1.0, 1.1, 1.2, 1.3))
    assert fixed.of_rows(10**9) is fixed


def test_long_runs_are_measured_less_often() -> None:
    """A run of a second is not repeated: it varies little, and loading would take minutes."""
    ran: list[int] = []

    def prepare(rows: int) -> object:
        def run() -> None:
            ran.append(rows)
            time.sleep(0.6)

        return run

    Sizes.measure(prepare, 1)  # type: ignore[arg-type]
    assert len(ran) == 3  # to warm it, and twice


@pytest.mark.parametrize("largest", [1, 6, 32])
def test_measuring_goes_up_to_the_largest_wished_for(largest: int) -> None:
    """Sizes double as long as that saves time a row, and never exceed what the user allows."""
    ran: list[int] = []

    def prepare(rows: int) -> object:
        def run() -> None:
            ran.append(rows)
            time.sleep(0.004)

        return run

    sizes = Sizes.measure(prepare, largest)  # type: ignore[arg-type]
    assert sizes.largest == largest
    assert set(ran) == set(sizes.sizes)


def test_measuring_stops_where_larger_batches_save_nothing() -> None:
    """Time in proportion to the rows: one row a run is as good as any, and no large batch is tried."""
    ran: set[int] = set()

    def prepare(rows: int) -> object:
        ran.add(rows)
        return lambda: time.sleep(0.01 * rows)

    assert Sizes.measure(prepare, 32).sizes == (1,)  # type: ignore[arg-type]
    assert max(ran) <= 8
