"""What a server tells of a picture, as a client gets it.

Legend: P places of the model's grid, H height, W width of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from hondo import maps
from hondo.maps import Map
from protos.hondo_pb2 import Caption, CaptionResponse, EdgeFormat, Times, Word


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Told:
    """What one message says; what the first one says of all goes into all."""

    # Words since the message before.
    words: Sequence[Word]
    # If asked: the words that a beam's best caption has so far; empty where the message has none.
    best_so_far: str
    # With the last message: the captions, and how long it took. None and nothing with all others.
    captions: Sequence[Caption]
    times: Times | None
    # The model and version, and the seed that makes them say the same again.
    model: str
    version: int
    seed: int
    # Of the picture, upright; pixels.
    height: int
    width: int

    def map_of(self, word: Word) -> Map:
        """Gives where it looked at one of the words, f32[H,W], 1 where most; it must have been asked for."""
        return maps.decode(word.attention.map, EdgeFormat.PNG_8, self.height, self.width)


@dataclass(slots=True)
class Telling:
    """Makes what is told of the messages of one stream."""

    first: CaptionResponse = field(default_factory=CaptionResponse)

    def of(self, response: CaptionResponse) -> Told:
        """Gives what the next message says."""
        if response.model:
            self.first = response
        first = self.first
        return Told(
            words=response.words,
            best_so_far=response.best_so_far,
            captions=response.captions,
            times=response.times if response.HasField("times") else None,
            model=first.model,
            version=first.version,
            seed=first.seed,
            height=first.height,
            width=first.width,
        )
