"""The bench of models that write, on a real server and a tiny model."""

import re
from pathlib import Path

from click.testing import CliRunner

from serving.bench.writing import bench
from tests.serving import writers


def test_figures_stand_beside_raw_ones(tmp_path: Path) -> None:
    """Each served figure has the bare graph's beside it, once a round, and their ratio is that of the two."""
    writers.write_writer(tmp_path)
    result = CliRunner().invoke(bench, ["writer", "--models", str(tmp_path), "--rounds", "2", "--seconds", "0.1"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    for name, raw in (("32 streams", "raw at batch 32"), ("1 stream", "raw at batch 1")):
        served, bare, ratio = (
            [float(number.replace(",", "")) for number in re.findall(r": ([\d.,]+); ([\d.,]+)", line)[0]]
            for line in lines
            if re.match(rf"({name}, characters/s|  {raw}):", line) or line == _after(lines, f"  {raw}:")
        )
        for one, other, found in zip(served, bare, ratio, strict=True):
            assert abs(one / other - found) < 0.01
    assert re.search(r"first characters after a prompt of 100, ms: p50 [\d.]+, p90 [\d.]+", result.output)
    assert re.search(r"raw reading of it, ms: [\d.]+; [\d.]+", result.output)


def _after(lines: list[str], start: str) -> str:
    """Gives the line after the one that begins so."""
    return lines[next(number for number, line in enumerate(lines) if line.startswith(start)) + 1]
