"""The report of a run: `report/index.html` in its folder, and the pictures that the page shows."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, assert_never

from protos.manifest_pb2 import DataSource
from training import run
from training.captions import run as captions_run
from training.captions.run import is_caption_run
from training.captions.speaker import VALIDATION_CIDER
from training.edges import run as edges_run
from training.edges.detector import VALIDATION_F
from training.edges.run import is_edge_run
from training.report import (
    captions,
    columns,
    confusion,
    curves,
    edges,
    filters,
    history,
    maps,
    mistakes,
    ngrams,
    page,
    projection,
    words,
)
from training.report.page import Section
from training.review import Review
from training.run import Results, Run

PAGE: Final = "index.html"


def write(folder: Path) -> Path:
    """Draws the report of a finished training anew.

    Args:
        folder: the run folder.

    Returns:
        The page.

    Raises:
        MissingData: the folder holds no finished training.
        InvalidArtifact: one of its files is damaged.
    """
    draw = _edges if is_edge_run(folder) else _captions if is_caption_run(folder) else _classifier
    # Half a report is never seen.
    with TemporaryDirectory(dir=folder, prefix=f"{run.REPORT}-", ignore_cleanup_errors=True) as name:
        out = Path(name)
        out.chmod(folder.stat().st_mode)
        (out / PAGE).write_text(draw(folder, out), "utf-8")
        shutil.rmtree(folder / run.REPORT, ignore_errors=True)
        out.rename(folder / run.REPORT)
    return folder / run.REPORT / PAGE


def _classifier(folder: Path, out: Path) -> str:
    """Draws what the page shows; gives the page."""
    trained = run.load(folder)
    results, review, past = run.read_results(folder), run.read_review(folder, trained), history.read(folder)
    sections = [
        curves.section(past, results.best_epoch, out),
        confusion.section(review.answers, trained.task.labels, out),
        *_seen(trained, review, out),
        _settings(trained.source, trained.data, trained.recipe, trained.library_versions),
    ]
    return page.page(trained.name, trained.summary, _overview(trained, results), sections)


def _edges(folder: Path, out: Path) -> str:
    """Does the same for an edge detector."""
    trained = edges_run.load(folder)
    results, facts = edges_run.read_results(folder), trained.facts
    rows = [(f"test {score.metric}", f"{score.value:.3f}") for score in results.scores]
    rows += [
        ("test pictures", f"{results.scores[0].samples:,}"),
        ("epochs", str(trained.epoch)),
        ("parameters", f"{trained.parameters:,}"),
        ("training took", duration(results.seconds)),
        ("data", " and ".join(source.name for source in facts.data)),
        ("seed", str(facts.seed)),
    ]
    sections = [
        curves.section(history.read(folder), trained.epoch, out, score=VALIDATION_F, called="validation F, %"),
        edges.section(trained, edges_run.read_drawn(folder), out),
        _settings(facts.recipe.source, facts.data, facts.recipe.settings(), trained.library_versions),
    ]
    return page.page(facts.recipe.name, facts.recipe.summary, page.facts(rows), sections)


def _captions(folder: Path, out: Path) -> str:
    """Does the same for a captioner."""
    trained = captions_run.load(folder)
    results, facts = captions_run.read_results(folder), trained.facts
    rows = [(f"{score.metric}, {score.data}", f"{score.value:.3f}") for score in results.scores]
    rows += [
        ("test pictures", f"{results.scores[0].samples:,}"),
        ("best epoch", str(results.best_epoch)),
        ("words", f"{len(facts.vocabulary):,}"),
        ("parameters", f"{trained.parameters:,}"),
        ("training took", duration(results.seconds)),
        ("data", " and ".join(source.name for source in facts.data)),
        ("seed", str(facts.seed)),
    ]
    past = history.read(folder)
    sections = [
        curves.section(past, results.best_epoch, out, score=VALIDATION_CIDER, called="validation CIDEr"),
        captions.section(trained, captions_run.read_kept(folder), out),
        _settings(facts.recipe.source, facts.data, facts.recipe.settings(), trained.library_versions),
    ]
    return page.page(facts.recipe.name, facts.recipe.summary, page.facts(rows), sections)


def _seen(trained: Run, review: Review, out: Path) -> Iterator[Section]:
    """Goes through the sections that look into the net."""
    found = [mistakes.section(review, trained.task, out)]
    kind = trained.task.WhichOneof("input")
    match kind:
        case "image" | None:
            found += [
                filters.section(trained, out),
                maps.section(trained, review, out),
                projection.section(trained, out),
            ]
        case "text":
            found += [words.section(trained, review), ngrams.section(trained)]
        case "table":
            found += [columns.section(trained, out)]
        case _:
            assert_never(kind)
    yield from (section for section in found if section is not None)


def _overview(trained: Run, results: Results) -> str:
    rows = [(f"test {score.metric}", f"{score.value:.2f} {score.unit}") for score in results.scores]
    rows += [
        ("validation error", f"{results.validation_error_percent:.2f} %"),
        ("test examples", f"{results.scores[0].samples:,}"),
        ("best epoch", str(results.best_epoch)),
        ("parameters", f"{trained.parameters:,}"),
        ("training took", duration(results.seconds)),
        ("data", " and ".join(source.name for source in trained.data)),
        ("seed", str(trained.seed)),
    ]
    return page.facts(rows)


def _settings(
    source: str, data: Iterable[DataSource], recipe: Mapping[str, Any], library_versions: Mapping[str, str]
) -> Section:
    settings = page.folded("The recipe's settings", f"<pre>{page.escaped(json.dumps(recipe, indent=2))}</pre>")
    versions = page.folded(
        "Versions of libraries", page.table(["package", "version"], sorted(library_versions.items()))
    )
    sources = page.table(["data", "from", "terms"], [(it.name, it.origin, it.terms) for it in data])
    return Section(title="How it was made", about=f"The net follows {source}.", body=f"{sources}{settings}{versions}")


def duration(seconds: float) -> str:
    """Says how long something took."""
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.1f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
