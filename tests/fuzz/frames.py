"""HTTP/2 as gRPC speaks it, made frame by frame; then the frames spoiled, as no library would send them."""

import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.fuzz import extremes
from tests.fuzz.reflected import Metadata

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_MAX_FRAME: Final = 16_384
# A frame's length, type, flags and stream.
_HEAD: Final = struct.Struct(">HBBBI")
_HEAD_BYTES: Final = 9
_NUMBERS: Final = (0, 1, 2, 3, 5, 7, 2**15, 2**31 - 1)


def opening() -> list[bytes]:
    """Gives what begins a connection."""
    return [PREFACE, SettingsFrame(0).serialize(), SettingsFrame(0, flags=["ACK"]).serialize()]


def call(stream: int, path: str | bytes, messages: Sequence[bytes], metadata: Metadata) -> list[bytes]:
    """Gives the frames of a call: headers, then the messages, each with gRPC's five bytes before it."""
    frames = [headers(stream, _headers(path, metadata))]
    for message in messages:
        data = struct.pack(">BI", 0, len(message)) + message
        frames += [
            DataFrame(stream, data[start : start + _MAX_FRAME]).serialize() for start in range(0, len(data), _MAX_FRAME)
        ]
    return [*frames, DataFrame(stream, b"", flags=["END_STREAM"]).serialize()]


def headers(stream: int, fields: "Sequence[tuple[str | bytes, str | bytes]]") -> bytes:
    """Gives a frame of headers, in as many parts as they take."""
    block = Encoder().encode(list(fields), huffman=False)
    parts = [block[start : start + _MAX_FRAME] for start in range(0, len(block), _MAX_FRAME)]
    frames: list[Frame] = [HeadersFrame(stream or 1, parts[0])]
    frames += [ContinuationFrame(stream or 1, part) for part in parts[1:]]
    for frame in frames:
        frame.stream_id = stream  # 0 too, which the library refuses
    frames[-1].flags.add("END_HEADERS")
    return b"".join(frame.serialize() for frame in frames)


def _headers(path: str | bytes, metadata: Metadata) -> "list[tuple[str | bytes, str | bytes]]":
    return [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        *metadata,
    ]


def spoiled(frames: Sequence[bytes], dice: Random, metadata: Metadata, path: str) -> list[bytes]:
    """Gives the frames of a connection, spoiled in one to four ways."""
    spoilt = list(frames)
    for _ in range(dice.choice((1, 1, 2, 4))):
        if dice.random() < 0.5:
            spoilt = dice.choice(_WAYS)(spoilt, dice)
        else:
            place = dice.randrange(len(spoilt) + 1)
            spoilt[place:place] = dice.choice(_INTRUDERS)(dice, metadata, path)
    return spoilt


def _leave_out(frames: list[bytes], dice: Random) -> list[bytes]:
    place = dice.randrange(len(frames) or 1)
    return frames[:place] + frames[place + 1 :]


def _repeat(frames: list[bytes], dice: Random) -> list[bytes]:
    place = dice.randrange(len(frames) or 1)
    return frames[:place] + frames[place : place + 1] * dice.choice((2, 3, 50)) + frames[place:]


def _shuffle(frames: list[bytes], dice: Random) -> list[bytes]:
    first = frames[:1] if dice.random() < 0.8 else []
    rest = frames[len(first) :]
    return [*first, *dice.sample(rest, len(rest))]


def _flip(frames: list[bytes], dice: Random) -> list[bytes]:
    """Changes bytes anywhere."""
    place = dice.randrange(1, max(2, len(frames)))
    return [extremes.spoiled(frame, dice) if number == place else frame for number, frame in enumerate(frames)]


def _other_head(frames: list[bytes], dice: Random) -> list[bytes]:
    """Gives a frame another length, type, flags or stream."""
    place = dice.randrange(1, max(2, len(frames)))
    return [_reheaded(frame, dice) if number == place else frame for number, frame in enumerate(frames)]


def _reheaded(frame: bytes, dice: Random) -> bytes:
    if len(frame) < _HEAD_BYTES:
        return frame
    high, low, kind, flags, stream = _HEAD.unpack_from(frame)
    match dice.randrange(4):
        case 0:
            high, low = divmod(dice.choice((0, 1, 9, 2**14, 2**14 + 1, 2**24 - 1)), 256)
        case 1:
            kind = dice.randrange(16)
        case 2:
            flags = dice.randrange(256)
        case _:
            stream = dice.choice((0, 1, 2, 3, 99, 2**31 - 1, 2**31, 2**32 - 1))
    return _HEAD.pack(high, low, kind, flags, stream) + frame[_HEAD_BYTES:]


_WAYS: Final[tuple[Callable[[list[bytes], Random], list[bytes]], ...]] = (
    _leave_out,
    _repeat,
    _shuffle,
    _flip,
    _flip,
    _other_head,
    _other_head,
)


