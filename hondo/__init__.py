"""The ground that training and serving stand on, and what users import: client, errors, artifact contract."""

from hondo.access import Access
from hondo.answer import Answer
from hondo.client import AsyncClient, Client
from hondo.errors import HondoError

__all__ = ["Access", "Answer", "AsyncClient", "Client", "HondoError"]
