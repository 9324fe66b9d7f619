"""The album: a page of pictures with a model's captions and people's, the best and the worst."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hondo import images
from training.captions.judge import Judged
from training.report.page import Section, escaped, facts, grid, page, tile

# Of the best, and of the worst; of a picture's longer side, pixels.
_SHOWN: Final = 24
_SIDE_PX: Final = 320


def write(judged: Judged, how: str, folder: Path) -> Path:
    """Writes the page and its pictures; gives its path.

    Args:
        judged: what the model said.
        how: it was asked.
        folder: where it goes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(judged.said)), key=lambda place: -judged.measured.cider[place])
    best = order[:_SHOWN]
    worst = [place for place in reversed(order) if place not in best][:_SHOWN]
    sections = [
        Section(title="Best", about="The captions that say best what people said.", body=_tiles(judged, best, folder)),
        Section(title="Worst", about="Those that say it worst.", body=_tiles(judged, worst, folder)),
    ]
    scores = facts((name, f"{score:.3f}") for name, score in judged.measured.scores.items())
    summary = (
        f"{len(judged.said):,} pictures that it was never trained on, {how}. Under each: what it says, its CIDEr, "
    )
    title = f"Captions of {judged.model} version {judged.version}"
    path = folder / "index.html"
    path.write_text(page(title, f"{summary}and what people said.", scores, sections), "utf-8")
    return path


def _tiles(judged: Judged, places: Iterable[int], folder: Path) -> str:
    return grid((_tile(judged, place, folder) for place in places), "beside")


def _tile(judged: Judged, place: int, folder: Path) -> str:
    file = f"{place:05}.png"
    picture = images.decode(judged.pictures.files[place].read())
    picture.thumbnail((_SIDE_PX, _SIDE_PX))
    content = io.BytesIO()
    picture.save(content, "PNG")
    (folder / file).write_bytes(content.getvalue())
    people = "".join(f"<li>{escaped(caption)}</li>" for caption in judged.pictures.captions[place])
    says = f"<strong>{escaped(judged.said[place])}</strong> ({judged.measured.cider[place]:.2f})<ul>{people}</ul>"
    return tile(file, f"A test picture of which the model says: {judged.said[place]}", says)
