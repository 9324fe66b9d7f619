"""Asks a server through the unmodified tritonclient, and prints what it says as JSON: `python facts.py HOST:PORT`."""

import asyncio
import json
import queue
import sys
from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.grpc import model_config_pb2, service_pb2

Facts = dict[str, Any]
SERVICE = "GRPCInferenceService"

# Each datatype with its numpy type.
NUMPY = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "BF16": ml_dtypes.bfloat16,
    "FP32": np.float32,
    "FP64": np.float64,
}


def joined_inputs(rows: int = 1) -> list[triton.InferInput]:
    """Gives good inputs to the model of two inputs."""
    name = triton.InferInput("name", [rows, 2], "BYTES")
    name.set_data_from_numpy(np.array([["a", "größer"]] * rows, dtype=np.object_))
    number = triton.InferInput("number", [rows, 2], "INT64")
    number.set_data_from_numpy(np.array([[1, -20]] * rows, dtype=np.int64))
    return [name, number]


def texts(result: triton.InferResult) -> list[list[str]]:
    """Gives the text output of the model of two inputs."""
    return [[element.decode() for element in row] for row in result.as_numpy("text")]


def standing(client: triton.InferenceServerClient) -> Facts:
    """Gives what the server says of itself and its models."""
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "models ready": [
            client.is_model_ready("side"),
            client.is_model_ready("side", "1"),
            client.is_model_ready("side", "9"),
            client.is_model_ready("nobody"),
        ],
        "server": client.get_server_metadata(as_json=True),
        "side": client.get_model_metadata("side", as_json=True),
        "join": client.get_model_metadata("join", "1", as_json=True),
    }


def answers(client: triton.InferenceServerClient) -> Facts:
    """Gives what models answer."""
    join = client.infer("join", joined_inputs(), request_id="request 7")
    alone = client.infer("join", joined_inputs(), outputs=[triton.InferRequestedOutput("double")])
    done: queue.Queue[tuple[triton.InferResult | None, Exception | None]] = queue.Queue()
    client.async_infer("join", joined_inputs(rows=3), lambda result, error: done.put((result, error)))
    result, error = done.get(timeout=20)
    assert result is not None, error
    return {
        "text": texts(join),
        "double": join.as_numpy("double").tolist(),
        "id": join.get_response().id,
        "alone": [output.name for output in alone.get_response().outputs],
        "async text": texts(result),
    }


def same(client: triton.InferenceServerClient) -> Facts:
    """Gives, for each datatype, what came back for zeros and ones."""
    came: Facts = {}
    for datatype, dtype in NUMPY.items():
        array = np.array([[0, 1, 1]], dtype=dtype)
        tensor = triton.InferInput("x", array.shape, datatype)
        tensor.set_data_from_numpy(array)
        result = client.infer(f"same_{datatype}", [tensor])
        came[datatype] = [result.get_output("y").datatype, result.as_numpy("y").astype(float).tolist()]
    return came


def refusals(client: triton.InferenceServerClient) -> Facts:
    """Gives status and text of what the server refuses."""
    wrong_shape = triton.InferInput("image", [1, 9, 8, 1], "UINT8")
    wrong_shape.set_data_from_numpy(np.zeros((1, 9, 8, 1), np.uint8))
    classes = [triton.InferRequestedOutput("text", class_count=2)]
    calls: dict[str, Callable[[], object]] = {
        "shape": lambda: client.infer("side", [wrong_shape]),
        "model": lambda: client.infer("nobody", joined_inputs()),
        "version": lambda: client.get_model_metadata("side", "9"),
        "inputs": lambda: client.infer("join", joined_inputs()[:1]),
        "classification": lambda: client.infer("join", joined_inputs(), outputs=classes),
    }
    refused: Facts = {}
    for name, call in calls.items():
        try:
            call()
        except triton.InferenceServerException as error:
            refused[name] = [error.status(), error.message()]
    return refused


async def from_asyncio(address: str) -> Facts:
    """Gives what tritonclient's asyncio client is answered."""
    async with triton_aio.InferenceServerClient(address) as client:
        return {"live": await client.is_server_live(), "text": texts(await client.infer("join", joined_inputs()))}


def fields() -> Facts:
    """Gives the fields of the messages that tritonclient has compiled in: number -> name, type, label, message."""
    found: Facts = {}

    def add(message: Any) -> None:
        found[message.full_name] = {
            field.number: [
                field.name,
                field.type,
                field.is_repeated,
                field.message_type and field.message_type.full_name,
            ]
            for field in message.fields
        }
        for nested in message.nested_types:
            add(nested)

    for file in (service_pb2.DESCRIPTOR, model_config_pb2.DESCRIPTOR):
        for message in file.message_types_by_name.values():
            add(message)
    return found


def main(address: str) -> None:
    with triton.InferenceServerClient(address) as client:
        facts = {
            "standing": standing(client),
            "answers": answers(client),
            "same": same(client),
            "refusals": refusals(client),
            "asyncio": asyncio.run(from_asyncio(address)),
            "fields": fields(),
            "datatypes": dict(model_config_pb2.DataType.items()),
            "methods": [method.name for method in service_pb2.DESCRIPTOR.services_by_name[SERVICE].methods],
        }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
