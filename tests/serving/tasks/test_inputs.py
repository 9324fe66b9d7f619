"""Inputs: what requests ask about becomes the same array on the event loop as off it, or is refused by its number."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hondo import images
from hondo.errors import InvalidRequest
from protos.hondo_pb2 import ClassifyRequest, Row
from protos.manifest_pb2 import Classification, TableInput
from serving.tasks import inputs
from serving.tasks.inputs import Array
from tests.hondo.pictures import encode, gradient
from tests.serving import artifacts, tables, words

T = TypeVar("T")

PICTURES = Classification(image=artifacts.image_input())
TEXTS = Classification(text=words.text_input())
ROWS = Classification(table=TableInput(columns=tables.COLUMNS))

SMALL = encode(Image.fromarray(artifacts.bright("top")), "PNG")
LARGE = encode(Image.fromarray(gradient(400, 300)), "BMP")
# Few bytes, but as many pixels as a photograph has.
EMPTY = encode(Image.new("L", (1000, 1000)), "PNG")


class Workers(ThreadPoolExecutor):
    """Threads that keep what they are given to do."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self._given: list[Future[Any]] = []

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Has a thread do it."""
        self._given.append(super().submit(function, *args, **kwargs))
        return self._given[-1]

    @property
    def jobs(self) -> int:
        """How many jobs there were."""
        return len(self._given)

    @property
    def cancelled(self) -> int:
        """How many of them were taken back."""
        return sum(job.cancelled() for job in self._given)


@pytest.fixture
def workers() -> Iterator[Workers]:
    """Two threads."""
    with Workers(2) as workers:
        yield workers


def read(task: Classification, request: ClassifyRequest, workers: Workers) -> Array:
    """Gives a graph's input."""
    return asyncio.run(inputs.of(task, images.Limits()).read(request, workers))


@pytest.mark.parametrize(
    ("files", "elsewhere"),
    [
        ([SMALL], False),
        ([SMALL] * 10, False),
        ([SMALL] * 200, True),
        ([LARGE], True),
        ([EMPTY], True),
        ([SMALL, LARGE, EMPTY, SMALL], True),
    ],
    ids=["one", "few", "many", "large", "empty", "mixed"],
)
def test_pictures_are_read_off_the_loop_where_they_are_many_or_large(
    workers: Workers, files: list[bytes], elsewhere: bool
) -> None:
    """Wherever pictures are decoded, the array has each where the request has it; on the loop only a few."""
    image_NHWC = read(PICTURES, ClassifyRequest(images=files), workers)
    expected = np.stack([images.read(file, PICTURES.image) for file in files])
    assert image_NHWC.dtype == np.uint8
    assert np.array_equal(image_NHWC, expected)
    assert (workers.jobs > 0) == elsewhere


def test_pictures_for_a_large_graph_are_read_off_the_loop(workers: Workers) -> None:
    """A small picture that is brought to a large size is work as well."""
    task = Classification(image=artifacts.image_input())
    task.image.height = task.image.width = 224
    assert read(task, ClassifyRequest(images=[SMALL]), workers).shape == (1, 224, 224, 1)
    assert workers.jobs == 1


def test_each_large_picture_is_read_by_itself(workers: Workers) -> None:
    """Large pictures are decoded side by side; small ones together, since each change of threads costs."""
    read(PICTURES, ClassifyRequest(images=[LARGE] * 5), workers)
    assert workers.jobs == 5
    read(PICTURES, ClassifyRequest(images=[SMALL] * 100), workers)
    assert workers.jobs < 5 + 10


@pytest.mark.parametrize(("texts", "elsewhere"), [(list(words.TEXTS), False), (["a good film"] * 1000, True)])
def test_texts_are_read_off_the_loop_where_they_are_many(workers: Workers, texts: list[str], elsewhere: bool) -> None:
    """Texts become the ids of their words, i64, wherever that happens."""
    tokens_NT = read(TEXTS, ClassifyRequest(texts=texts), workers)
    assert tokens_NT.dtype == np.int64
    assert np.array_equal(tokens_NT, words.tokens(texts))
    assert (workers.jobs > 0) == elsewhere


def test_a_long_text_is_read_off_the_loop(workers: Workers) -> None:
    """One text may be as long as many."""
    assert read(TEXTS, ClassifyRequest(texts=["good " * 5000]), workers).shape == (1, words.LENGTH)
    assert workers.jobs == 1


