"""`hondo models`: what a server serves."""

import click
from google.protobuf import json_format

from hondo.client import DEFAULT_SERVER, Client
from protos.hondo_pb2 import Model, TensorSignature


@click.command()
@click.option("--server", default=DEFAULT_SERVER, show_default=True, help="HOST:PORT of a Hondo server.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, with the whole manifest.")
def models(*, server: str, as_json: bool) -> None:
    """List the models that a server serves, with their tensors and scores."""
    with Client(server) as client:
        for model in client.list_models():
            click.echo(json_format.MessageToJson(model, indent=None) if as_json else _describe(model))


def _describe(model: Model) -> str:
    lines = [f"{model.name} version {model.version}: {model.task or 'bare ONNX file'}"]
    if model.HasField("manifest"):
        lines.append(f"  {model.manifest.summary}")
        lines += [f"  {score.metric} {score.value:g} {score.unit} on {score.data}" for score in model.manifest.scores]
    for graph in model.graphs:
        inputs = ", ".join(_tensor(tensor) for tensor in graph.inputs)
        outputs = ", ".join(_tensor(tensor) for tensor in graph.outputs)
        lines.append(f"  {graph.role}: {inputs} -> {outputs}")
    return "\n".join(lines)


def _tensor(tensor: TensorSignature) -> str:
    sides = ",".join("?" if side == -1 else str(side) for side in tensor.shape)
    return f"{tensor.name} {tensor.datatype}[{sides}]"
