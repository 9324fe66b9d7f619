"""Calls made up by chance: each from a good request to one of the server's methods, spoiled."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Final

from google.protobuf.message import Message

from tests.fuzz import extremes, mutation, wire
from tests.fuzz.reflected import Metadata, Method
from tests.fuzz.seeds import WORDS
from tests.fuzz.thrown import Call

_OTHER_PATHS: Final = (
    "/",
    "//",
    "/a",
    "/hondo.v1.Hondo/",
    "/hondo.v1.Hondo/classify",
    "/hondo.v1.Hondo/Classify/",
    "/\x7f/*",
)
_KEYS: Final = ("x-request-id", "traceparent", "tracestate", "authorization", "user", "grpc-foo", "a-bin", "cookie")


class Calls:
    """Makes them up; the same for the same seed.

    Args:
        methods: what the server has.
        good: good requests by the full names of their messages.
        metadata: what every call carries, unless it is that which is spoiled.
        seed: of chance.
    """

    def __init__(
        self, methods: Sequence[Method], good: Mapping[str, Sequence[Message]], metadata: Metadata, seed: int
    ) -> None:
        self._methods = methods
        self._metadata = metadata
        self._dice = Random(seed)  # noqa: S311  chance that can be repeated
        self._good = {
            method.path: [method.request.FromString(each.SerializeToString()) for each in _of(method, good)]
            for method in methods
        }

    def __iter__(self) -> Iterator[Call]:
        while True:
            yield self._call()

    def _call(self) -> Call:
        dice = self._dice
        method = dice.choice(self._methods)
        count = dice.choice((0, 1, 2, 5)) if method.requests_stream else 1
        path = dice.choice(_OTHER_PATHS) if dice.random() < 0.002 else method.path
        return Call(
            path=path,
            messages=tuple(self._message(method) for _ in range(count)),
            metadata=self._spoiled_metadata() if dice.random() < 0.02 else self._metadata,
            squeezed=dice.random() < 0.02,
        )

    def _message(self, method: Method) -> bytes:
        dice = self._dice
        message = method.request()
        if (good := self._good[method.path]) and dice.random() < 0.97:
            message.CopyFrom(dice.choice(good))
        else:
            message = mutation.filled(method.request, dice, WORDS)
        if dice.random() < 0.95:
            mutation.spoil(message, dice, WORDS)
        data = message.SerializeToString()
        return wire.spoiled(data, dice) if dice.random() < 0.2 else data

    def _spoiled_metadata(self) -> Metadata:
        dice = self._dice
        pairs = list(self._metadata)
        for _ in range(dice.choice((1, 1, 3, 200))):
            key = dice.choice(_KEYS)
            long = dice.choice((1, 1, 1, 1, 1000, 9000))
            if key.endswith("-bin"):
                pairs.append((key, extremes.data(dice)[:10_000]))
            else:
                text = dice.choice((extremes.text(dice, WORDS)[:20], "Bearer x", "Bearer", "bearer  ", "00-0-0-0"))
                pairs.append((key, "".join(c for c in text if " " <= c <= "~") * long))
        return tuple(pairs if dice.random() < 0.8 else pairs[len(self._metadata) :])


def _of(method: Method, good: Mapping[str, Sequence[Message]]) -> Sequence[Message]:
    return good.get(method.request.DESCRIPTOR.full_name, ())
