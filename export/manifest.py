"""A candidate's facts as the manifest has them, and as the ONNX file's own metadata repeats them."""

import json
from typing import Any

from google.protobuf import json_format

from export.candidate import Candidate
from export.whole.candidate import WholeCandidate
from protos.manifest_pb2 import Classification, EdgeDetection, ImageFilter, Manifest


def describe(candidate: Candidate | WholeCandidate, name: str, version: int) -> Manifest:
    """Gives the manifest of a candidate, but for the artifact's files."""
    return Manifest(
        name=name,
        version=version,
        summary=candidate.summary,
        provenance=candidate.provenance,
        scores=candidate.scores,
        **_task(candidate.task),
    )


def _task(task: Classification | EdgeDetection | ImageFilter) -> dict[str, Any]:
    match task:
        case Classification():
            return {"classification": task}
        case EdgeDetection():
            return {"edge_detection": task}
        case ImageFilter():
            return {"image_filter": task}


def facts(manifest: Manifest) -> dict[str, str]:
    """Gives a manifest's facts as a flat table: text as it is, everything else as JSON.

    The keys are the fields of `Manifest` (but its files), of its task and of `Provenance`, and `task`, which names the
    task's field.
    """
    # A seed of 0 is a fact too.
    fields = json_format.MessageToDict(
        manifest, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    for files in ("graphs", "golden", "weights"):
        fields.pop(files, None)
    task = manifest.WhichOneof("task")
    assert task is not None, "a model without a task has no facts to tell"
    flat = {"task": task, **fields.pop(task), **fields.pop("provenance"), **fields}
    return {key: value if isinstance(value, str) else _json(value) for key, value in flat.items()}


def _json(value: object) -> str:
    # protobuf gives a map's entries in another order each time; the file's bytes must not follow it.
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
