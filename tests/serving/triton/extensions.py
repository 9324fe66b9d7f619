"""Asks a server what Triton's extensions say, through the unmodified tritonclient: `python extensions.py HOST:PORT`.

The server has the models `pick`, `join`, `side` and `remember`, and lends its ear to shared memory.
"""

import asyncio
import contextlib
import json
import os
import queue
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import serialize_byte_tensor

Facts = dict[str, Any]
Answer = tuple[triton.InferResult | None, triton.InferenceServerException | None]
PATIENCE_S = 20


def index(*values: int) -> list[triton.InferInput]:
    """Gives the input of `pick`, which gives 10 for 0, 11 for 1, 12 for 2, and fails at all others."""
    tensor = triton.InferInput("index", [len(values)], "INT64")
    tensor.set_data_from_numpy(np.array(values, np.int64))
    return [tensor]


def refusal(call: Callable[[], object]) -> list[str]:
    """Gives status and text of what the server refuses."""
    try:
        call()
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
    raise AssertionError("it was not refused")


@contextlib.contextmanager
def stream(client: triton.InferenceServerClient, **options: Any) -> "Iterator[queue.Queue[Answer]]":
    """Opens a stream; gives where its answers come."""
    answers: queue.Queue[Answer] = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)), **options)
    try:
        yield answers
    finally:
        client.stop_stream()


def streamed(client: triton.InferenceServerClient) -> Facts:
    """Gives what comes of 30 requests that are sent before any answer is looked at, one of them bad."""
    with stream(client, compression_algorithm="gzip") as answers:
        for number in range(30):
            client.async_stream_infer("pick", index(99 if number == 7 else number % 3), request_id=str(number))
        came = [answers.get(timeout=PATIENCE_S) for _ in range(30)]
    good = [result for result, _ in came if result is not None]
    return {
        "picked": [int(result.as_numpy("y")[0]) for result in good],
        "ids": [result.get_response().id for result in good],
        "final": all(result.get_response().parameters["triton_final_response"].bool_param for result in good),
        "error": [(place, error.message()) for place, (_, error) in enumerate(came) if error is not None],
    }


async def streamed_from_asyncio(address: str) -> list[int]:
    """Gives what the asyncio client is streamed."""

    async def requests() -> AsyncIterator[Facts]:
        for number in range(3):
            yield {"model_name": "pick", "inputs": index(number)}

    async with triton_aio.InferenceServerClient(address) as client:
        return [int(result.as_numpy("y")[0]) async for result, _ in client.stream_infer(requests())]


def described(client: triton.InferenceServerClient) -> Facts:
    """Gives models' configurations."""
    return {
        "side": client.get_model_config("side", as_json=True)["config"],
        "join": client.get_model_config("join", as_json=True)["config"],
        "extensions": client.get_server_metadata(as_json=True)["extensions"],
        "nobody": refusal(lambda: client.get_model_config("nobody")),
    }


def counted(client: triton.InferenceServerClient) -> Facts:
    """Gives what statistics say of 5 requests with 8 rows in all, and one more that fails."""
    before = client.get_inference_statistics("join").model_stats[0]
    for rows in (1, 1, 2, 2, 2):
        client.infer("join", joined(rows))
    refusal(lambda: client.infer("join", joined(1)[:1]))
    after = client.get_inference_statistics("join").model_stats[0]
    fields = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")
    spent = {
        field: [
            getattr(after.inference_stats, field).count - getattr(before.inference_stats, field).count,
            getattr(after.inference_stats, field).ns - getattr(before.inference_stats, field).ns,
        ]
        for field in fields
    }
    return {
        **spent,
        "inferences": after.inference_count - before.inference_count,
        "executions": after.execution_count - before.execution_count,
        "batches": {str(each.batch_size): each.compute_infer.count for each in after.batch_stats},
        "last s ago": time.time() - after.last_inference / 1000,
        "models": [(each.name, each.version) for each in client.get_inference_statistics().model_stats],
        "versions": [each.version for each in client.get_inference_statistics("side").model_stats],
        "one version": [each.version for each in client.get_inference_statistics("side", "1").model_stats],
        "nobody": refusal(lambda: client.get_inference_statistics("nobody")),
    }


