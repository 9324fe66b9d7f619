"""`hondo evaluate captions` on a real server and a small data set in Flickr8k's form."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hondo.cli import main
from hondo.errors import MissingData
from tests.serving import captioners
from tests.serving.process import Process
from training.captions.measures import measure

COUNT = 4


@pytest.fixture
def flickr(tmp_path: Path) -> Path:
    """Test pictures; of each one person said just what the model says, but of the last nobody did."""
    pictures = tmp_path / "Flicker8k_Dataset"
    pictures.mkdir()
    lines: list[str] = []
    for split, count in (("train", 1), ("dev", 1), ("test", COUNT)):
        names = [f"{split}{number}.png" for number in range(count)]
        for number, name in enumerate(names):
            picture = captioners.picture(number)
            (pictures / name).write_bytes(captioners.png(picture))
            own = captioners.told(picture).text if number < COUNT - 1 else "nothing like it at all"
            lines += [f"{name}#0\t{own.upper()} .", f"{name}#1\tsomething else, number {number} of them"]
        (tmp_path / f"Flickr_8k.{split}Images.txt").write_text("\n".join(names) + "\n")
    (tmp_path / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    return tmp_path


def run(server: Process, flickr: Path, *options: str | Path) -> Result:
    arguments = ["evaluate", "captions", "teller", "--data", flickr, "--server", server.address, *options]
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_captions_are_scored(server: Process, flickr: Path) -> None:
    """What people said too scores well, what nobody said scores nothing; case and marks make no difference."""
    result = run(server, flickr, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["model"], found["version"], found["pictures"], found["beam"]) == ("teller", 1, COUNT, 1)
    assert [each["caption"] for each in found["captions"]] == [
        captioners.told(captioners.picture(number)).text for number in range(COUNT)
    ]
    assert [each["cider"] > 1 for each in found["captions"]] == [True] * (COUNT - 1) + [False]
    assert found["captions"][-1]["cider"] == 0
    assert 0.5 < found["BLEU-4"] <= found["BLEU-1"] < 1


def test_beams_are_asked_for(server: Process, flickr: Path) -> None:
    """The width and the penalty reach the server; the first pictures alone are asked about."""
    result = run(server, flickr, "--beam", "3", "--length-penalty", "1", "--pictures", "2", "--json")
    expected = [captioners.beam(captioners.picture(number), 3, length_penalty=1)[0].text for number in range(2)]
    assert [each["caption"] for each in json.loads(result.stdout)["captions"]] == expected


def test_page_shows_the_best_and_the_worst(server: Process, flickr: Path, tmp_path: Path) -> None:
    """The page has every picture once, the model's caption and people's."""
    result = run(server, flickr, "--page", tmp_path / "album")
    assert "CIDEr" in result.stdout
    page = (tmp_path / "album" / "index.html").read_text("utf-8")
    for number in range(COUNT):
        assert page.count(f'src="{number:05}.png"') == 1
        assert (tmp_path / "album" / f"{number:05}.png").is_file()
        assert f"something else, number {number} of them" in page
    assert page.index("Best</h2>") < page.index(captioners.told(captioners.picture(0)).text)


def test_measures_are_those_of_the_package() -> None:
    """A caption that everybody gives is perfect by every measure, whatever its case and marks."""
    people = [["A dog runs over the grass.", "a dog runs over the grass"], ["Two men, sitting by a red wall"] * 2]
    perfect = measure(["a dog runs over the grass", "two men sitting by a red wall"], people)
    assert perfect.scores == pytest.approx(
        {"BLEU-1": 1, "BLEU-2": 1, "BLEU-3": 1, "BLEU-4": 1, "ROUGE-L": 1, "CIDEr": 10}, rel=1e-6
    )
    assert perfect.cider == pytest.approx([10, 10])
    other = measure(["a cat sleeps", "two men sitting by a red wall"], people)
    assert other.cider[0] < 1 < other.cider[1]


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the package is not installed, the text says how to get it."""
    monkeypatch.setitem(sys.modules, "pycocoevalcap.bleu.bleu", None)
    with pytest.raises(MissingData, match=r"pip install 'hondo\[scores\]'"):
        measure(["a"], [["a"]])


def test_other_models_are_refused(server: Process, flickr: Path) -> None:
    """A model that makes no captions cannot be scored by them."""
    result = CliRunner().invoke(
        main, ["evaluate", "captions", "side", "--data", str(flickr), "--server", server.address]
    )
    assert result.exit_code == 1
    assert "'side' makes no captions" in result.output
