"""What counting costs, measured on a tiny model: the figures are no promise, but that they come is."""

import re
from pathlib import Path

from click.testing import CliRunner

from serving.bench.watching import _way, alike, bench
from tests.serving import graphs


def test_both_servers_are_measured(tmp_path: Path) -> None:
    """A run prints the rates and processor times of both servers, and what the counts cost."""
    graphs.same(tmp_path / "same" / "1" / "model.onnx", "FP32", ["n", 4])
    options = ["--models", str(tmp_path), "--rounds", "2", "--seconds", "0.3", "--generator", "python"]
    result = CliRunner().invoke(bench, ["same", *options], catch_exceptions=False)
    assert result.exit_code == 0
    rates = re.findall(r"requests/s: ([\d,]+); ([\d,]+)|not counting: ([\d,]+); ([\d,]+)\n", result.output)
    assert len(rates) == 2
    assert all(int(rate.replace(",", "")) > 0 for found in rates for rate in found if rate)
    cost = r"-?[\d.]+% \(-?[\d.]+% to -?[\d.]+%\)"
    assert re.search(rf"counting costs {cost} of the rate, {cost} of the processor time", result.output)


def test_both_servers_run_the_model_in_the_same_way(tmp_path: Path) -> None:
    """A server that found other sizes of batch at load is not held against the first: another one is started."""
    graphs.same(tmp_path / "same" / "1" / "model.onnx", "FP32", ["n", 4])
    with alike(tmp_path, "same", ["--max-batch-size", "2"]) as (counting, plain):
        assert counting != plain
        assert _way(counting, "same") == _way(plain, "same")
