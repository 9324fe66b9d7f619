"""The model card of what takes pictures of any size."""

from collections.abc import Mapping
from typing import Final

from export import card, signature
from export.whole import gate
from export.whole.candidate import WholeCandidate
from export.whole.gate import Trial
from hondo.artifact import MODEL
from hondo.images import FORMATS
from protos.manifest_pb2 import EdgeDetection, ImageFilter, Manifest, Provenance

FILE: Final = card.FILE


def text(manifest: Manifest, candidate: WholeCandidate, parity: Mapping[Trial, float]) -> str:
    """Gives the card as Markdown.

    Args:
        manifest: complete.
        candidate: what it was made from.
        parity: the largest difference that the gate found, by trial.
    """
    made = manifest.provenance
    sections = {
        f"# {manifest.name}": f"{manifest.summary}\n\n{card.overview(manifest)}",
        "## Ask it": f"```sh\nhondo serve models\n{_example(manifest.name, candidate.task)}\n```",
        "## Input and output": _tensors(candidate),
        **_learned(manifest, made),
        "## Proof": _proof(candidate, parity),
    }
    return "\n\n".join(f"{heading}\n\n{body}" for heading, body in sections.items()) + "\n"


def _example(name: str, task: EdgeDetection | ImageFilter) -> str:
    match task:
        case EdgeDetection():
            return f"hondo edges PICTURE.jpg --model {name} -o edges.png"
        case ImageFilter():
            return f"# by the Open Inference Protocol: ModelInfer of {name}"


def _tensors(candidate: WholeCandidate) -> str:
    taken, given = (
        ", ".join(f"`{each.name}` {signature.text(each).split()[1]}" for each in signatures)
        for signatures in ((candidate.takes,), candidate.gives)
    )
    colour = "grey" if candidate.task.channels == 1 else "RGB"
    return (
        f"A picture ({', '.join(FORMATS)}) as it is, {colour}, of any height and width from 16 pixels.\n\n"
        f"`{MODEL}.onnx` takes {taken} and gives {given}, of the height and width of the picture. {_values(candidate)}"
    )


def _values(candidate: WholeCandidate) -> str:
    task = candidate.task
    if isinstance(task, ImageFilter):
        return "Values are in the picture's unit, neither rounded nor cut off at 0 and 255."
    if not task.reach_px:
        return "Edges are from 0 to 1. What is anywhere in the picture may have influence on an edge."
    return (
        f"Edges are from 0 to 1. What is more than {task.reach_px} pixels away has no influence on an edge, so that "
        f"large pictures may be answered in parts that begin at multiples of {task.step_px} pixels."
    )


def _learned(manifest: Manifest, made: Provenance) -> dict[str, str]:
    """Gives the sections on training; of what was not trained, the one on its settings."""
    if not made.data:
        return {"## Settings": card.settings(made)}
    return {
        "## Scores": card.scores(manifest.scores),
        "## Data": "\n".join(card.data(source) for source in made.data),
        **({"## Weights": card.weights(made)} if made.HasField("weights") else {"## Training": card.training(made)}),
    }


def _proof(candidate: WholeCandidate, parity: Mapping[Trial, float]) -> str:
    sizes = ", ".join(map(str, parity))
    return (
        f"On parts of {candidate.samples.are}, in batches of {sizes} pixels (height x width), ONNX Runtime's values "
        f"differ from {candidate.graph.author}'s by at most {max(parity.values()):.1e} "
        f"({gate.tolerance(candidate.task):.0e} is allowed)."
    )
