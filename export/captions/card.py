"""The card of a net that makes captions: what its manifest says, as a page for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from export import card, signature
from export.captions.describer import Describer
from export.captions.gate import TOLERANCE, Proof
from export.writing.reference import AUTHOR
from hondo.artifact import ENCODE, STEP
from hondo.images import FORMATS
from protos.manifest_pb2 import Captioning, Manifest, Precision
from serving.runtime.session import Signature

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Specimens:
    """What it says of pictures that it never saw, and what people said of them."""

    said: Sequence[Sequence[str]]
    people: Sequence[Sequence[str]]


def text(manifest: Manifest, proof: Proof, describer: Describer, specimens: Specimens) -> str:
    """Gives the card as Markdown.

    Args:
        manifest: complete.
        proof: what the gate found in 32-bit floats.
        describer: the published graphs.
        specimens: captions.
    """
    made = manifest.provenance
    sections = {
        f"# {manifest.name}": f"{manifest.summary}\n\n{card.overview(manifest)}",
        "## Ask it": f"```sh\nhondo serve models\nhondo caption --model {manifest.name} PICTURE.jpg\n```",
        "## What it says": _specimens(specimens),
        "## Input and output": _tensors(manifest, describer),
        "## Scores": _scores(manifest),
        "## Data": "\n".join(card.data(source) for source in made.data),
        "## Training": card.training(made),
        "## Proof": _proof(proof),
        **({"## Precision": _precision(manifest.precision)} if manifest.HasField("precision") else {}),
    }
    return "\n\n".join(f"{heading}\n\n{body}" for heading, body in sections.items()) + "\n"


def _specimens(specimens: Specimens) -> str:
    rows = [
        (" ".join(said), people[0]) for said, people in zip(specimens.said[:_SHOWN], specimens.people, strict=False)
    ]
    listed = card.table(("It says", "One of the people said"), rows)
    return f"Of the first {len(rows)} test pictures, good or bad, the most probable word at each place:\n\n{listed}"


def _tensors(manifest: Manifest, describer: Describer) -> str:
    task = manifest.captioning
    graphs = ((ENCODE, describer.encode), (STEP, describer.step))
    return "\n\n".join(
        [
            f"A picture ({', '.join(FORMATS)}) of any size is made {card.rule(task.image)}",
            f"A token is a word; {len(task.vocabulary):,} are known. `{ENCODE}.onnx` looks at pictures once; "
            f"`{STEP}.onnx` says a word for each, chosen inside the graph{_places(task)}.",
            *(
                f"- `{role}` takes {_list(session.inputs)} and gives {_list(session.outputs)}."
                for role, session in graphs
            ),
        ]
    )


def _places(task: Captioning) -> str:
    if not task.grid_height:
        return ""
    return f", and how much it looked at each of {task.grid_height} x {task.grid_width} places"


def _list(tensors: tuple[Signature, ...]) -> str:
    said = (signature.text(each).split() for each in tensors)
    return ", ".join(f"`{name}` {shape}" for name, shape in said)


def _scores(manifest: Manifest) -> str:
    listed = card.scores(manifest.scores)
    return f"Measured in PyTorch, in 32-bit floats:\n\n{listed}" if manifest.HasField("precision") else listed


def _proof(proof: Proof) -> str:
    seen, said = (max(found.values()) for found in (proof.looking, proof.saying))
    bits = "to the last bit" if proof.same_bits else "in what it says, but not to the last bit of its state"
    return (
        f"The captions of {proof.captions} pictures that the training never saw, the most probable word at each place, "
        f"are {AUTHOR}'s, word for word, in batches of {', '.join(map(str, proof.saying))}. What ONNX Runtime sees "
        f"there differs from {AUTHOR}'s by at most {seen:.1e}, the logarithms of probabilities by {said:.1e} "
        f"({TOLERANCE:.0e} is allowed for each). Words by chance are the ones that the numbers choose. A row is the "
        f"same whoever else is in its batch, {bits}."
    )


def _precision(precision: Precision) -> str:
    full, lowered = precision.full, precision.lowered
    return (
        f"That proof is of the graphs in 32-bit floats; the published ones are the same in {precision.name}. On "
        f"{lowered.samples:,} pictures ({lowered.data}) their {lowered.metric} is {lowered.value:.3f}, against "
        f"{full.value:.3f}. They make {precision.speed_ratio:.2f} times as many captions a second, at a batch of "
        f"{precision.batch}, on {precision.machine}."
    )
