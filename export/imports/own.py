"""A user's own ONNX file as a candidate: pictures are made for it, and probabilities of what it gives, in the graph.

Legend: N batch, H height, W width, C channels, K classes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import onnx
import onnx.compose
import onnx.helper
from onnx import ModelProto, TensorProto

from export import provenance, signature
from export.candidate import Candidate
from export.imports import batch, file, labels
from export.imports.original import Original
from export.imports.samples import Samples
from hondo import artifact
from hondo.errors import InvalidArtifact, InvalidRequest
from protos.manifest_pb2 import Classification, ImageInput, Weights
from serving.runtime.session import Session

_PREFIX: Final = "net/"
# What may stand between a softmax and the output.
_CARRY: Final = frozenset({"Reshape", "Flatten", "Squeeze", "Identity", "Cast"})
# How far a row of probabilities may be from adding up to 1.
_SUM_TOLERANCE: Final = 1e-3
# Enough to tell probabilities by.
_TRIED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """A file, and what its user says of it."""

    path: Path
    image: ImageInput
    labels: Path
    origin: str
    terms: str
    summary: str
    # The flags that decide what the graph computes, for the manifest.
    settings: Mapping[str, object]


def ends_with_softmax(model: ModelProto, output: str) -> bool:
    """Says whether an output is a softmax's, as far as its axes allow to tell."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    node = made_by.get(output)
    while node is not None and node.op_type in _CARRY:
        node = made_by.get(node.input[0])
    return node is not None and node.op_type == "Softmax"


def candidate(name: str, own: Own, original: Original, take: Callable[[ImageInput], Samples]) -> Candidate:
    """Gives what becomes of the file.

    Args:
        name: of the model.
        own: the file and what is said of it.
        original: the file as it runs.
        take: gives the pictures to prove the graph on.

    Raises:
        InvalidRequest: it does not run on pictures made so, gives no probabilities, or not as many as there are labels;
            or it cannot be made to take any number of pictures.
    """
    samples = take(own.image)
    probabilities_NK = original.answer(samples.images_NHWC[:_TRIED])
    _check_sums(probabilities_NK)
    task = Classification(image=own.image, labels=labels.choose(own.labels, probabilities_NK.shape[1]))
    model = file.read(own.path)
    parameters = _count(model)
    model = _enclose(model, original, task)
    _check_batch(own.path, model, samples)
    made = provenance.of_import(
        Weights(origin=own.origin, terms=own.terms, file=own.path.name, sha256=artifact.sha256(own.path)),
        settings=own.settings,
        source=f"the graph in {own.path.name}",
        parameters=parameters,
        library_versions={},
    )
    return Candidate(
        name=name,
        summary=own.summary,
        task=task,
        provenance=made,
        scores=(),
        samples=samples.images_NHWC,
        samples_are=samples.are,
        reference=original,
        write=partial(_write, model),
    )


def _count(model: ModelProto) -> int:
    floats = {TensorProto.FLOAT, TensorProto.FLOAT16}
    return sum(int(np.prod(weight.dims)) for weight in model.graph.initializer if weight.data_type in floats)


def _check_sums(probabilities_NK: "np.typing.NDArray[np.float32]") -> None:
    sums_N = probabilities_NK.sum(axis=1)
    if probabilities_NK.min() < 0 or np.abs(sums_N - 1).max() > _SUM_TOLERANCE:
        raise InvalidRequest(
            f"the file's output is no probabilities: a picture's {probabilities_NK.shape[1]} numbers go from "
            f"{probabilities_NK.min():.3g} and add up to {sums_N[0]:.4g}. --softmax yes makes probabilities of a last "
            "layer's sums"
        )


def _enclose(model: ModelProto, original: Original, task: Classification) -> ModelProto:
    """Puts the making of its input before the graph, and of probabilities behind it."""
    batch.free(model)
    output = _PREFIX + original.output.name
    model = onnx.compose.add_prefix(model, _PREFIX)
    graph = model.graph
    before, constants = original.front.nodes(signature.IMAGE, graph.input[0].name)
    nodes = [*before, *graph.node, *_after(output, softmax=original.softmax)]
    del graph.node[:], graph.input[:], graph.output[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    for values, tensor, kind in (
        (graph.input, signature.takes(task), TensorProto.UINT8),
        (graph.output, signature.gives(task), TensorProto.FLOAT),
    ):
        values.append(onnx.helper.make_tensor_value_info(tensor.name, kind, tensor.shape))
    return model


def _after(output: str, *, softmax: bool) -> list[onnx.NodeProto]:
    make = onnx.helper.make_node
    last = "Softmax" if softmax else "Identity"
    attributes: dict[str, Any] = {"axis": 1} if softmax else {}
    return [
        make("Cast", [output], ["back/numbers"], "back/Cast", to=TensorProto.FLOAT),
        # Some files give f32[N,K,1,1].
        make("Flatten", ["back/numbers"], ["back/rows"], "back/Flatten", axis=1),
        make(last, ["back/rows"], [signature.PROBABILITIES], f"back/{last}", **attributes),
    ]


def _check_batch(path: Path, model: ModelProto, samples: Samples) -> None:
    """Runs two pictures at once, which a file of a fixed batch may refuse."""
    with TemporaryDirectory(prefix="hondo-import-") as folder:
        tried = Path(folder) / "two.onnx"
        onnx.save(model, tried)
        try:
            found_NK = Session.open(tried).run({signature.IMAGE: samples.images_NHWC[:2]})[signature.PROBABILITIES]
            fault = "" if len(found_NK) == 2 else f"of 2 pictures it makes {len(found_NK)} rows"
        except Exception as error:  # noqa: BLE001  onnxruntime's exceptions share no base but Exception
            fault = str(error)
    if fault:
        raise InvalidRequest(
            f"{path} takes a fixed number of pictures at a time, and could not be changed to take any: export it again "
            f"with a dynamic batch axis. ({fault})"
        )


def _write(model: ModelProto, path: Path, facts: Mapping[str, str]) -> None:
    onnx.helper.set_model_props(model, dict(facts))
    try:
        onnx.save(model, path)
    except ValueError as error:  # protobuf's limit of 2 GiB
        raise InvalidArtifact(f"the graph with its weights does not fit one file: {error}") from error
    onnx.checker.check_model(path, full_check=True)
