import json
import socket
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from hondo.cli import main
from tests.hondo.pictures import encode
from tests.serving import tables, words
from tests.serving.artifacts import LABELS, bright
from tests.serving.process import Process, hondo, serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture for each label, each of another format, and a text beside them."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for label, suffix in zip(LABELS, ("png", "JPG", "tiff", "bmp"), strict=True):
        Image.fromarray(bright(label)).save(folder / f"{label}.{suffix}")
    (folder / "notes.txt").write_text("no picture")
    return folder


def classify(server: Process, *arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    """Runs `hondo classify` in this process against the real server."""
    return CliRunner().invoke(main, ["classify", "--server", server.address, *map(str, arguments)], input=stdin)


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
    """More pictures than are asked ahead are all answered, in the order in which they were named."""
    paths = [tmp_path / f"{number}.png" for number in range(400)]
    for number, path in enumerate(paths):
        path.write_bytes(encode(Image.fromarray(bright(LABELS[number % 4])), "PNG"))
    result = classify(server, *paths, "--top-k", "1")
    assert [line.split()[1] for line in result.stdout.splitlines()] == [LABELS[number % 4] for number in range(400)]


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


def test_texts_get_a_line(server: Process) -> None:
    """Each --text is answered with its labels; the texts stand in a column, each on one line."""
    result = classify(server, "--text", "A good film", "--text", "so bad,\nso sad", "--top-k", "1")
    assert result.exit_code == 0
    assert [line[:20] for line in result.stdout.splitlines()] == ["A good film     glad", "so bad, so sad  sad "]


def test_a_file_of_texts_is_read_line_by_line(server: Process, tmp_path: Path) -> None:
    """--texts takes a text from each line, whatever the line ends, and more of them than fit into a message."""
    (tmp_path / "reviews.txt").write_bytes("\ufeffso good\r\nso bad\n".encode() + b"good\n" * 1000 + b"bad")
    result = classify(server, "--texts", tmp_path / "reviews.txt", "--top-k", "1")
    assert result.exit_code == 0
    assert [line.split()[-2] for line in result.stdout.splitlines()] == ["glad", "sad", *["glad"] * 1000, "sad"]


def test_texts_are_read_from_standard_input(server: Process) -> None:
    """--texts - reads the standard input; a long text is shown in part."""
    result = classify(server, "--texts", "-", stdin=f"so {'very ' * 50}good\n")
    (line,) = result.stdout.splitlines()
    shown, labels = line.split("…")
    assert shown == f"so {'very ' * 50}"[:59]
    assert labels.split()[0] == "glad"


def test_a_line_without_words_is_named(server: Process, tmp_path: Path) -> None:
    """A line that cannot be classified is named by its number; the others are answered; the exit code is 1."""
    (tmp_path / "reviews.txt").write_text("good\n\nbad\n...\n")
    result = classify(server, "--texts", tmp_path / "reviews.txt")
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr.splitlines() == [
        f"{tmp_path / 'reviews.txt'}:2: there is no word in it",
        f"{tmp_path / 'reviews.txt'}:4: there is no word in it",
        "Error: 2 of 4 texts could not be classified",
    ]


def test_a_file_that_is_no_text_is_refused(server: Process) -> None:
    """What is not UTF-8 is said, not guessed."""
    result = classify(server, "--texts", "-", stdin=b"gr\xfc\xdfe")
    assert result.exit_code == 1
    assert result.stderr == "Error: standard input is not UTF-8: invalid start byte\n"


def test_texts_as_json_say_their_line(server: Process) -> None:
    """--json gives a text as it is, with its line where it is from a file."""
    (answer,) = classify(server, "--text", "so  good", "--json").stdout.splitlines()
    assert json.loads(answer)["text"] == "so  good"
    answers = classify(server, "--texts", "-", "--json", "--top-k", "1", stdin="good\nbad").stdout.splitlines()
    assert [{key: json.loads(answer)[key] for key in ("line", "text", "model")} for answer in answers] == [
        {"line": 1, "text": "good", "model": "mood"},
        {"line": 2, "text": "bad", "model": "mood"},
    ]


def test_rows_get_a_line(server: Process) -> None:
    """Each --row is answered with its labels."""
    result = classify(server, "--row", "3,0.5", "--row", " -3.0 , 1", "--top-k", "1")
    assert result.exit_code == 0
    assert [line.split()[-2] for line in result.stdout.splitlines()] == ["east", "west"]


def test_csv_columns_may_be_in_any_order(server: Process, tmp_path: Path) -> None:
    """--csv takes the model's columns from wherever the first line says they are."""
    (tmp_path / "points.csv").write_text("y,x\n0.5,3\n2.5,1\n")
    result = classify(server, "--csv", tmp_path / "points.csv", "--top-k", "1", "--json", "--model", "direction")
    assert result.exit_code == 0
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(answer["line"], answer["row"]) for answer in answers] == [(2, [3, 0.5]), (3, [1, 2.5])]
    assert [answer["labels"][0]["label"] for answer in answers] == ["east", "north"]
    assert classify(server, "--csv", "-", stdin="x,y\n0,-1").stdout.split()[:2] == ["0,-1", "south"]


