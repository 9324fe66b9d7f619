"""The parity gate of nets that make captions: the graphs must see and say what PyTorch does, in any company.

Legend: N pictures, H height, W width, C channels, T tokens, V words of the vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from export import signature as signatures
from export.captions import signature
from export.captions.describer import Describer
from export.captions.reference import Followed, Reference, among
from export.captions.said import Said
from export.writing.gate import check_rule, check_same, off, off_state
from export.writing.reference import AUTHOR
from export.writing.written import Controls
from hondo.artifact import ENCODE, STEP, Tensors
from hondo.errors import ParityError
from protos.manifest_pb2 import Captioning
from training.models.captioner import Captioner

BATCH_SIZES: Final = (1, 3, 16)
# Largest allowed difference of two logarithms of probabilities, of two shares of attention, and of two numbers that are
# seen or remembered; where the latter are beyond 1, that share of them.
TOLERANCE: Final = 1e-4
_SEED: Final = 0
Images = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What the gate found."""

    # How many pictures' captions are the same.
    captions: int
    # The largest difference of what is seen, and of the logarithms of two probabilities, by batch size.
    looking: dict[int, float]
    saying: dict[int, float]
    # Whether rows that are alone and rows in company agree to the last bit, and not only in what they say.
    same_bits: bool


def prove(
    describer: Describer,
    reference: Reference,
    image_NHWC: Images,
    tolerance: float = TOLERANCE,
) -> Proof:
    """Proves the graphs.

    Args:
        describer: the files, as the server runs them.
        reference: what they must agree with.
        image_NHWC: pictures that the training never saw.
        tolerance: how well they must agree.

    Raises:
        ParityError: they do not see or say what the net does, or what a row says depends on the others.
    """
    check_signature(describer, reference.net, reference.task)
    trial = Trial.of(describer, reference, image_NHWC, tolerance)
    found = {size: trial.check_pictures(size) for size in BATCH_SIZES}
    return Proof(
        captions=len(image_NHWC),
        looking={size: seen for size, (seen, _) in found.items()},
        saying={size: max(said, trial.check_chance(size)) for size, (_, said) in found.items()},
        same_bits=trial.check_company(),
    )


