"""The bench of models that make captions, on a real server and a tiny model."""

import re
from pathlib import Path

from click.testing import CliRunner

from serving.bench.captions import bench
from tests.serving import captioners


def test_figures_stand_beside_bare_ones(tmp_path: Path) -> None:
    """Each served figure has the bare loop's beside it, once a round, and their ratio is that of the two.

    Reading the pictures counts on top of what bare does.
    """
    captioners.write_captioner(tmp_path / "models")
    for seed in range(3):
        (tmp_path / f"{seed}.png").write_bytes(captioners.png(captioners.picture(seed)))
    asked = ["teller", "--models", str(tmp_path / "models"), "--images", str(tmp_path), "--rounds", "2"]
    result = CliRunner().invoke(bench, asked)
    assert result.exit_code == 0, result.output
    found = {
        name.strip(): [float(number) for number in numbers.split("; ")]
        for name, numbers in re.findall(r"^(.+): ([\d.]+; [\d.]+)$", result.output, re.MULTILINE)
    }
    for one, other, ratio in (
        ("one after another", "16 captions at once, ms", "ratio"),
        ("bare at batch 16", "16 captions at once, ms", "bare over served"),
        ("bare, from the files on", "16 captions at once, ms", "bare from the files on over served"),
        ("whole", "bare", "whole over bare"),
    ):
        for above, below, quotient in zip(found[one], found[other], found[ratio], strict=True):
            assert abs(above / below - quotient) < 0.01 + 0.1 * quotient
    assert all(
        bare < files for bare, files in zip(found["bare at batch 16"], found["bare, from the files on"], strict=True)
    )
    first_ms = found["one caption on an idle server, ms, first word"]
    assert all(first <= whole for first, whole in zip(first_ms, found["whole"], strict=True))
