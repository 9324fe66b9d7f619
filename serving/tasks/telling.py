"""A telling: what one request is told of its picture, in one caption or several, up to their ends.

Legend: T tokens of a piece, P places.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from protos.hondo_pb2 import Attention, Caption, CaptionResponse, Word
from serving.decode.job import End, Piece

_REASONS: Final = {End.LENGTH: Caption.LENGTH, End.STOP: Caption.END}


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How tokens are words, and captions are compared."""

    vocabulary: Sequence[str]
    # The token after a caption's last word.
    end: int
    length_penalty: float


@dataclass(slots=True)
class _Caption:
    """A caption so far."""

    words: list[str] = field(default_factory=list)
    tokens: int = 0
    log_likelihood: float = 0.0
    reason: Caption.Reason = Caption.REASON_UNSPECIFIED


class Telling:
    """The captions of one request.

    Args:
        words: of the model.
        captions: how many are wanted; what other rows have is passed over.
        with_attention: whether words come with where it looked, in a message each: maps are long.
    """

    def __init__(self, words: Words, captions: int, *, with_attention: bool) -> None:
        self._words = words
        self._with_attention = with_attention
        self._captions = [_Caption() for _ in range(captions)]

    @property
    def is_over(self) -> bool:
        """Whether all captions have come to their ends."""
        return all(caption.reason != Caption.REASON_UNSPECIFIED for caption in self._captions)

    def go_on(self, pieces: Sequence[Piece]) -> list[CaptionResponse]:
        """Gives what there is to say of the rows' next pieces; nothing where they are only an end."""
        drafts = [piece for piece in pieces if piece.is_whole and piece.end is None]
        said = [word for piece in pieces if piece not in drafts for word in self._said(piece)]
        best_so_far = " ".join(self._text(drafts[-1])) if drafts else ""
        if self._with_attention:
            told = [CaptionResponse(words=[word]) for word in said]
            return [*told, CaptionResponse(best_so_far=best_so_far)] if best_so_far else told
        return [CaptionResponse(words=said, best_so_far=best_so_far)] if said or best_so_far else []

    def captions(self) -> list[Caption]:
        """Gives the captions, once they are over."""
        return [
            Caption(
                text=" ".join(each.words),
                words=len(each.words),
                reason=each.reason,
                log_likelihood=each.log_likelihood,
                score=each.log_likelihood / max(1, each.tokens) ** self._words.length_penalty,
            )
            for each in self._captions
        ]

    def _said(self, piece: Piece) -> Iterator[Word]:
        """Adds a piece to its caption; gives its words."""
        if piece.row >= len(self._captions):
            return
        caption = self._captions[piece.row]
        if piece.end is not None:
            caption.reason = _REASONS[piece.end]
        for place, (token, log_probability) in enumerate(
            zip(piece.tokens_T.tolist(), piece.log_probability_T.tolist(), strict=True)
        ):
            caption.tokens += 1
            caption.log_likelihood += log_probability
            if token == self._words.end:
                return
            caption.words.append(self._words.vocabulary[token])
            looked = Attention(weights=piece.attention_TP[place].tolist()) if self._with_attention else None
            yield Word(caption=piece.row, text=caption.words[-1], log_probability=log_probability, attention=looked)

    def _text(self, piece: Piece) -> Iterator[str]:
        return (self._words.vocabulary[token] for token in piece.tokens_T.tolist() if token != self._words.end)