@pytest.mark.parametrize(("count", "elsewhere"), [(1, False), (1000, False), (10_000, True)])
def test_rows_are_read_off_the_loop_where_they_are_many(workers: Workers, count: int, elsewhere: bool) -> None:
    """Rows become f32[N,F]."""
    numbers = np.random.default_rng(0).standard_normal((count, 2)).astype(np.float32)
    request = ClassifyRequest(rows=[Row(values=row) for row in numbers])
    values_NF = read(ROWS, request, workers)
    assert values_NF.dtype == np.float32
    assert np.array_equal(values_NF, numbers)
    assert (workers.jobs > 0) == elsewhere


def few_or_many(good: T, bad: T) -> list[tuple[list[T], int]]:
    """Gives things of which one is bad, with its number: a few, and so many that they are read off the loop."""
    return [([good, bad], 1), ([bad], 0), ([good] * 1000 + [bad] + [good] * 9000, 1000)]


@pytest.mark.parametrize(("files", "index"), few_or_many(SMALL, SMALL[:50]))
def test_a_bad_picture_is_named(workers: Workers, files: list[bytes], index: int) -> None:
    """The error says which picture, in its text and for programs."""
    with pytest.raises(InvalidRequest, match=rf"^images\[{index}\]: the image is damaged") as raised:
        read(PICTURES, ClassifyRequest(images=files), workers)
    assert raised.value.index == index


def test_what_is_refused_is_not_read_to_its_end(workers: Workers) -> None:
    """Once a picture is found to be bad, those that nobody began to read are left."""
    with pytest.raises(InvalidRequest):
        read(PICTURES, ClassifyRequest(images=[SMALL[:50], *[EMPTY] * 500]), workers)
    assert workers.cancelled > 0


@pytest.mark.parametrize(
    ("bad", "text"), [("", "there is no word in it"), (" \n", "no word"), ("x" * 100_001, "it has 100,001 characters")]
)
def test_a_bad_text_is_named(workers: Workers, bad: str, text: str) -> None:
    """The error says which text, and why."""
    for texts, index in few_or_many("good", bad):
        with pytest.raises(InvalidRequest, match=rf"^texts\[{index}\]: .*{text}") as raised:
            read(TEXTS, ClassifyRequest(texts=texts), workers)
        assert raised.value.index == index


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ([1.0], "values: 1 came, 2 expected: x, y"),
        ([], "values: 0 came, 2 expected: x, y"),
        ([1.0, 2.0, 3.0], "values: 3 came, 2 expected: x, y"),
        ([float("nan"), 1.0], "'x' is nan, a finite number expected"),
        ([1.0, float("inf")], "'y' is inf, a finite number expected"),
        ([1.0, float("-inf")], "'y' is -inf, a finite number expected"),
        ([1.0, 1e39], "'y' is inf, a finite number expected"),
    ],
)
def test_a_bad_row_is_named(workers: Workers, bad: list[float], text: str) -> None:
    """A row of another length, or with what is no number, is refused: which one, why, and what was expected."""
    for rows, index in few_or_many([1.0, 2.0], bad):
        with pytest.raises(InvalidRequest, match=rf"^rows\[{index}\]: {text}$") as raised:
            read(ROWS, ClassifyRequest(rows=[Row(values=row) for row in rows]), workers)
        assert raised.value.index == index


def test_the_kind_is_what_came() -> None:
    """A request has one kind of things to ask about."""
    assert inputs.field_of(ClassifyRequest(images=[b""])) == "images"
    assert inputs.field_of(ClassifyRequest(texts=[""])) == "texts"
    assert inputs.field_of(ClassifyRequest(rows=[Row()])) == "rows"


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (ClassifyRequest(model="side"), "nothing came to classify: send images, texts or rows"),
        (ClassifyRequest(images=[b""], texts=[""]), "images and texts came together"),
        (ClassifyRequest(images=[b""], texts=[""], rows=[Row()]), "images and texts and rows came together"),
    ],
)
def test_nothing_and_several_kinds_are_refused(request_: ClassifyRequest, text: str) -> None:
    """What asks about nothing, or about several kinds of things, is the caller's mistake."""
    with pytest.raises(InvalidRequest, match=text):
        inputs.field_of(request_)


@given(sizes=st.lists(st.integers(0, 100), max_size=50), least=st.integers(1, 300))
def test_parts_are_all_and_large_enough(sizes: list[int], least: int) -> None:
    """Parts follow each other without a gap; each but the last is as large as asked for, and no larger than it must."""
    parts = list(inputs._parts(sizes, least))
    assert [index for part in parts for index in range(part.start, part.stop)] == list(range(len(sizes)))
    for part in parts[:-1]:
        assert sum(sizes[part]) >= least > sum(sizes[part.start : part.stop - 1])
    for part in parts[-1:]:
        assert least > sum(sizes[part.start : part.stop - 1])
