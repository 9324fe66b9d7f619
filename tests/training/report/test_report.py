import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hondo.errors import InvalidArtifact
from tests.training.conftest import hondo, train
from training import run
from training.report import confusion, page, report
from training.report.page import Section


class Elements(HTMLParser):
    """All elements of a page, and whether each is closed in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element."""
        self.found.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Holds that the last element that was opened is closed first."""
        assert self.open.pop() == tag


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """Gives the elements of a page, which has to be well-formed."""
    parser = Elements()
    parser.feed(html)
    assert parser.open == []
    return parser.found


@pytest.fixture(scope="module")
def html(trained: Path) -> str:
    """The page of a training on pictures."""
    return (trained / run.REPORT / report.PAGE).read_text("utf-8")


def test_training_leaves_its_report(trained: Path, html: str) -> None:
    """The page has a section for each thing to see, and its settings."""
    titles = re.findall(r"<h2>(.*?)</h2>", html)
    assert titles == [
        *("How it learned", "What it confuses", "Its worst mistakes", "What the first layer looks for"),
        *("What the layers make of a picture", "What excites single maps", "How it was made"),
    ]
    score = run.read_results(trained).scores[0]
    assert f"<dt>test error</dt><dd>{score.value:.2f} %</dd>" in html
    assert "&quot;batch_size&quot;: 64" in html


def test_page_needs_nothing_from_elsewhere(trained: Path, html: str) -> None:
    """The page is well-formed, runs no code, loads only files beside it, all of which are there and are shown."""
    found = elements(html)
    assert {"script", "link", "iframe", "object"}.isdisjoint({tag for tag, _ in found})
    places = {place for _, attributes in found for name in ("src", "srcset") if (place := attributes.get(name))}
    files = {path.name for path in (trained / run.REPORT).iterdir()}
    assert places == files - {report.PAGE}
    assert "url(" not in html
    assert "@import" not in html


def test_page_is_for_everyone(html: str) -> None:
    """Each picture says what it shows; the page fits narrow screens and has colours for the dark."""
    found = elements(html)
    assert all(attributes.get("alt") for tag, attributes in found if tag == "img")
    assert ("html", {"lang": "en"}) in found
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in found
    assert "@media (prefers-color-scheme: dark)" in html
    targets = [attributes["href"] for tag, attributes in found if tag == "a"]
    assert targets == [f"#{attributes['id']}" for tag, attributes in found if tag == "section"]


def test_plain_text_cannot_become_html() -> None:
    """Names that hold signs of HTML are shown as they are."""
    made = page.page("<b>", "a & b", page.facts([("<i>", "<u>")]), [Section(title="<s>", about="<p>", body="")])
    found = [tag for tag, _ in elements(made)]
    assert not {"b", "i", "u", "s"} & set(found)
    assert "&lt;b&gt;" in made


def test_command_draws_it_again(trained: Path, tmp_path: Path) -> None:
    """`hondo report` makes the same page from the run folder alone, in place of what was there."""
    copy = shutil.copytree(trained, tmp_path / "copy")
    shutil.rmtree(copy / run.REPORT)
    (copy / run.REPORT).mkdir()
    (copy / run.REPORT / "old.png").touch()
    result = hondo("report", copy)
    assert result.exit_code == 0
    assert result.output.strip() == str(copy / run.REPORT / report.PAGE)
    assert (copy / run.REPORT / report.PAGE).read_text() == (trained / run.REPORT / report.PAGE).read_text()
    assert not (copy / run.REPORT / "old.png").exists()
    assert {path.name for path in copy.iterdir()} == {path.name for path in trained.iterdir()}


def test_older_runs_are_judged_by_their_samples(trained: Path, tmp_path: Path) -> None:
    """A run folder without answers has a report from its samples, which are the first test examples."""
    copy = shutil.copytree(trained, tmp_path / "copy")
    (copy / "answers.npz").unlink()
    assert report.write(copy).read_text() == (trained / run.REPORT / report.PAGE).read_text()


def test_refuses_what_is_no_run(trained: Path, tmp_path: Path) -> None:
    """A folder without a finished training, or with damaged answers, is answered with one line."""
    assert "holds no finished training" in hondo("report", tmp_path).output
    copy = shutil.copytree(trained, tmp_path / "copy")
    (copy / "answers.npz").write_bytes(b"nonsense")
    with pytest.raises(InvalidArtifact, match=r"answers\.npz"):
        report.write(copy)


def test_a_training_survives_its_report(idx_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report that cannot be drawn is said to be so; the training ends well all the same, and leaves no half of it."""

    def fail(*_: object) -> Section:
        raise ZeroDivisionError("no ink")

    monkeypatch.setattr(confusion, "section", fail)
    result = train(idx_dir, tmp_path / "run", "--epochs", 1, "--report")
    assert result.exit_code == 0, result.output
    assert (
        f"report           not drawn, ZeroDivisionError('no ink'): `hondo report {tmp_path / 'run'}`" in result.output
    )
    assert run.is_finished(tmp_path / "run")
    assert not list((tmp_path / "run").glob("report*"))


def test_no_report_unless_wanted(idx_dir: Path, tmp_path: Path) -> None:
    """`--no-report` leaves it out."""
    result = train(idx_dir, tmp_path / "run", "--epochs", 1)
    assert result.exit_code == 0
    assert not (tmp_path / "run" / run.REPORT).exists()
