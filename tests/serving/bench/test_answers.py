import numpy as np
import pytest

from hondo import maps
from hondo.errors import ServerError
from protos.hondo_pb2 import Classified, ClassifyResponse, DetectEdgesResponse, EdgeFormat, Edges, Label
from protos.inference_pb2 import InferTensorContents, ModelInferResponse
from serving.bench import answers, pictures, tensors
from serving.runtime.datatypes import BY_NAME

Output = ModelInferResponse.InferOutputTensor


def inferred(numbers: list[float]) -> bytes:
    """Gives a ModelInferResponse of one FP32 output y, raw."""
    output = Output(name="y", datatype="FP32", shape=[1, len(numbers)])
    raw = np.array(numbers, np.float32).tobytes()
    return ModelInferResponse(outputs=[output], raw_output_contents=[raw]).SerializeToString()


def classified(probability: float) -> bytes:
    """Gives a ClassifyResponse of one picture and two labels."""
    labels = [Label(index=1, name="b", probability=probability), Label(index=0, name="a", probability=1 - probability)]
    return ClassifyResponse(results=[Classified(labels=labels)]).SerializeToString()


def computed(numbers: list[float]) -> answers.Outputs:
    """Gives what ONNX Runtime says where one row of FP32 output y has these numbers."""
    return {"y": answers.output(np.array([numbers], np.float32), BY_NAME["FP32"])}


def test_rounding_is_the_same_answer() -> None:
    """Answers that differ as sums in another order do are the same; another row's answer is not."""
    assert answers.same(tensors.METHOD, inferred([1, 2]), inferred([1.0001, 2]))
    assert not answers.same(tensors.METHOD, inferred([1, 2]), inferred([2, 1]))
    assert not answers.same(tensors.METHOD, inferred([1, 2]), inferred([1, 2, 3]))
    assert answers.same(pictures.CLASSIFY, classified(0.75), classified(0.75001))
    assert not answers.same(pictures.CLASSIFY, classified(0.75), classified(0.9))


def detected(strength: float) -> bytes:
    """Gives a DetectEdgesResponse of one picture of that strength all over."""
    data = maps.encode(np.full((16, 17), strength, np.float32), EdgeFormat.PNG_8)
    return DetectEdgesResponse(results=[Edges(height=16, width=17, map=data)]).SerializeToString()


def test_maps_may_be_rounded_either_way() -> None:
    """Maps that differ by one step of their 8 bits are the same; by two, or in size, they are not."""
    assert answers.same(pictures.DETECT_EDGES, detected(0.5), detected(0.5 + 1 / 255))
    assert not answers.same(pictures.DETECT_EDGES, detected(0.5), detected(0.5 + 2 / 255))
    assert not answers.same(pictures.DETECT_EDGES, detected(0.5), DetectEdgesResponse().SerializeToString())
    said = {"edges": answers.output(np.full((1, 16, 17), 0.5, np.float32), BY_NAME["FP32"])}
    answers.check_against_graph(pictures.DETECT_EDGES, detected(0.5), said)
    with pytest.raises(ServerError, match="not what ONNX Runtime computes"):
        answers.check_against_graph(pictures.DETECT_EDGES, detected(0.6), said)


def test_typed_contents_are_read_too() -> None:
    """Servers that answer with typed contents are understood as those that answer raw."""
    output = Output(name="y", datatype="FP32", shape=[1, 2], contents=InferTensorContents(fp32_contents=[1, 2]))
    typed = ModelInferResponse(outputs=[output]).SerializeToString()
    assert answers.same(tensors.METHOD, inferred([1, 2]), typed)


@pytest.mark.parametrize("method", [tensors.METHOD, pictures.CLASSIFY])
def test_wrong_file_is_noticed(method: str) -> None:
    """A server that answers otherwise than the graph that it is held against ends the bench."""
    answer = inferred([0.25, 0.75]) if method == tensors.METHOD else classified(0.75)
    answers.check_against_graph(method, answer, computed([0.25, 0.75]))
    with pytest.raises(ServerError, match="not what ONNX Runtime computes"):
        answers.check_against_graph(method, answer, computed([0.4, 0.6]))
