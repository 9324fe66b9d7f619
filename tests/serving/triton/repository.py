"""Lists, unloads and loads a model through the unmodified tritonclient: `python repository.py HOST:PORT`."""

import json
import sys
from typing import Any

import tritonclient.grpc as triton


def index(client: triton.InferenceServerClient) -> list[dict[str, Any]]:
    """Gives the index as the package does."""
    models: list[dict[str, Any]] = client.get_model_repository_index(as_json=True)["models"]
    return models


def refused(client: triton.InferenceServerClient, name: str, **options: str) -> list[str]:
    """Gives status and text with which a load is refused."""
    try:
        client.load_model(name, **options)
    except triton.InferenceServerException as error:
        return [error.status(), error.message()]
    raise AssertionError("it was not refused")


def main(address: str) -> None:
    with triton.InferenceServerClient(address) as client:
        facts = {"at the start": index(client), "ready": [client.is_model_ready("side")]}
        client.unload_model("side")
        facts["ready"].append(client.is_model_ready("side"))
        client.load_model("side")
        facts["ready"].append(client.is_model_ready("side"))
        facts["unknown"] = refused(client, "nobody")
        facts["config"] = refused(client, "side", config="{}")
    json.dump(facts, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
