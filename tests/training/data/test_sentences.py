from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hondo import text
from hondo.errors import MissingData
from training.data.sentences import Line, gather, join, read_labelled, read_lines

PLACE = Path("here.txt")


def test_lines_end_at_line_feeds_alone(tmp_path: Path) -> None:
    """What some take for an end of line may stand in a text; blank lines are skipped, but counted."""
    path = tmp_path / "lines"
    path.write_bytes(b"a good\x85film\r\n\n b\x0bc \n")
    assert read_lines(path, "latin-1") == [(1, "a good\x85film"), (3, "b\x0bc")]


def test_names_the_line_in_another_encoding(tmp_path: Path) -> None:
    """A text in another encoding is refused by its line."""
    path = tmp_path / "lines"
    path.write_bytes(b"good\nna\xefve\n")
    with pytest.raises(MissingData, match=r"lines, line 2: .*; the file is expected in utf-8"):
        read_lines(path, "utf-8")


def test_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that cannot be read is named, with the reason."""
    with pytest.raises(MissingData, match=r"absent cannot be read: No such file"):
        read_lines(tmp_path / "absent", "utf-8")


@pytest.mark.parametrize(("parting", "shown"), [("\t", "a tab"), (" ", "a blank")])
def test_names_the_line_without_a_label(tmp_path: Path, parting: str, shown: str) -> None:
    """A line that is not cut in two is refused by its number, and shown."""
    path = tmp_path / "lines"
    path.write_text(f"good{parting}a film\nnothing\n")
    with pytest.raises(MissingData, match=f"lines, line 2: expected a label, {shown} and a text, found 'nothing'"):
        read_labelled(path, "utf-8", parting)


def test_names_the_line_of_an_unknown_label() -> None:
    """A label that is no class is refused by its line, with those that there are."""
    with pytest.raises(MissingData, match=r"here\.txt, line 7: the label 'c' is none of a, b"):
        gather(PLACE, [Line(3, "a", "x"), Line(7, "c", "y")], {"a": 0, "b": 1})


def test_leaves_out_what_serving_refuses() -> None:
    """Texts without a word, or beyond serving's limit, are left out, and their count and lines are told."""
    lines = [
        Line(1, "a", "fine"),
        Line(2, "b", "..."),
        Line(3, "b", "x" * (text.MAX_CHARACTERS + 1)),
        Line(5, "b", "so"),
    ]
    part = gather(PLACE, lines, {"a": 0, "b": 1})
    assert part.sentences.texts == ("fine", "so")
    assert part.sentences.labels_N.tolist() == [0, 1]
    (note,) = part.notes
    assert note.startswith("here.txt: left out 2 of 4 texts, without a word")
    assert note.endswith("(line 2, 3)")


def test_refuses_a_file_without_texts() -> None:
    """A file of nothing that can be trained on is refused."""
    with pytest.raises(MissingData, match=r"here\.txt holds no text"):
        gather(PLACE, [Line(1, "a", "...")], {"a": 0})


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.text()), min_size=1))
def test_what_is_kept_can_be_encoded(pairs: list[tuple[str, str]]) -> None:
    """Whatever texts come, each one that is kept is one that serving takes, beside its own label."""
    lines = [Line(number, label, sentence) for number, (label, sentence) in enumerate(pairs, 1)]
    takes = [line for line in lines if text.words(line.text)]
    if not takes:
        with pytest.raises(MissingData):
            gather(PLACE, lines, {"a": 0, "b": 1})
        return
    part = gather(PLACE, lines, {"a": 0, "b": 1})
    assert [
        ("ab"[label], sentence) for label, sentence in zip(part.sentences.labels_N, part.sentences.texts, strict=True)
    ] == [(line.label, line.text) for line in takes]
    assert bool(part.notes) == (len(takes) < len(lines))


def test_joins_parts_in_their_order() -> None:
    """Several parts become one, notes and all."""
    parts = [
        gather(PLACE, [Line(1, "a", "one"), Line(2, "a", ".")], {"a": 0}),
        gather(PLACE, [Line(1, "b", "two")], {"b": 1}),
    ]
    joined = join(parts)
    assert joined.sentences.texts == ("one", "two")
    assert joined.sentences.labels_N.tolist() == [0, 1]
    assert len(joined.notes) == 1
