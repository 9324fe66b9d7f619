import json
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from hondo.cli import main
from tests.hondo.pictures import encode
from tests.serving.artifacts import LABELS, bright
from tests.serving.process import Process, hondo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture for each label, each of another format, and a text beside them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for label, suffix in zip(LABELS, ("png", "JPG", "tiff", "bmp"), strict=True):
        Image.fromarray(bright(label)).save(folder / f"{label}.{suffix}")
    (folder / "notes.txt").write_text("no picture")
    return folder


def classify(server: Process, *arguments: str | Path) -> Result:
    """Runs `hondo classify` in this process against the real server."""
    return CliRunner().invoke(main, ["classify", "--server", server.address, *map(str, arguments)])


def test_file_gets_a_line(server: Process, folder: Path) -> None:
    """A picture is answered with its path, its three likeliest labels and their percentages."""
    result = classify(server, folder / "top.png")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{folder / 'top.png'}  top ")
    assert result.stdout.count("%") == 3
    assert result.stderr == ""


def test_folder_gets_a_line_for_each_picture(server: Process, folder: Path) -> None:
    """A folder's pictures, whatever the case of their suffix, are answered in the order of their names."""
    result = classify(server, folder, "--top-k", "1")
    assert result.exit_code == 0
    answers = [line.split()[:2] for line in result.stdout.splitlines()]
    files = ["bottom.JPG", "left.tiff", "right.bmp", "top.png"]
    assert answers == [[str(folder / file), file.split(".")[0]] for file in files]


def test_many_pictures_keep_their_order(server: Process, tmp_path: Path) -> None:
    """More pictures than requests under way at once are all answered, in the order in which they were named."""
    paths = [tmp_path / f"{number}.png" for number in range(40)]
    for number, path in enumerate(paths):
        path.write_bytes(encode(Image.fromarray(bright(LABELS[number % 4])), "PNG"))
    result = classify(server, *paths, "--top-k", "1")
    assert [line.split()[1] for line in result.stdout.splitlines()] == [LABELS[number % 4] for number in range(40)]


def test_json_is_one_object_a_line(server: Process, folder: Path) -> None:
    """--json prints an object for each picture, with all that the answer says."""
    result = classify(server, folder / "top.png", folder / "left.tiff", "--json", "--top-k", "2", "--model", "side")
    top, left = (json.loads(line) for line in result.stdout.splitlines())
    assert (top["file"], top["model"], top["version"]) == (str(folder / "top.png"), "side", 2)
    assert [set(label) for label in top["labels"]] == [{"label", "index", "probability"}] * 2
    assert top["labels"][0]["label"] == "top"
    assert (left["labels"][0]["label"], left["labels"][0]["index"]) == ("left", 2)


def test_bad_file_does_not_stop_the_others(server: Process, folder: Path) -> None:
    """A bad picture among good ones is named with its reason; the others are answered; the exit code is 1."""
    (folder / "empty.png").touch()
    (folder / "middle.png").write_bytes(b"no picture")
    result = classify(server, folder)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 4
    empty, middle, total = result.stderr.splitlines()
    assert empty.startswith(f"{folder / 'empty.png'}: the image is empty")
    assert middle.startswith(f"{folder / 'middle.png'}: the image is in none of the formats")
    assert total == "Error: 2 of 6 pictures could not be classified"


def test_missing_file_is_a_usage_error(server: Process, folder: Path) -> None:
    """A file that is not there is said before anything is asked."""
    result = classify(server, folder / "top.png", folder / "none.png")
    assert result.exit_code == 2
    assert f"there is no file {folder / 'none.png'}" in result.stderr
    assert result.stdout == ""


def test_folder_without_pictures_is_a_usage_error(server: Process, tmp_path: Path) -> None:
    """A folder that holds no picture is said, not passed over in silence."""
    result = classify(server, tmp_path)
    assert result.exit_code == 2
    assert f"there is no picture in the folder {tmp_path}" in result.stderr


def test_unreadable_picture_does_not_stop_the_others(server: Process, folder: Path) -> None:
    """What has a picture's suffix but cannot be opened, as a folder, is named; the others are answered."""
    (folder / "album.png").mkdir()
    result = classify(server, folder)
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 4
    assert result.stderr.startswith(f"{folder / 'album.png'}: Is a directory")


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("nobody", "Error: there is no model 'nobody'; this server has"),
        ("join", "Error: model 'join' is no classifier"),
    ],
)
def test_wrong_model_is_said_once(server: Process, folder: Path, model: str, text: str) -> None:
    """A model that cannot answer any picture is said once, not once for each picture."""
    result = classify(server, folder, "--model", model)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(text)


def test_no_server_is_said_once(folder: Path) -> None:
    """Where no server answers, one line says where it asked and how to start one, however many pictures there are."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        command = hondo("classify", *[folder] * 10, "--server", address)
        result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: no server answers at {address}")
    assert "hondo serve" in line


@pytest.mark.parametrize("arguments", [[], ["--top-k", "0", "x.png"], ["--nonsense", "x.png"]])
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    """No picture, no label to answer with, or an option that does not exist: exit code 2."""
    assert CliRunner().invoke(main, ["classify", *arguments]).exit_code == 2