def check_signature(describer: Describer, net: Captioner, task: Captioning) -> None:
    """Checks that the graphs' inputs and outputs are those that the server relies on.

    Raises:
        ParityError: they are not those that `export.captions.signature` gives for the net.
    """
    for role, session in ((ENCODE, describer.encode), (STEP, describer.step)):
        expected = signature.takes(role, net, task), signature.gives(role, net, task)
        for does, found, meant in zip(("take", "give"), (session.inputs, session.outputs), expected, strict=True):
            if found != meant:
                has, should = (", ".join(map(signatures.text, each)) for each in (found, meant))
                raise ParityError(f"graph {role!r} must {does} {should}, but {does}s {has}")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Trial:
    """The graphs, what they must agree with on some pictures, and how well."""

    describer: Describer
    reference: Reference
    image_NHWC: Images
    # What PyTorch knows of each picture before the first word, and the captions that it makes of them.
    expected: Tensors
    captions_NT: NDArray[np.int64]
    tolerance: float

    @classmethod
    def of(
        cls, describer: Describer, reference: Reference, image_NHWC: Images, tolerance: float = TOLERANCE
    ) -> "Trial":
        """Gives the trial on some pictures."""
        return cls(
            describer=describer,
            reference=reference,
            image_NHWC=image_NHWC,
            expected=reference.look(image_NHWC),
            captions_NT=reference.greedy(image_NHWC, reference.task.max_words),
            tolerance=tolerance,
        )

    def check_pictures(self, size: int) -> tuple[float, float]:
        """Checks what is seen in all pictures, and their captions, the most probable word each time.

        Returns:
            The largest difference of what is seen, and of the logarithms of probabilities.
        """
        seen = said = 0.0
        for place_N in self._batches(size):
            where = f"batch of {size}, pictures from {place_N[0]} on"
            looked = self.describer.look(self.image_NHWC[place_N])
            seen = max(seen, self._compare_parts(looked, self._rows(place_N), f"graph 'encode', {where}"))
            told = self.describer.say(looked, self._start(size), greedy(size, self.reference.task.max_words))
            expected_NT = self.captions_NT[place_N]
            found_NT = ended(told.tokens_NT, self.reference.task.end)[:, : expected_NT.shape[1]]
            check_same(found_NT, expected_NT, f"graph 'step', {where}")
            said = max(said, self._compare(told, self._followed(place_N, told), f"graph 'step', {where}"))
        return seen, said

    def check_chance(self, size: int) -> float:
        """Checks captions by chance, drawn in many ways; gives the largest difference."""
        place_N = next(self._batches(size))
        where, how = f"graph 'step', batch of {size}, by chance", controls(size, self.reference.task.max_words)
        told = self.describer.say(self.describer.look(self.image_NHWC[place_N]), self._start(size), how)
        followed, known = self._followed(place_N, told), among(how, signature.choices(self.reference.net))
        check_rule(followed.log_probability_NTV, told.tokens_NT, known, where)
        return self._compare(told, followed, where)

    def check_company(self) -> bool:
        """Checks that what a row says depends neither on the others of a batch nor on its place there.

        Returns:
            Whether states and probabilities are the same to the last bit.
        """
        largest = max(BATCH_SIZES)
        seen = self.describer.look(self.image_NHWC[next(self._batches(largest))])
        how = controls(largest, self.reference.task.max_words)
        together = self.describer.say(seen, self._start(largest), how)
        same_bits = True
        for size in (1, 2, 7):
            for start in range(0, largest - size + 1, size):
                rows = slice(start, start + size)
                own = {name: np.ascontiguousarray(part[rows]) for name, part in seen.items()}
                apart = self.describer.say(own, self._start(size), how.rows(rows))
                where = f"graph 'step', row {start} of {largest} against a batch of {size}"
                check_same(apart.tokens_NT, together.tokens_NT[rows], where)
                same_bits &= _same_bits(apart, together, rows)
        return same_bits

    def _batches(self, size: int) -> Iterator[NDArray[np.int64]]:
        """Goes through the pictures' numbers, so many at a time; the last batch is filled up with the first ones."""
        for start in range(0, len(self.image_NHWC), size):
            yield np.arange(start, start + size) % len(self.image_NHWC)

    def _start(self, rows: int) -> NDArray[np.int64]:
        return np.full(rows, self.reference.task.start, np.int64)

    def _rows(self, place_N: NDArray[np.int64]) -> Tensors:
        return {name: part[place_N] for name, part in self.expected.items()}

    def _followed(self, place_N: NDArray[np.int64], told: Said) -> Followed:
        return self.reference.follow(self._rows(place_N), self._start(len(place_N)), told.tokens_NT)

    def _compare(self, said: Said, followed: Followed, where: str) -> float:
        """Gives the largest difference of logarithms; shares of attention and the state are held to the same."""
        everything_NTV = followed.log_probability_NTV
        best_NTV = -np.sort(-everything_NTV, axis=2)[:, :, : said.candidate_NTB.shape[2]]
        pairs = [
            (said.log_probability_NT, np.take_along_axis(everything_NTV, said.tokens_NT[:, :, None], axis=2)[:, :, 0]),
            (said.candidate_log_probability_NTB, np.take_along_axis(everything_NTV, said.candidate_NTB, axis=2)),
            (said.candidate_log_probability_NTB, best_NTV),
            (said.attention_NTP, followed.attention_NTP),
        ]
        worst = max(float(off(found, expected).max(initial=0)) for found, expected in pairs)
        if not worst <= self.tolerance:
            raise ParityError(
                f"{where}: logarithms of probabilities, or shares of attention, differ by up to {worst:.2g} from "
                f"{AUTHOR}'s, at most {self.tolerance:g} is allowed"
            )
        self._compare_parts(said.state, followed.state, where)
        return worst

    def _compare_parts(self, found: Tensors, expected: Tensors, where: str) -> float:
        worst = {
            name: off_state(found[name].astype(np.float64), part.astype(np.float64)) for name, part in expected.items()
        }
        name = max(worst, key=lambda each: worst[each])
        if not worst[name] <= self.tolerance:
            raise ParityError(
                f"{where}: {name!r} differs by up to {worst[name]:.2g} from {AUTHOR}'s, at most {self.tolerance:g} is "
                "allowed"
            )
        return worst[name]


def greedy(rows: int, tokens: int) -> Controls:
    """Gives settings by which the most probable token comes each time."""
    return Controls(
        temperature_N=np.zeros(rows, np.float32),
        top_k_N=np.zeros(rows, np.int64),
        top_p_N=np.ones(rows, np.float32),
        uniform_NT=np.zeros((rows, tokens), np.float32),
    )


def controls(rows: int, tokens: int) -> Controls:
    """Gives settings that differ from row to row; a row has the same ones in a batch of any size."""
    row_N = np.arange(rows)
    return Controls(
        temperature_N=np.array([1, 0, 0.5, 1.3], np.float32)[row_N % 4],
        top_k_N=np.array([0, 0, 5, 20, 1])[row_N % 5],
        top_p_N=np.array([1, 0.9, 0.5], np.float32)[row_N % 3],
        uniform_NT=np.stack([np.random.default_rng((_SEED, int(row))).random(tokens, np.float32) for row in row_N]),
    )


def ended(tokens_NT: NDArray[np.int64], end: int) -> NDArray[np.int64]:
    """Gives captions with nothing but `end` from each one's end on."""
    is_over_NT = np.maximum.accumulate(tokens_NT == end, axis=1)
    return np.where(is_over_NT, end, tokens_NT)


def _same_bits(apart: Said, together: Said, rows: slice) -> bool:
    pairs = [
        (apart.log_probability_NT, together.log_probability_NT[rows]),
        (apart.candidate_log_probability_NTB, together.candidate_log_probability_NTB[rows]),
        (apart.attention_NTP, together.attention_NTP[rows]),
        *((part, together.state[name][rows]) for name, part in apart.state.items()),
    ]
    return all(np.array_equal(mine, theirs) for mine, theirs in pairs)
