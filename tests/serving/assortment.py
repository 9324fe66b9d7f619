"""One tiny model of every kind: what a server in tests serves."""

from pathlib import Path

from tests.serving import artifacts, captioners, edges, graphs, tables, words, writers


def write(models: Path) -> Path:
    """Writes classifiers, one in two versions, and a model of every other task, and bare graphs; gives the folder."""
    artifacts.write_classifier(models, "side", 1)
    artifacts.write_classifier(models, "side", 2)
    words.write_classifier(models)
    tables.write_classifier(models)
    edges.write_detector(models)
    writers.write_writer(models)
    captioners.write_captioner(models)
    artifacts.write_two_graphs(models)
    graphs.join(models / "join" / "1" / "model.onnx")
    graphs.add(models / "add" / "1" / "model.onnx")
    graphs.fragile(models / "fragile" / "1" / "model.onnx")
    graphs.pick(models / "pick" / "1" / "model.onnx")
    for datatype in graphs.ELEMENT_TYPES:
        graphs.same(models / f"same_{datatype}" / "1" / "model.onnx", datatype, ["n", None])
    return models
