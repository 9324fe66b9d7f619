"""A data set that somebody published, told by the hashes of its files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from hondo.errors import MissingData
from protos.manifest_pb2 import DataSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is known of a published set."""

    name: str
    origin: str
    terms: str
    # Where a user gets the files.
    where: str
    labels: tuple[str, ...]
    # Of the official files, by name.
    sha256: Mapping[str, str]

    def source(self, folder: Path, sha256: Mapping[str, str]) -> DataSource:
        """Says where files in this form are from: only those that were published bear the published name.

        Args:
            folder: where they lie.
            sha256: theirs, by name.
        """
        if all(self.sha256.get(name) == found for name, found in sha256.items()):
            return DataSource(name=self.name, origin=self.origin, terms=self.terms, sha256=sha256)
        origin = f"{folder.resolve()}, in the form of {self.name}, but not its published files"
        return DataSource(name=f"{self.name}-like", origin=origin, terms="unknown", sha256=sha256)

    def paths(self, folder: Path, names: Iterable[str]) -> list[Path]:
        """Gives the paths of files that belong together.

        Raises:
            MissingData: one of them is missing.
        """
        paths = [folder / name for name in names]
        if missing := [path.name for path in paths if not path.is_file()]:
            together = ", ".join(path.name for path in paths)
            raise MissingData(
                f"{folder}: {', '.join(missing)} missing. Expected there: {together}; to be had from {self.where}"
            )
        return paths
