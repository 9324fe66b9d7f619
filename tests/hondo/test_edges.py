"""`hondo edges` on real files and a real server."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

from hondo.cli import main
from hondo.suppression import thinned
from tests.serving import edges
from tests.serving.process import Process


def ask(server: Process, *arguments: object) -> Result:
    return CliRunner().invoke(main, ["edges", "--server", server.address, *map(str, arguments)])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of three pictures of different sizes, and of one file that is none."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size in (("a", (20, 30)), ("b", (33, 17)), ("c", (40, 40))):
        Image.fromarray(edges.picture(*size)).save(folder / f"{name}.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder


def expected(path: Path, most: int = 255) -> NDArray[np.float32]:
    """Gives the edges of a picture in steps of a PNG file."""
    with Image.open(path) as image:
        steps_HW: NDArray[np.float32] = np.rint(most * edges.edges(np.asarray(image)[np.newaxis])[0])
    return steps_HW


def written(path: Path) -> NDArray[np.float32]:
    with Image.open(path) as image:
        return np.array(image, np.float32)


def test_one_picture_goes_to_one_file(server: Process, photos: Path, tmp_path: Path) -> None:
    """`hondo edges a.png -o out/edges.png` writes the edges there, as large as the picture."""
    out = tmp_path / "out" / "edges.png"
    result = ask(server, photos / "a.png", "-o", out)
    assert result.exit_code == 0, result.output
    assert result.output == f"{photos / 'a.png'} -> {out}\n"
    assert np.abs(written(out) - expected(photos / "a.png")).max() <= 1


def test_a_folder_goes_to_a_folder(server: Process, photos: Path, tmp_path: Path) -> None:
    """Each picture of a folder has a file of its name."""
    result = ask(server, photos, "-o", tmp_path / "out", "--bits", 16, "--model", "edgy")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "b.png", "c.png"]
    for name in ("a.png", "b.png", "c.png"):
        assert np.abs(written(tmp_path / "out" / name) - expected(photos / name, 65535)).max() <= 1


def test_edges_are_thinned_and_cut(server: Process, photos: Path, tmp_path: Path) -> None:
    """--thin and --threshold leave white lines on black."""
    result = ask(server, photos / "c.png", "-o", tmp_path / "c.png", "--thin", "--threshold", 0.3)
    assert result.exit_code == 0, result.output
    with Image.open(photos / "c.png") as image:
        ridges_HW = thinned(edges.edges(np.asarray(image)[np.newaxis])[0])
    assert (ridges_HW >= 0.3).any()
    assert np.array_equal(written(tmp_path / "c.png"), 255 * (ridges_HW >= 0.3))


def test_a_picture_stands_beside_its_edges(server: Process, photos: Path, tmp_path: Path) -> None:
    """--beside puts the picture on the left, its edges on the right."""
    result = ask(server, photos / "b.png", "-o", tmp_path / "b.png", "--beside")
    assert result.exit_code == 0, result.output
    both = written(tmp_path / "b.png")
    assert np.array_equal(both[:, :17], written(photos / "b.png"))
    assert np.abs(both[:, 17:] - expected(photos / "b.png")[:, :, np.newaxis]).max() <= 1


def test_side_outputs_are_written_too(server: Process, photos: Path, tmp_path: Path) -> None:
    """--side-edges writes a file for each side output, numbered, the finest first."""
    result = ask(server, photos / "b.png", "-o", tmp_path / "found.png", "--side-edges")
    assert result.exit_code == 0, result.output
    with Image.open(photos / "b.png") as image:
        sides_SHW = np.rint(255 * edges.side_edges(np.asarray(image)[np.newaxis])[0])
    for number, side_HW in enumerate(sides_SHW, 1):
        assert np.abs(written(tmp_path / f"found-side{number}.png") - side_HW).max() <= 1


def test_what_cannot_be_answered_is_named(server: Process, photos: Path, tmp_path: Path) -> None:
    """A picture that is none is named with its reason, the others are answered, and the command fails."""
    result = ask(server, photos / "a.png", photos / "notes.txt", photos / "c.png", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"{photos / 'notes.txt'}: the image is in none of the formats" in result.stderr
    assert "Error: 1 of 3 pictures could not be answered" in result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.png", "c.png"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["photos", "-o", "one.png"], "one.png is one file, but there are 3 pictures: name a folder"),
        (["photos/a.png", "-o", "photos"], "a.png would be overwritten by its own edges"),
        (["photos", "photos", "-o", "out"], "several pictures would go to out/a.png"),
        (["nowhere", "-o", "out"], "there is no file nowhere"),
        (["photos/a.png"], "Missing option '-o'"),
        (["photos/a.png", "-o", "a.png", "--threshold", "0"], "0.0 is not in the range 0<x<=1"),
        (["photos/a.png", "-o", "a.png", "--beside", "--bits", "16"], "--beside goes with --bits 8"),
    ],
)
def test_misuse_is_explained(
    server: Process, photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], text: str
) -> None:
    """What cannot be meant is refused before anything is asked or written."""
    monkeypatch.chdir(photos.parent)
    result = ask(server, *arguments)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())


def test_an_unknown_model_is_named(server: Process, photos: Path, tmp_path: Path) -> None:
    """What concerns no picture alone ends the command."""
    result = ask(server, photos, "-o", tmp_path / "out", "--model", "nobody")
    assert result.exit_code == 1
    assert "Error: there is no model 'nobody'" in result.stderr
    assert not (tmp_path / "out").exists()
