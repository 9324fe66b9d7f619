"""The model that a request of the Open Inference Protocol names."""

from hondo.artifact import MODEL
from hondo.errors import InvalidRequest, ModelNotFound, WrongTask
from serving.catalog.catalog import Catalog
from serving.catalog.model import Model
from serving.runtime.session import Session


def find(catalog: Catalog, name: str, version: str) -> Model:
    """Gives the model of a name; of the newest version where none is named.

    Raises:
        InvalidRequest: there is no name.
        ModelNotFound: there is no such model or version.
    """
    if not name:
        raise InvalidRequest("the model's name is empty")
    if version and not (version.isascii() and version.isdecimal() and len(version) < 20 and int(version)):
        raise ModelNotFound(f"model {name[:100]!r} has no version {version[:20]!r}: versions are numbers from 1")
    return catalog.find(name, int(version or 0))


def only_session(model: Model) -> Session:
    """Gives the one graph of a model.

    Raises:
        WrongTask: it has several.
    """
    if MODEL not in model.sessions or len(model.sessions) != 1:
        raise WrongTask(f"model {model.name!r} has several graphs ({', '.join(model.sessions)}): use its typed RPC")
    return model.sessions[MODEL]
