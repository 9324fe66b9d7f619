"""The model card: what an artifact's manifest says, as a page for people."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

from export import gate, signature
from export.candidate import Candidate
from hondo.artifact import MODEL
from hondo.images import FORMATS
from hondo.text import SPECIAL
from protos.manifest_pb2 import Classification, DataSource, ImageInput, Manifest, Precision, Provenance, Score

FILE: Final = "README.md"


def text(manifest: Manifest, candidate: Candidate, parity: Mapping[int, float]) -> str:
    """Gives the card as Markdown.

    Args:
        manifest: complete.
        candidate: what it was made from.
        parity: the largest difference that the gate found in 32-bit floats, by batch size.
    """
    task, made = manifest.classification, manifest.provenance
    sections = {
        f"# {manifest.name}": f"{manifest.summary}\n\n{overview(manifest)}",
        "## Ask it": f"```sh\nhondo serve models\nhondo classify --model {manifest.name} {_example(task)}\n```",
        "## Input and output": _tensors(task),
        "## Scores": scores(manifest.scores),
        "## Data": "\n".join(data(source) for source in made.data) or "What the weights were trained on was not told.",
        **({"## Weights": weights(made)} if made.HasField("weights") else {"## Training": training(made)}),
        "## Proof": _proof(candidate, parity),
        **({"## Precision": _precision(manifest.precision)} if manifest.HasField("precision") else {}),
    }
    return "\n\n".join(f"{heading}\n\n{body}" for heading, body in sections.items()) + "\n"


def overview(manifest: Manifest) -> str:
    """Gives the table of a model's main facts."""
    made = manifest.provenance
    rows = [
        ("Version", str(manifest.version)),
        ("Architecture", made.source),
        ("Parameters", f"{made.parameters:,}"),
        ("Exported", made.created_at),
        ("Code", f"commit `{made.git_commit}`" if made.git_commit else "outside git"),
    ]
    return table(("", ""), rows)


def _example(task: Classification) -> str:
    """Gives what to write behind `hondo classify` to ask about something."""
    kind = task.WhichOneof("input")
    match kind:
        case "image" | None:
            return "PICTURE.png"
        case "text":
            return '--text "A sentence."'
        case "table":
            return f'--row "{",".join("0" for _ in task.table.columns)}"'
        case _:
            assert_never(kind)


def _tensors(task: Classification) -> str:
    taken, given = (
        f"`{each.name}` {signature.text(each).split()[1]}" for each in (signature.takes(task), signature.gives(task))
    )
    return (
        f"{_source(task)}\n\n"
        f"`{MODEL}.onnx` takes {taken} and gives {given}, for any number N of them at once. "
        f"The labels, in the order of the probabilities:\n\n{', '.join(task.labels)}"
    )


def _source(task: Classification) -> str:
    """Says how what a request brings becomes the graph's input."""
    kind = task.WhichOneof("input")
    match kind:
        case "image" | None:
            return f"A picture ({', '.join(FORMATS)}) of any size is made {rule(task.image)}"
        case "text":
            words = len(task.text.vocabulary) - len(SPECIAL)
            return (
                f"A text is cut into words (lower case, marks apart), each of which becomes its number; {words:,} are "
                f"known, all others are 1. What is beyond {task.text.length} words is cut off, and shorter texts are "
                "filled up with 0."
            )
        case "table":
            return f"A row of numbers: {', '.join(task.table.columns)}."
        case _:
            assert_never(kind)


def rule(image: ImageInput) -> str:
    """Says how a picture becomes a graph's input."""
    colour = "grey" if image.channels == 1 else "RGB"
    kernel = ImageInput.Filter.Name(image.filter).lower()
    if image.resize == ImageInput.CENTER_CROP:
        how = f"its shorter side is scaled to {image.shorter_side} pixels, then the centre is cut out"
    else:
        how = "each side is scaled by itself"
    return f"{image.height} pixels high and {image.width} wide, {colour}: {how} ({kernel})."


def scores(measured: Iterable[Score]) -> str:
    """Gives the table of what was measured."""
    rows = [
        (
            score.metric,
            f"{score.value:g}{'' if score.unit == '1' else f' {score.unit}'}",
            score.data,
            f"{score.samples:,}",
        )
        for score in measured
    ]
    return table(("What", "Value", "On", "Examples"), rows) if rows else "None were measured."


def data(source: DataSource) -> str:
    """Gives the line of a data set."""
    return f"- **{source.name}**, from {source.origin}. Terms: {source.terms}"


def training(made: Provenance) -> str:
    """Says how the weights were trained."""
    return f"Seed {made.seed}, with {_versions(made)}.\n\n{settings(made)}"


def weights(made: Provenance) -> str:
    """Says whose weights the model has."""
    given = made.weights
    return (
        f"{given.origin}. Terms: {given.terms}\n\n"
        f"`{given.file}`, sha256 `{given.sha256}`, imported with {_versions(made)}.\n\n{settings(made)}"
    )


def _versions(made: Provenance) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(made.library_versions.items()))


def settings(made: Provenance) -> str:
    """Gives the settings as JSON."""
    return f"```json\n{json.dumps(json.loads(made.recipe), indent=2, ensure_ascii=False)}\n```"


def _proof(candidate: Candidate, parity: Mapping[int, float]) -> str:
    author = candidate.reference.author
    return (
        f"On {sum(parity)} {candidate.samples_are}, in batches of {', '.join(map(str, parity))}, "
        f"ONNX Runtime's probabilities differ from {author}'s by at most {max(parity.values()):.1e} "
        f"({gate.TOLERANCE:.0e} is allowed), and the most probable label is the same each time."
    )


def _precision(precision: Precision) -> str:
    full, lowered = precision.full, precision.lowered
    return (
        f"That proof is of the graph in 32-bit floats; `{MODEL}.onnx` is the same graph in {precision.name}. On "
        f"{lowered.samples:,} examples ({lowered.data}), {lowered.metric}: {lowered.value:.2f} {lowered.unit}, against "
        f"{full.value:.2f} {full.unit}. It computes {precision.speed_ratio:.2f} times as many examples a second, at a "
        f"batch of {precision.batch}, on {precision.machine}."
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Gives a table in Markdown."""
    return "\n".join(_row(cells) for cells in (heads, ["---"] * len(heads), *rows))


def _row(cells: Sequence[str]) -> str:
    inner = " | ".join(cell.replace("|", "\\|") for cell in cells)
    return f"| {inner} |"
