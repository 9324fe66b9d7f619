"""Where a model's weights come from: the run, the code that made it, and the libraries that it ran on."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final

import onnx
import onnxruntime
import onnxscript
import torch

from protos.manifest_pb2 import DataSource, Provenance, Weights
from training.captions.run import CaptionRun
from training.edges.run import EdgeRun
from training.fixed import FixedRecipe
from training.run import Run
from training.text_run import TextRun

_ROOT: Final = Path(__file__).resolve().parent.parent
# What decides how a model comes out: a changed page of documentation does not make a commit dirty.
_CODE: Final = ("protos", "hondo", "training", "export", "serving", "pyproject.toml")


def of_run(run: Run | TextRun) -> Provenance:
    """Gives the provenance of a model that was trained here and is exported now."""
    trained = Provenance(source=run.source, data=run.data, seed=run.seed, parameters=run.parameters)
    return _now(trained, run.recipe, run.library_versions)


def of_edges(run: EdgeRun) -> Provenance:
    """Gives the provenance of an edge detector that was trained here and is exported now."""
    facts = run.facts
    trained = Provenance(source=facts.recipe.source, data=facts.data, seed=facts.seed, parameters=run.parameters)
    return _now(trained, facts.recipe.settings(), run.library_versions)


def of_captions(run: CaptionRun) -> Provenance:
    """Gives the provenance of a net that makes captions, which was trained here and is exported now."""
    facts = run.facts
    trained = Provenance(source=facts.recipe.source, data=facts.data, seed=facts.seed, parameters=run.parameters)
    return _now(trained, facts.recipe.settings(), run.library_versions)


def of_fixed(recipe: FixedRecipe) -> Provenance:
    """Gives the provenance of a model that had nothing to learn."""
    settings = {"name": recipe.name, "net": recipe.net}
    return _now(Provenance(source=recipe.source), settings, {"torch": torch.__version__})


def of_import(
    weights: Weights,
    *,
    settings: Mapping[str, object],
    source: str,
    parameters: int,
    library_versions: Mapping[str, str],
    data: Sequence[DataSource] = (),
) -> Provenance:
    """Gives the provenance of a model whose weights somebody else trained, and that is exported now.

    Args:
        weights: where they are from, and under what terms.
        settings: what they were imported with, JSON types.
        source: paper and section that the architecture follows.
        parameters: how many numbers the weights are.
        library_versions: of what read them, by package.
        data: what they were trained on, as far as is known.
    """
    return _now(
        Provenance(source=source, data=data, parameters=parameters, weights=weights), settings, library_versions
    )


def _now(made: Provenance, settings: Mapping[str, object], library_versions: Mapping[str, str]) -> Provenance:
    """Adds what is known of any export: the settings, the versions, the commit and the time."""
    export = Provenance(
        recipe=json.dumps(settings, ensure_ascii=False),
        library_versions={**library_versions, **_export_versions()},
        git_commit=git_commit(_ROOT),
        created_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    export.MergeFrom(made)
    return export


def _export_versions() -> dict[str, str]:
    # onnxruntime may have been installed as onnxruntime-gpu: the modules know their versions under either name.
    modules = {"onnx": onnx, "onnxruntime": onnxruntime, "onnxscript": onnxscript}
    versions = {name: str(module.__version__) for name, module in modules.items()}
    return {**versions, "hondo": metadata.version("hondo")}


def git_commit(root: Path) -> str:
    """Gives the commit of the code in `root`, "-dirty" appended where it was changed since; empty outside git."""
    # A virtual environment may lie inside the repository of another project.
    if not _git(root, "ls-files", "--", "export"):
        return ""
    commit = _git(root, "rev-parse", "HEAD")
    return f"{commit}-dirty" if _git(root, "status", "--porcelain", "--", *_CODE) else commit


def _git(root: Path, *arguments: str) -> str:
    """Gives what git prints; nothing where git is missing or fails."""
    try:
        run = subprocess.run(  # noqa: S603  the arguments are this file's own
            ["git", "-C", str(root), *arguments],  # noqa: S607  wherever the user has it
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""