def joined(rows: int) -> list[triton.InferInput]:
    """Gives good inputs to the model of two inputs."""
    name = triton.InferInput("name", [rows, 2], "BYTES")
    name.set_data_from_numpy(np.array([["a", "größer"]] * rows, dtype=np.object_))
    number = triton.InferInput("number", [rows, 2], "INT64")
    number.set_data_from_numpy(np.array([[1, -20]] * rows, dtype=np.int64))
    return [name, number]


@contextlib.contextmanager
def lent(client: triton.InferenceServerClient, name: str, size: int) -> Iterator[Any]:
    """Lends the server a region of shared memory."""
    key = f"/hondo_test_{os.getpid()}_{name}"
    region = shm.create_shared_memory_region(name, key, size)
    client.register_system_shared_memory(name, key, size)
    try:
        yield region
    finally:
        client.unregister_system_shared_memory(name)
        shm.destroy_shared_memory_region(region)


def shared(client: triton.InferenceServerClient) -> Facts:
    """Gives what comes of tensors in shared memory, both ways, mixed with others, and of wrong regions."""
    with lent(client, "in", 64) as given, lent(client, "out", 64) as taken:
        shm.set_shared_memory_region(given, [np.array([2, 0, 1], np.int64)], offset=8)
        tensor = triton.InferInput("index", [3], "INT64")
        tensor.set_shared_memory("in", 24, offset=8)
        wanted = triton.InferRequestedOutput("y")
        wanted.set_shared_memory("out", 24, offset=16)
        answer = client.infer("pick", [tensor], outputs=[wanted]).get_response()
        facts: Facts = {
            "picked": shm.get_contents_as_numpy(taken, np.int64, [3], offset=16).tolist(),
            "response": [list(answer.outputs[0].shape), [len(raw) for raw in answer.raw_output_contents]],
            "only in": client.infer("pick", [tensor]).as_numpy("y").tolist(),
            "status": client.get_system_shared_memory_status(as_json=True)["regions"]["in"],
            "again": refusal(lambda: client.register_system_shared_memory("in", "/hondo_other", 1)),
        }
        wanted.set_shared_memory("out", 16)
        facts["too small"] = refusal(lambda: client.infer("pick", [tensor], outputs=[wanted]))
        tensor.set_shared_memory("in", 24, offset=48)
        facts["beyond"] = refusal(lambda: client.infer("pick", [tensor]))
        facts |= strings(client)
    facts["after"] = client.get_system_shared_memory_status(as_json=True)
    facts["unknown"] = refusal(lambda: client.infer("pick", [tensor]))
    facts["no such memory"] = refusal(lambda: client.register_system_shared_memory("in", "/hondo_nothing", 1))
    return facts


def strings(client: triton.InferenceServerClient) -> Facts:
    """Gives what comes of strings in shared memory beside a tensor that is sent."""
    with lent(client, "text in", 64) as given, lent(client, "text out", 64) as taken:
        texts = np.array([["a", "größer"]], dtype=np.object_)
        shm.set_shared_memory_region(given, [serialize_byte_tensor(texts)])
        name, number = joined(1)
        name.set_shared_memory("text in", 4 + 1 + 4 + 8)
        wanted = triton.InferRequestedOutput("text")
        wanted.set_shared_memory("text out", 64)
        client.infer("join", [name, number], outputs=[wanted])
        text = shm.get_contents_as_numpy(taken, np.object_, [1, 2])
        return {"text": [[each.decode() for each in row] for row in text]}


