"""`hondo caption` and the client's `caption`, against a real server."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from hondo import strip
from hondo.cli import main
from hondo.client import AsyncClient, Client
from hondo.errors import InvalidRequest, ModelNotFound, Unavailable
from tests.serving import captioners
from tests.serving.process import Process
from tests.serving.tasks.test_generate import await_gauge


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three pictures in a folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    paths = [folder / f"{seed}.png" for seed in range(3)]
    for seed, path in enumerate(paths):
        path.write_bytes(captioners.png(captioners.picture(seed)))
    return paths


def run(server: Process, *arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["caption", "--server", server.address, *map(str, arguments)])


def test_words_are_typed(server: Process, photos: list[Path]) -> None:
    """One picture: its caption on a line, and nothing else."""
    result = run(server, photos[1])
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{captioners.told(captioners.picture(1)).text}\n"


def test_folder_gives_a_json_object_a_line(server: Process, photos: list[Path]) -> None:
    """Several pictures: an object each, in their order; what is no picture is named, and the rest answered."""
    (photos[0].parent / "1b.png").write_bytes(b"no picture")
    result = run(server, photos[0].parent, "--beam", "3", "--n-best", "2")
    assert result.exit_code == 1
    assert "1b.png: the image is" in result.stderr
    assert "1 of 4 pictures could not be answered" in result.stderr
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["file"] for each in found] == [str(path) for path in photos]
    for seed, each in enumerate(found):
        expected = captioners.beam(captioners.picture(seed), 3)[:2]
        assert [told["caption"] for told in each["captions"]] == [told.text for told in expected]
        assert (each["model"], each["version"]) == ("teller", 1)


def test_the_best_come_with_their_scores(server: Process, photos: list[Path]) -> None:
    """Several captions of one picture: a line each, the best first."""
    result = run(server, photos[2], "--beam", "4", "--n-best", "3", "--length-penalty", "1")
    expected = captioners.beam(captioners.picture(2), 4, length_penalty=1)[:3]
    assert [line.split()[1:] for line in result.stdout.splitlines()] == [each.text.split() for each in expected]
    assert [float(line.split()[0]) for line in result.stdout.splitlines()] == [
        pytest.approx(each.score(1), abs=1e-3) for each in expected
    ]


def test_chance_is_that_of_the_seed(server: Process, photos: list[Path]) -> None:
    """The same seed gives the same caption."""
    result = run(server, photos[0], "--temperature", "1", "--seed", "5", "--max-words", "3", "--json")
    expected = captioners.told(captioners.picture(0), 3, seed=5, temperature=1)
    assert json.loads(result.stdout)["captions"][0]["caption"] == expected.text


def test_strip_has_a_picture_a_word(server: Process, photos: list[Path], tmp_path: Path) -> None:
    """--attention draws the picture and each word, heat where the model looked; the words are typed all the same."""
    place = tmp_path / "deep" / "strip.png"
    result = run(server, photos[1], "--attention", place)
    expected = captioners.told(captioners.picture(1))
    assert result.stdout.split() == expected.text.split()
    with Image.open(place) as drawn:
        columns = 1 + len(expected.text.split())
        assert drawn.width == min(6, columns) * (224 + 8) + 8
        assert drawn.height == -(-columns // 6) * (149 + 18 + 16) + 8
    assert run(server, *photos, "--attention", place).exit_code == 2


def test_heat_is_where_the_model_looked() -> None:
    """Where the map is bright the strip is red and yellow, elsewhere grey."""
    map_HW = np.zeros((40, 60), np.float32)
    map_HW[:20, :30] = 1
    drawn = np.asarray(strip.draw(Image.new("RGB", (60, 40), (90, 90, 90)), [("dog", map_HW)])).astype(int)
    word_HWC = drawn[8 + 18 + 8 :, 8 + 232 :][:149, :224]
    assert word_HWC[30, 40, 0] > word_HWC[30, 40, 2] + 100
    assert np.ptp(word_HWC[120, 200]) == 0


async def test_client_takes_bytes_and_paths(server: Process, photos: list[Path]) -> None:
    """Blocking and with asyncio: words as they come, the last message with the whole, facts of the stream in all."""
    expected = captioners.told(captioners.picture(1)).text
    with Client(server.address) as client:
        told = list(client.caption(photos[1], stream_interval_ms=0))
        with closing(client.caption(photos[1], max_words=50)) as telling:
            next(telling)
    async with AsyncClient(server.address) as client_:
        told_ = [each async for each in client_.caption(photos[1].read_bytes(), seed=3)]
    for found in (told, told_):
        assert " ".join(word.text for each in found for word in each.words) == expected
        assert found[-1].captions[0].text == expected
        assert {(each.model, each.version, each.height, each.width) for each in found} == {("teller", 1, 4, 6)}
        assert [each.times is not None for each in found] == [False] * (len(found) - 1) + [True]
    assert {each.seed for each in told_} == {3}
    await_gauge(server, "hondo_running_rows", 0)


def test_client_says_where_it_looked(server: Process, photos: list[Path]) -> None:
    """A word's map is of the picture's size."""
    with Client(server.address) as client:
        told = [each for each in client.caption(photos[1], attention=True) if each.words]
    places = captioners.told(captioners.picture(1)).places
    for each, place in zip(told, places, strict=False):
        map_HW = each.map_of(each.words[0])
        assert map_HW.shape == (4, 6)
        row, column = np.unravel_index(map_HW.argmax(), map_HW.shape)
        assert (int(row) // 2, int(column) // 2) == divmod(place, 3)


def test_client_raises_what_went_wrong(server: Process, tmp_path: Path) -> None:
    """Errors are those of the family, and come when the first word is asked for."""
    with Client(server.address) as client:
        with pytest.raises(InvalidRequest, match="the image is empty"):
            next(client.caption(b""))
        with pytest.raises(ModelNotFound):
            next(client.caption(b"", model="nobody"))
        with pytest.raises(FileNotFoundError):
            client.caption(tmp_path / "nothing.png")
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable):
        next(client.caption(b""))
