"""`hondo models`: what a server serves."""

from textwrap import shorten
from typing import Final

import click
from google.protobuf import json_format

from hondo.access import Access, asks
from hondo.client import Client
from protos.hondo_pb2 import Absent, Model, TensorSignature
from protos.manifest_pb2 import Classification, Manifest

# By the channels that a graph takes.
_COLOURS: Final = {1: "in grey", 3: "in colour"}
_UNKNOWN: Final = "what its tensors say"


@click.command()
@asks
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, with all but vocabularies.")
def models(server: str, access: Access, *, as_json: bool) -> None:
    """List the models that a server serves: what they take and give, and their scores.

    Then those versions that lie in its folder but are not served, and why; in JSON they alone have a "state".
    """
    with Client(server, access=access) as client:
        for model in client.list_models():
            click.echo(json_format.MessageToJson(model, indent=None) if as_json else _describe(model))
        for absent in client.list_absent():
            click.echo(json_format.MessageToJson(absent, indent=None) if as_json else _describe_absent(absent))


def _describe(model: Model) -> str:
    lines = [f"{model.name} version {model.version}: {model.task or 'bare ONNX file'}"]
    if model.HasField("manifest"):
        lines.append(f"  {model.manifest.summary}")
        lines.append(f"  takes {_takes(model.manifest)}")
        lines += [f"  {score.metric} {score.value:.4g} {score.unit} on {score.data}" for score in model.manifest.scores]
    if model.manifest.HasField("precision"):
        precision = model.manifest.precision
        lines.append(
            f"  {precision.name}: {precision.speed_ratio:.1f} times fp32's speed at batch {precision.batch} on "
            f"{precision.machine}; {precision.lowered.metric} {precision.lowered.value:.3g} {precision.lowered.unit}, "
            f"fp32's {precision.full.value:.3g} {precision.full.unit}"
        )
    for graph in model.graphs:
        inputs = ", ".join(_tensor(tensor) for tensor in graph.inputs)
        outputs = ", ".join(_tensor(tensor) for tensor in graph.outputs)
        lines.append(f"  {graph.role}: {inputs} -> {outputs}")
    return "\n".join(lines)


def _describe_absent(absent: Absent) -> str:
    state = Absent.State.Name(absent.state).lower().replace("_", " ")
    return f"{absent.name} version {absent.version}: not served ({state}): {absent.reason}"


def _takes(manifest: Manifest) -> str:
    match manifest.WhichOneof("task"):
        case "classification":
            return _classifies(manifest.classification)
        case "edge_detection":
            return f"pictures of any size, seen {_COLOURS[manifest.edge_detection.channels]}"
        case "image_filter":
            return f"pictures of any size, seen {_COLOURS[manifest.image_filter.channels]}"
        case "text_generation":
            return "a prompt, from which it writes on, or a text to score"
        case _:
            return _UNKNOWN


def _classifies(task: Classification) -> str:
    match task.WhichOneof("input"):
        case "image":
            return f"pictures, seen at {task.image.height} x {task.image.width} x {task.image.channels}"
        case "text":
            return f"texts, seen up to {task.text.length} words"
        case "table":
            columns = ", ".join(task.table.columns)
            return f"rows of {len(task.table.columns)} numbers: {shorten(columns, 100, placeholder=' ...')}"
        case _:
            return _UNKNOWN


def _tensor(tensor: TensorSignature) -> str:
    sides = ",".join("?" if side == -1 else str(side) for side in tensor.shape)
    return f"{tensor.name} {tensor.datatype}[{sides}]"
