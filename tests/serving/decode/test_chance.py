"""The numbers of chance: fixed for good, and no row's are another's."""

import numpy as np

from serving.decode.chance import Chance


def philox(key: tuple[int, int], counter: int) -> list[int]:
    """Gives four numbers of 64 bits by Philox4x64-10 as published, table 2."""
    words, mask = [counter, 0, 0, 0], 2**64 - 1
    for number in range(10):
        high0, low0 = divmod(0xD2E7470EE14C6C93 * words[0], 2**64)
        high1, low1 = divmod(0xCA5A826395121157 * words[2], 2**64)
        keys = (key[0] + number * 0x9E3779B97F4A7C15) & mask, (key[1] + number * 0xBB67AE8584CAA73B) & mask
        words = [high1 ^ words[1] ^ keys[0], low1, high0 ^ words[3] ^ keys[1], low0]
    return words


def test_numbers_are_fixed() -> None:
    """The numbers are Philox's whatever version numpy has: the texts of last year come again."""
    for seed, row in ((0, 0), (7, 3), (2**64 - 1, 31)):
        expected = [bits >> 40 for counter in (1, 2, 3) for bits in philox((seed, row), counter)]
        np.testing.assert_array_equal(Chance(seed, row).draw(12), np.array(expected, np.float32) / 2**24)


def test_parts_are_the_whole() -> None:
    """However the numbers are drawn, one by one or many at once, they are the same."""
    chance = Chance(1, 2)
    parts = [chance.draw(count) for count in (1, 3, 0, 7, 5)]
    np.testing.assert_array_equal(np.concatenate(parts), Chance(1, 2).draw(16))


def test_rows_and_seeds_differ() -> None:
    """Each row of each seed has numbers of its own."""
    drawn = [tuple(Chance(seed, row).draw(8).tolist()) for seed in (0, 1, 2**64 - 1) for row in range(32)]
    assert len(set(drawn)) == len(drawn)


def test_numbers_are_uniform_below_one() -> None:
    """They lie from 0 to below 1, as many in each tenth."""
    drawn = Chance(3, 0).draw(200_000)
    assert drawn.dtype == np.float32
    assert drawn.min() >= 0
    assert drawn.max() < 1
    counts, _ = np.histogram(drawn, 10, (0, 1))
    assert abs(counts / 20_000 - 1).max() < 0.03