def _pings(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    """A flood of tiny pings."""
    return [PingFrame(0, opaque_data=dice.randbytes(8)).serialize() * dice.choice((1, 10, 1000))]


def _settings(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    """Settings of any numbers, again and again."""
    values = {dice.randrange(10): dice.choice((0, 1, 16_383, 16_384, 2**24, 2**31, 2**32 - 1)) for _ in range(4)}
    return [SettingsFrame(0, settings=values).serialize() * dice.choice((1, 1, 300))]


def _resets(dice: Random, metadata: Metadata, path: str) -> list[bytes]:
    """Calls that are begun and dropped at once."""
    count = dice.choice((1, 5, 200))
    block = headers(1, _headers(path, metadata))
    every = []
    for stream in range(1001, 1001 + 2 * count, 2):
        begun = block[:5] + struct.pack(">I", stream) + block[_HEAD_BYTES:]
        every += [begun, RstStreamFrame(stream, error_code=dice.choice((0, 1, 8, 99))).serialize()]
    return every


def _windows(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    frame = WindowUpdateFrame(dice.choice(_NUMBERS), window_increment=dice.choice((1, 2**31 - 1)))
    data = frame.serialize()
    return [data if dice.random() < 0.7 else data[:-4] + bytes(4)]


def _continuations(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    """Headers that go on and on."""
    block = Encoder().encode([("x-long", "x" * 1000)], huffman=False)
    begun = HeadersFrame(7, block).serialize() if dice.random() < 0.7 else b""
    return [begun + ContinuationFrame(7, block).serialize() * dice.choice((1, 50, 500))]


def _odd_headers(dice: Random, metadata: Metadata, path: str) -> list[bytes]:
    """Headers as HTTP/2 forbids them, or with times and encodings that are none."""
    odd: Sequence[tuple[str | bytes, str | bytes]] = (
        *((":path", b"\xff\xfe"), (":path", ""), ("", "x"), ("X-UPPER", "x"), ("connection", "close"), (":odd", "x")),
        *(("grpc-timeout", text) for text in ("", "1", "0n", "-1S", "99999999H", "999999999S", "1Q", "\0")),
        *(("grpc-encoding", text) for text in ("gzip", "deflate", "snappy", "identity", "")),
        *(("content-type", text) for text in ("text/html", "", "application/grpc+json", "application/grpc;x")),
        *(("x-request-id", text) for text in (b"\xff\xfe", b"\0", "a" * 5000, b"\xc3\xa4\r\nx: y")),
        *(("traceparent", b"\xff"), ("authorization", b"Bearer \xff"), ("a-bin", "no base64!"), ("te", "gzip")),
        *(("cookie", "x" * size) for size in (1000, 8000, 16_000, 100_000)),
    )
    fields = _headers(path, metadata)
    for _ in range(dice.choice((1, 1, 2, 300))):
        fields.insert(dice.randrange(len(fields) + 1), dice.choice(odd))
    stream = dice.choice((1, 3, 5, 2, 0))
    message = dice.choice(
        (b"\0\0\0\0\0", b"\1\0\0\0\2ab", b"\0\xff\xff\xff\xff", b"\0\0\0\0\5a", b"\2", b"\0\0\0\0\1a" * 99)
    )
    return [headers(stream, fields), _data(stream, message, ended=dice.random() < 0.7)]


def _data(stream: int, data: bytes, *, ended: bool) -> bytes:
    frame = DataFrame(stream or 1, data, flags=["END_STREAM"] if ended else [])
    frame.stream_id = stream
    return frame.serialize()


def _unasked(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    """Frames that no client sends, or of no known type."""
    frames: Sequence[Frame] = (
        PushPromiseFrame(1, promised_stream_id=2, data=b""),
        GoAwayFrame(0, last_stream_id=dice.choice(_NUMBERS), error_code=dice.randrange(20), additional_data=b"x" * 99),
        PriorityFrame(1, depends_on=dice.choice((0, 1, 3)), stream_weight=dice.randrange(256), exclusive=True),
        RstStreamFrame(dice.choice((1, 2, 99)), error_code=dice.randrange(20)),
    )
    unknown = _HEAD.pack(0, 8, dice.randrange(10, 256), dice.randrange(256), dice.choice(_NUMBERS)) + dice.randbytes(8)
    return [dice.choice([*(frame.serialize() for frame in frames), unknown])]


def _noise(dice: Random, _metadata: Metadata, _path: str) -> list[bytes]:
    return [dice.randbytes(dice.choice((1, 9, 100, 20_000)))]


_INTRUDERS: Final[tuple[Callable[[Random, Metadata, str], list[bytes]], ...]] = (
    _pings,
    _settings,
    _resets,
    _windows,
    _continuations,
    _odd_headers,
    _odd_headers,
    _unasked,
    _noise,
)
