"""Where deployment files are, and what is in them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parent.parent.parent
DOCKER: Final = ROOT / "docker"
REQUIREMENTS: Final = ROOT / "requirements"

Document = dict[str, Any]


def documents(path: Path) -> Iterator[Document]:
    """Goes through the documents of a YAML file."""
    for document in yaml.safe_load_all(path.read_text("utf-8")):
        assert isinstance(document, dict)
        yield document