def digit(value: int) -> list[triton.InferInput]:
    """Gives the input of `remember`, which gives all digits that its sequence has seen."""
    tensor = triton.InferInput("x", [1, 1], "INT64")
    tensor.set_data_from_numpy(np.array([[value]], np.int64))
    return [tensor]


def sequences(client: triton.InferenceServerClient) -> Facts:
    """Gives what comes of two sequences side by side, and of one on a stream."""
    unary = []
    for place in range(3):
        for name, first in ((7, 1), ("a text", 5)):
            flags = {"sequence_id": name, "sequence_start": place == 0, "sequence_end": place == 2}
            answer = client.infer("remember", digit(first + place), **flags)
            unary.append(int(answer.as_numpy("y")[0, 0]))
    with stream(client) as answers:
        for place in range(3):
            flags = {"sequence_id": 8, "sequence_start": place == 0, "sequence_end": place == 2}
            client.async_stream_infer("remember", digit(2 + 2 * place), **flags)
        came = [answers.get(timeout=PATIENCE_S)[0] for _ in range(3)]
    kept = client.get_model_config("remember", as_json=True)["config"]["sequence_batching"]["state"]
    return {
        "unary": unary,
        "streamed": [int(result.as_numpy("y")[0, 0]) for result in came if result is not None],
        "state": [{name: each[name] for name in ("input_name", "output_name")} for each in kept],
        "over": refusal(lambda: client.infer("remember", digit(1), sequence_id=7)),
    }


def nothing_behind(client: triton.InferenceServerClient) -> Facts:
    """Gives what the server says of that which it does not have."""
    return {
        "cuda status": client.get_cuda_shared_memory_status(as_json=True),
        "cuda": refusal(lambda: client.register_cuda_shared_memory("a", b"AAAA", 0, 8)),
        "trace": refusal(client.get_trace_settings),
        "log file": refusal(lambda: client.update_log_settings({"log_file": "elsewhere"})),
    }


def log_settings(client: triton.InferenceServerClient) -> Facts:
    """Changes the log's levels, and puts them back."""
    changed = client.update_log_settings({"log_info": False, "log_verbose_level": 2}, as_json=True)
    kept = client.get_log_settings(as_json=True)
    back = client.update_log_settings({"log_info": True, "log_verbose_level": 0}, as_json=True)
    wrong = refusal(lambda: client.update_log_settings({"log_infos": True}))
    return {"changed": changed, "kept": kept, "back": back, "wrong": wrong}


def kept_alive(address: str) -> int:
    """Gives an answer on a stream that is idle while its client asks six times whether the connection lives."""
    options = triton.KeepAliveOptions(600, 20_000, keepalive_permit_without_calls=True, http2_max_pings_without_data=0)
    with triton.InferenceServerClient(address, keepalive_options=options) as client, stream(client) as answers:
        client.async_stream_infer("pick", index(1))
        assert answers.get(timeout=PATIENCE_S)[1] is None
        time.sleep(3.6)
        client.async_stream_infer("pick", index(2))
        result, error = answers.get(timeout=PATIENCE_S)
    assert result is not None, error
    return int(result.as_numpy("y")[0])


def compressed(client: triton.InferenceServerClient) -> list[int]:
    """Gives the answers to requests that are compressed."""
    ways = ("gzip", "deflate", None)
    return [int(client.infer("pick", index(2), compression_algorithm=way).as_numpy("y")[0]) for way in ways]


def main(address: str) -> None:
    with triton.InferenceServerClient(address) as client:
        facts = {
            "described": described(client),
            "counted": counted(client),
            "streamed": streamed(client),
            "asyncio": asyncio.run(streamed_from_asyncio(address)),
            "shared": shared(client),
            "sequences": sequences(client),
            "nothing behind": nothing_behind(client),
            "log settings": log_settings(client),
            "kept alive": kept_alive(address),
            "compressed": compressed(client),
            "headed": int(client.infer("pick", index(0), headers={"x-request-id": "a name of mine"}).as_numpy("y")[0]),
        }
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
