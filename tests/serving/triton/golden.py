"""Asks a model its golden inputs through tritonclient: `python golden.py HOST:PORT MODEL IN.npz OUT.npz`."""

import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import np_to_triton_dtype


def main(address: str, model: str, golden: str, into: str) -> None:
    with np.load(golden) as arrays, triton.InferenceServerClient(address) as client:
        inputs = []
        for name in arrays.files:
            if name.startswith("model/in/"):
                datatype = np_to_triton_dtype(arrays[name].dtype)
                inputs.append(triton.InferInput(name.removeprefix("model/in/"), arrays[name].shape, datatype))
                inputs[-1].set_data_from_numpy(arrays[name])
        result = client.infer(model, inputs)
    outputs = [output.name for output in result.get_response().outputs]
    np.savez(into, **{name: result.as_numpy(name) for name in outputs})


if __name__ == "__main__":
    main(*sys.argv[1:])
