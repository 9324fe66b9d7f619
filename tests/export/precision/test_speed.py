import time
from pathlib import Path

import numpy as np
import pytest

from export.candidate import Candidate
from export.precision import speed
from hondo.artifact import Tensors
from serving.runtime.session import Session


class Slowed(Session):
    """A session that takes so much longer for each run."""

    seconds = 0.0

    @classmethod
    def by(cls, session: Session, seconds: float) -> "Slowed":
        """Gives a session that is so much slower than another."""
        slowed = cls(session.path, session._session)
        slowed.seconds = seconds
        return slowed

    def run(self, feeds: Tensors, outputs: object = None, options: object = None) -> Tensors:
        """Runs after a while."""
        time.sleep(self.seconds)
        return super().run(feeds)


def test_the_ratio_is_of_examples_a_second(full: Session, made: Candidate) -> None:
    """A graph that waits 20 ms is slower many times, one against one that waits is faster many times."""
    slow = Slowed.by(full, 0.02)
    ratio, batch = speed.compare(slow, full, made.samples)
    assert ratio > 2
    assert batch in {1, 2, 4, 8, 16, 32}
    assert speed.compare(full, slow, made.samples)[0] < 0.5


def test_few_samples_fill_any_batch(full: Session, made: Candidate) -> None:
    """The samples are repeated where a batch has more rows."""
    assert len(speed._rows(made.samples[:3], 8)) == 8
    np.testing.assert_array_equal(speed._rows(made.samples[:3], 8)[3], made.samples[0])


@pytest.mark.parametrize(
    ("cpuinfo", "told"),
    [
        ("model name\t: Some CPU\nflags\t\t: sse avx2 avx512f avx512_vnni\n", "Some CPU, "),
        ("Features\t: fp asimd asimddp\n", ", asimddp; "),
        ("model name\t: Some CPU\nflags\t\t: sse avx2\n", ", avx2; onnxruntime "),
    ],
)
def test_the_machine_is_told_with_what_makes_8_bits_fast(cpuinfo: str, told: str, tmp_path: Path) -> None:
    """The processor's name, and the best of the instructions that sum 8-bit products."""
    (tmp_path / "cpuinfo").write_text(cpuinfo, "utf-8")
    assert told in speed.machine(tmp_path / "cpuinfo")


def test_a_system_without_cpuinfo_is_told_too(tmp_path: Path) -> None:
    """Where there is no such file, the platform's own word is taken."""
    assert "core" in speed.machine(tmp_path / "none")
