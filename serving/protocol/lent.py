"""The tensors of a request that lie in shared memory: where to read its inputs, and where to write its outputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hondo.errors import InvalidRequest
from protos.inference_pb2 import InferParameter, ModelInferRequest
from serving.protocol.regions import Region, Regions

_REGION: Final = "shared_memory_region"
_BYTE_SIZE: Final = "shared_memory_byte_size"
_OFFSET: Final = "shared_memory_offset"


@dataclass(frozen=True, slots=True)
class Span:
    """Some bytes of a region."""

    region: Region
    offset: int
    byte_size: int

    def read(self) -> bytes:
        """Gives a copy of them."""
        return self.region.read(self.offset, self.byte_size)

    def write(self, data: bytes) -> None:
        """Fills them from the beginning on."""
        self.region.write(self.offset, data, self.byte_size)


class Lent:
    """What one request has in shared memory."""

    def __init__(self, request: ModelInferRequest, regions: Regions) -> None:
        """Finds the regions.

        Raises:
            InvalidRequest: a region is not registered, or the parameters do not say what is meant.
        """
        # By the input's place in the request, and by the output's name.
        self.inputs: dict[int, Span] = {}
        self.outputs: dict[str, Span] = {}
        for index, tensor in enumerate(request.inputs):
            if tensor.parameters and _REGION in tensor.parameters:
                self.inputs[index] = _span(f"inputs[{index}]", tensor.parameters, regions)
        for index, output in enumerate(request.outputs):
            if output.parameters and _REGION in output.parameters:
                self.outputs[output.name] = _span(f"outputs[{index}]", output.parameters, regions)

    @property
    def input_bytes(self) -> int:
        """How much is to be read."""
        return sum(span.byte_size for span in self.inputs.values())


def _span(field: str, parameters: Mapping[str, InferParameter], regions: Regions) -> Span:
    try:
        region = regions.find(parameters[_REGION].string_param)
    except InvalidRequest as error:
        error.args = (f"{field}.parameters: {error}",)
        raise
    if _BYTE_SIZE not in parameters:
        raise InvalidRequest(f"{field}.parameters: {_REGION!r} came without {_BYTE_SIZE!r}")
    offset = parameters[_OFFSET].int64_param if _OFFSET in parameters else 0
    return Span(region, offset, parameters[_BYTE_SIZE].int64_param)