def test_bad_lines_of_a_csv_file_are_named(server: Process, tmp_path: Path) -> None:
    """Lines that are no rows of the model's are named where they stand; the others are answered, all in order."""
    (tmp_path / "points.csv").write_text("x,y\n1,2\n1,a\n\n1,inf\n3,4\n1\n")
    result = classify(server, "--csv", tmp_path / "points.csv")
    assert result.exit_code == 1
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["1,2", "3,4"]
    place = f"{tmp_path / 'points.csv'}"
    assert result.stderr.splitlines() == [
        f"{place}:3: 'y' is 'a', a number expected",
        f"{place}:4: the line is empty",
        f"{place}:5: 'y' is inf, a finite number expected",
        f"{place}:7: values: 1 came, 2 expected: x, y",
        "Error: 4 of 6 rows could not be classified",
    ]


@pytest.mark.parametrize(
    ("header", "why"),
    [("x,y,z", "the model has no column 'z'"), ("x", "the column 'y' is missing"), ("", "is missing")],
)
def test_wrong_columns_are_said_at_once(server: Process, header: str, why: str) -> None:
    """A file of other columns than the model's is refused before anything is asked, beside those that it takes."""
    result = classify(server, "--csv", "-", stdin=f"{header}\n1,2,3\n")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert why in result.stderr
    assert "the first line must name the columns x, y, in any order" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--row", "1"], "--row 1: values: 1 came, 2 expected: x, y"),
        (["--row", "a,1"], "--row a,1: numbers with commas between them expected"),
        (["--text", "good", "--model", "direction"], "'direction' takes rows of 2 numbers (x, y), not texts"),
        (["--row", "1,2", "--model", "mood"], "'mood' takes texts, not rows"),
        (["--csv", "-", "--model", "mood"], "model 'mood' takes no rows of a table"),
        (["--csv", "-", "--model", "nobody"], "there is no model 'nobody'"),
    ],
)
def test_a_misfit_is_refused(server: Process, arguments: list[str], why: str) -> None:
    """What the model does not take is said, with what it takes."""
    result = classify(server, *arguments)
    assert result.exit_code == 1
    assert why in result.stderr


def test_several_tables_must_be_told_apart(tmp_path: Path) -> None:
    """Where several models take rows, --csv needs to know whose columns; where none does, that is said."""
    for name in ("one", "two"):
        tables.write_classifier(tmp_path / "models", name)
    with serving(tmp_path / "models", tmp_path / "log") as process:
        several = classify(process, "--csv", "-", stdin="x,y\n1,2")
        named = classify(process, "--csv", "-", "--model", "two", stdin="x,y\n1,2")
    assert "this server has several classifiers of rows: name one of one, two by --model" in several.stderr
    assert named.exit_code == 0
    words.write_classifier(tmp_path / "others")
    with serving(tmp_path / "others", tmp_path / "log") as process:
        assert "this server has no classifier of rows" in classify(process, "--csv", "-", stdin="x,y").stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ([], "nothing to classify: name pictures, or give --text, --texts, --row or --csv"),
        (["x.png", "--text", "good"], "pictures and texts at once"),
        (["--texts", "-", "--csv", "-"], "texts and rows at once"),
        (["--texts", "/none.txt"], "does not exist"),
        (["--csv", "/"], "is a directory"),
        (["--top-k", "0", "x.png"], "--top-k"),
        (["--nonsense", "x.png"], "No such option"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], why: str) -> None:
    """Nothing or several kinds of things to ask about, no label to answer with, or no such option: exit code 2."""
    result = CliRunner().invoke(main, ["classify", *arguments])
    assert result.exit_code == 2
    assert why in result.stderr
