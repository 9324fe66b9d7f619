"""The bare loop of graphs "encode" and "step": captions as fast as ONNX Runtime makes them, without a server.

One run after another at as many rows as a batch has captions, until all have come to their end, at the best settings,
in a process of its own. A server is given files: so what bare needs to decode and resize them, before it encodes, on as
many threads as there are cores, is timed too, by itself.

Legend: N batch, H height, W width, C channels.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime

from hondo import images
from hondo.artifact import ENCODE, STEP, Artifact, Tensors
from protos.manifest_pb2 import ImageInput
from serving.bench.crew import Crew
from serving.decode.graphs import NEXT_TOKEN, TOKEN, UNIFORM, next_of
from serving.runtime.cores import available

# How often all pictures are gone through where they make one batch.
_TIMES: Final = 3


@dataclass(frozen=True, slots=True)
class Bare:
    """What one process is to time."""

    encode: Path
    step: Path
    # The pictures, and how many of them make a batch.
    files: Sequence[bytes]
    rows: int
    # What pictures are brought to: `ImageInput`, as bytes.
    image: bytes
    # Of "step", for each row; those of the first golden row.
    controls: Tensors
    start: int
    end: int
    most: int
    threads: int
    spinning: bool
    # How often all pictures are gone through.
    times: int


@dataclass(frozen=True, slots=True)
class Took:
    """How long a batch took, milliseconds."""

    # To decode and resize its pictures; to encode them; to say all words.
    read_ms: float
    encode_ms: float
    say_ms: float

    @property
    def whole_ms(self) -> float:
        """All that ONNX Runtime did."""
        return self.encode_ms + self.say_ms


def time_bare(work: Bare) -> list[Took]:
    """Makes captions of all pictures, batch by batch, several times over."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = work.threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(work.spinning)))
    encode, step = (
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        for path in (work.encode, work.step)
    )
    batches = [work.files[start : start + work.rows] for start in range(0, len(work.files), work.rows)]
    with ThreadPoolExecutor(available()) as readers:
        _caption(work, batches[0], encode, step, readers)  # the first run at a size plans its memory
        return [_caption(work, batch, encode, step, readers) for _ in range(work.times) for batch in batches]


def _caption(
    work: Bare,
    files: Sequence[bytes],
    encode: onnxruntime.InferenceSession,
    step: onnxruntime.InferenceSession,
    readers: Executor,
) -> Took:
    started_s = time.perf_counter()
    spec = ImageInput.FromString(work.image)
    image_NHWC = np.stack(list(readers.map(lambda file: images.read(file, spec), files)))
    read_s = time.perf_counter()
    names = [node.name for node in encode.get_outputs()]
    known = dict(zip(names, encode.run(names, {encode.get_inputs()[0].name: image_NHWC}), strict=True))
    encoded_s = time.perf_counter()
    rows = len(files)
    feeds = {name: np.repeat(value, rows, axis=0) for name, value in work.controls.items()}
    token_N, is_over_N = np.full(rows, work.start, np.int64), np.zeros(rows, np.bool_)
    gives = [node.name for node in step.get_outputs()]
    for _ in range(work.most):
        outputs = dict(zip(gives, step.run(gives, {TOKEN: token_N, **known, **feeds}), strict=True))
        token_N = outputs[NEXT_TOKEN][:, 0]
        known |= {name: outputs[next_of(name)] for name in known if next_of(name) in outputs}
        is_over_N |= token_N == work.end
        if is_over_N.all():
            break
    ended_s = time.perf_counter()
    return Took((read_s - started_s) * 1000, (encoded_s - read_s) * 1000, (ended_s - encoded_s) * 1000)


class Loops:
    """The bare loop over some pictures, one by one and all in a batch, each at its best setting."""

    def __init__(self, crew: Crew, read: Artifact, files: Sequence[bytes]) -> None:
        self._crew = crew
        feeds, _ = read.golden(STEP)
        taken = read.golden(ENCODE)[1]
        task = read.manifest.captioning
        shared = {name for name in feeds if name not in taken and name != TOKEN}
        controls: Tensors = {name: feeds[name][:1] for name in shared}
        # The most probable word each time, as a request has it that says nothing.
        controls |= {"temperature": np.zeros(1, np.float32), UNIFORM: np.zeros((1, 1), np.float32)}
        self._work = {
            rows: self._best(
                Bare(
                    encode=read.graph_path(ENCODE),
                    step=read.graph_path(STEP),
                    files=files,
                    rows=rows,
                    image=task.image.SerializeToString(),
                    controls=controls,
                    start=task.start,
                    end=task.end,
                    most=task.max_words,
                    threads=1,
                    spinning=False,
                    times=times,
                )
            )
            for rows, times in ((1, 1), (len(files), _TIMES))
        }

    def took(self, rows: int) -> list[Took]:
        """Gives how long each batch of so many captions takes."""
        return self._crew.do(time_bare, [self._work[rows]])[0]

    def settings(self) -> str:
        """Says which settings are best."""
        return "; ".join(
            f"{rows} rows: {work.threads} threads{', spinning' if work.spinning else ''}"
            for rows, work in self._work.items()
        )

    def _best(self, work: Bare) -> Bare:
        tried = [
            replace(work, threads=threads, spinning=spinning)
            for threads in sorted({1, available()})
            for spinning in (False, True)
        ]
        return min(tried, key=lambda each: median(self._crew.do(time_bare, [each])[0], lambda took: took.whole_ms))


def median(took: Sequence[Took], of: Callable[[Took], float]) -> float:
    """Gives the median of something that each batch took."""
    return float(np.median([of(each) for each in took]))


def typical(took: Sequence[Took]) -> Took:
    """Gives the median batch, part by part."""
    return Took(
        median(took, lambda each: each.read_ms),
        median(took, lambda each: each.encode_ms),
        median(took, lambda each: each.say_ms),
    )
