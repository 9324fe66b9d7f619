from pathlib import Path

import numpy as np
import onnx

from export.convert import OPSET, convert
from export.graphs import ClassifierGraph
from serving.runtime.session import Session
from tests.export.conftest import FACTS, LABELS
from training.run import Run


def test_the_file_takes_any_batch_size(run: Run, graph: ClassifierGraph, session: Session) -> None:
    """One file answers one picture, many pictures, and none."""
    for size in (0, 1, 3, 64):
        image_NHWC = run.samples.inputs[:size]
        found_NK = session.run({"image": image_NHWC})["probabilities"].astype(np.float32)
        np.testing.assert_allclose(found_NK, graph.answer(image_NHWC), rtol=0, atol=1e-5)


def test_the_signature_names_the_batch_and_fixes_the_rest(session: Session) -> None:
    """The batch axis is called N in and out; every other side is a number."""
    assert [(each.name, each.datatype.name, each.shape) for each in (*session.inputs, *session.outputs)] == [
        ("image", "UINT8", ("N", 8, 6, 1)),
        ("probabilities", "FP32", ("N", len(LABELS))),
    ]


def test_the_file_is_one_file_of_the_stated_opset(onnx_path: Path) -> None:
    """The weights lie inside, only ONNX's own operators are used, and the checker has nothing against it."""
    model = onnx.load(onnx_path, load_external_data=False)
    onnx.checker.check_model(onnx_path, full_check=True)
    assert [path.name for path in onnx_path.parent.iterdir()] == ["model.onnx"]
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", OPSET)]
    assert not any(weights.external_data for weights in model.graph.initializer)


def test_the_facts_are_in_the_metadata(session: Session) -> None:
    """ONNX Runtime alone shows what was written into the file."""
    assert session.metadata == FACTS


def test_the_file_keeps_nothing_of_this_machine(onnx_path: Path) -> None:
    """No stack trace and no path of the machine that exported is left in the file."""
    content = onnx_path.read_bytes()
    for trace in (b"stack_trace", b"site-packages", b".py", str(Path.home()).encode(), str(Path.cwd()).encode()):
        assert trace not in content


def test_the_same_net_gives_the_same_bytes(run: Run, graph: ClassifierGraph, onnx_path: Path, tmp_path: Path) -> None:
    """An export can be repeated: the file depends on net and facts only."""
    convert(graph, run.task, tmp_path / "again.onnx", FACTS)
    assert (tmp_path / "again.onnx").read_bytes() == onnx_path.read_bytes()
