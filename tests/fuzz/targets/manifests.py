"""Manifests: their JSON, what they say of files, and what they say of each task."""

import tempfile
from pathlib import Path
from typing import Final

from google.protobuf import json_format

from hondo import artifact, characters, images, text
from protos.manifest_pb2 import Manifest
from tests.serving import artifacts, captioners, edges, tables, words, writers

_FOLDER: Final = Path(tempfile.mkdtemp(prefix="hondo-fuzz-")) / "side" / "1"


def seeds() -> list[bytes]:
    """Gives a manifest of every task, and of a folder that is whole."""
    models = _FOLDER.parent.parent
    artifacts.write_classifier(models, "side", 1)
    for write in (words.write_classifier, tables.write_classifier, edges.write_detector):
        write(models)
    for write in (writers.write_writer, captioners.write_captioner, artifacts.write_two_graphs):
        write(models)
    return [path.read_bytes() for path in sorted(models.glob("*/*/manifest.json"))]


def one(data: bytes) -> None:
    """Reads one in the place of that of a folder, then holds it to what its task takes."""
    (_FOLDER / artifact.MANIFEST).write_bytes(data)
    try:
        manifest = artifact.read(_FOLDER).manifest
    finally:
        manifest = _parsed(data)
        images.check(manifest.classification.image)
        images.check(manifest.captioning.image)
        text.check(manifest.classification.text)
        characters.check(manifest.text_generation)


def _parsed(data: bytes) -> Manifest:
    try:
        return json_format.Parse(data.decode(), Manifest())
    except (UnicodeDecodeError, json_format.ParseError):
        return Manifest()
