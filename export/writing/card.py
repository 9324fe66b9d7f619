"""The card of a net that writes: what its manifest says, as a page for people."""

from export import card, signature
from export.writing.gate import CHARACTERS, CONTINUED, TOLERANCE, Proof
from export.writing.reference import AUTHOR
from export.writing.writer import Writer
from protos.manifest_pb2 import Manifest, Precision
from serving.runtime.session import Signature


def text(manifest: Manifest, proof: Proof, writer: Writer, specimen: str) -> str:
    """Gives the card as Markdown.

    Args:
        manifest: complete.
        proof: what the gate found in 32-bit floats.
        writer: the published graphs.
        specimen: what they write.
    """
    made = manifest.provenance
    sections = {
        f"# {manifest.name}": f"{manifest.summary}\n\n{card.overview(manifest)}",
        "## Ask it": f"```sh\nhondo serve models\nhondo generate --model {manifest.name}\n```",
        "## What it writes": f"With nothing before it, at temperature 0.8:\n\n```text\n{specimen}\n```",
        "## Input and output": _tensors(manifest, writer),
        "## Scores": card.scores(manifest.scores),
        "## Data": "\n".join(card.data(source) for source in made.data),
        "## Training": card.training(made),
        "## Proof": _proof(proof),
        **({"## Precision": _precision(manifest.precision)} if manifest.HasField("precision") else {}),
    }
    return "\n\n".join(f"{heading}\n\n{body}" for heading, body in sections.items()) + "\n"


def _tensors(manifest: Manifest, writer: Writer) -> str:
    vocabulary = manifest.text_generation.vocabulary
    known = "".join(vocabulary).strip().replace("`", "")
    return "\n\n".join(
        [
            f"A token is a character; {len(vocabulary)} are known, among them `` {known} ``.",
            "`prefill.onnx` reads given text and says how probable each character was; "
            f"`step.onnx` writes {writer.steps} characters a run, each chosen inside the graph. "
            f"The weights of both are in `{manifest.weights.path}`.",
            *(
                f"- `{role}` takes {_list(session.inputs)} and gives {_list(session.outputs)}."
                for role, session in (("prefill", writer.prefill), ("step", writer.step))
            ),
        ]
    )


def _list(tensors: tuple[Signature, ...]) -> str:
    said = (signature.text(each).split() for each in tensors)
    return ", ".join(f"`{name}` {shape}" for name, shape in said)


def _proof(proof: Proof) -> str:
    reading, writing = (max(found.values()) for found in (proof.reading, proof.writing))
    bits = "to the last bit" if proof.same_bits else "in what it writes, but not to the last bit of its state"
    return (
        f"On {CHARACTERS:,} characters a row that the training never saw, in batches of "
        f"{', '.join(map(str, proof.reading))}, the logarithms of ONNX Runtime's probabilities differ from {AUTHOR}'s "
        f"by at most {reading:.1e} ({TOLERANCE:.0e} is allowed), and by {writing:.1e} while writing. {CONTINUED} "
        "characters written greedily are the same; those written by chance are the ones that the numbers choose. A row "
        f"is the same whoever else is in its batch, {bits}."
    )


def _precision(precision: Precision) -> str:
    full, lowered = precision.full, precision.lowered
    return (
        f"That proof is of the graphs in 32-bit floats; the published ones are the same in {precision.name}. On "
        f"{lowered.samples:,} characters ({lowered.data}) their loss is {lowered.value:.4f} {lowered.unit}, against "
        f"{full.value:.4f}. They write {precision.speed_ratio:.2f} times as many characters a second, at a batch of "
        f"{precision.batch}, on {precision.machine}."
    )
