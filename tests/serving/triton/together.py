"""Imports both clients into one process and asks with each: `python together.py FIRST HOST:PORT PICTURE`."""

import importlib
import sys

MODULES = {"hondo": "hondo", "tritonclient": "tritonclient.grpc"}


def main(first: str, address: str, picture: str) -> None:
    for name in sorted(MODULES, key=lambda name: name != first):
        importlib.import_module(MODULES[name])
    loaded = list(sys.modules)
    assert (loaded.index("hondo") < loaded.index("tritonclient.grpc")) == (first == "hondo")

    import numpy as np
    import tritonclient.grpc as triton

    import hondo

    with hondo.Client(address) as client:
        best = client.classify([picture], top_k=1).results[0].labels[0].name
    with triton.InferenceServerClient(address) as other:
        tensor = triton.InferInput("x", [1, 3], "INT32")
        tensor.set_data_from_numpy(np.array([[1, 2, 3]], np.int32))
        numbers = other.infer("same_INT32", [tensor]).as_numpy("y").tolist()
    sys.stdout.write(f"{best} {numbers}")


if __name__ == "__main__":
    main(*sys.argv[1:])
