"""A model that makes captions, without torch: what it says is a hash of all that it has seen and said.

So no mix-up of rows, states or pictures stays hidden.

The hash before the first word is the sum of all pixels, mod 1009. At each word it looks at one place of 2 x 3, number
(hash mod 6), and becomes (31 hash + token + 1 + light of that place) mod 1009. Token v has the log-probability
-((3 hash + 5 v) mod 97 + 1) / 8 then; no two have the same. By chance, number u takes the candidate floor(8 u) + top_k
(mod 8). All of that is exact in 32-bit floats, so `Twin` says to the last bit what is to come.

Legend: N batch, H height, W width, C channels, P places, V words, B candidates.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from PIL import Image

from hondo.artifact import GOLDEN, describe
from protos.manifest_pb2 import Captioning, Graph, ImageInput, Manifest
from serving.decode.chance import Chance
from serving.decode.graphs import Graphs
from serving.runtime.session import Session
from tests.serving import graphs
from tests.serving.artifacts import write_golden, write_manifest

VOCABULARY: Final = ("<end>", "<start>", "<unknown>", *(f"w{number}" for number in range(3, 32)))
END, START, UNKNOWN = 0, 1, 2
MOST: Final = 12
CANDIDATES: Final = 8
HEIGHT, WIDTH = 4, 6
_GRID: Final = (2, 3)
_PLACES: Final = 6
_PRIME: Final = 1009

Picture = NDArray[np.uint8]


def picture(seed: int) -> Picture:
    """Gives u8[H,W,C]."""
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


def png(image_HWC: Picture) -> bytes:
    """Gives a picture as a file."""
    file = io.BytesIO()
    Image.fromarray(image_HWC).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Twin:
    """The same model in plain integers, after some words."""

    hash: int
    light: tuple[int, ...]

    @classmethod
    def of(cls, image_HWC: Picture) -> "Twin":
        """Gives what it knows before the first word."""
        places = image_HWC.astype(int).reshape(2, 2, 3, 2, 3).sum(axis=(1, 3, 4)).ravel()
        return cls(int(image_HWC.astype(int).sum()) % _PRIME, tuple(places.tolist()))

    @property
    def place(self) -> int:
        """Where it looks next."""
        return self.hash % _PLACES

    def see(self, token: int) -> "Twin":
        """Hears a word, and looks at its place."""
        return Twin((31 * self.hash + token + 1 + self.light[self.place]) % _PRIME, self.light)

    def log_probability(self, token: int) -> float:
        """Gives that of the token that comes next."""
        return -((3 * self.hash + 5 * token) % 97 + 1) / 8

    @property
    def candidates(self) -> list[int]:
        """The most probable tokens, the most probable first."""
        said = [token for token in range(len(VOCABULARY)) if token not in {START, UNKNOWN}]
        return sorted(said, key=lambda token: -self.log_probability(token))[:CANDIDATES]


@dataclass(frozen=True)
class Told:
    """A caption: its tokens, END among them where it came to one."""

    tokens: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()
    places: tuple[int, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether it came to its end."""
        return bool(self.tokens) and self.tokens[-1] == END

    @property
    def text(self) -> str:
        """Its words."""
        return " ".join(VOCABULARY[token] for token in self.tokens if token != END)

    def score(self, length_penalty: float) -> float:
        """Gives by what it is compared with others."""
        return sum(self.log_probabilities) / float(len(self.tokens) ** length_penalty)

    def longer(self, twin: Twin, heard: int, token: int) -> "Told":
        """Gives it with one more token, which comes after `heard`."""
        after = twin.see(heard)
        return Told(
            (*self.tokens, token), (*self.log_probabilities, after.log_probability(token)), (*self.places, twin.place)
        )


def told(
    image_HWC: Picture, most: int = MOST, *, seed: int = 0, row: int = 0, temperature: float = 0, top_k: int = 0
) -> Told:
    """Gives the caption that one row makes."""
    twin, heard, caption = Twin.of(image_HWC), START, Told()
    for uniform in Chance(seed, row).draw(most).tolist():
        place = (int(CANDIDATES * uniform) + top_k) % CANDIDATES if temperature else 0
        caption = caption.longer(twin, heard, twin.see(heard).candidates[place])
        twin, heard = twin.see(heard), caption.tokens[-1]
        if caption.is_over:
            break
    return caption


def beam(image_HWC: Picture, width: int, most: int = MOST, length_penalty: float = 0) -> list[Told]:
    """Gives what a beam finds, the best first, one step and one text after another."""
    texts = [(Told(), Twin.of(image_HWC), START)]
    for _ in range(most):
        further = []
        for text, twin, heard in texts:
            if text.is_over:
                further.append((text, twin, heard))
                continue
            after = twin.see(heard)
            further += [
                (text.longer(twin, heard, token), after, token)
                for token in range(len(VOCABULARY))
                if token not in {START, UNKNOWN}
            ]
        texts = sorted(further, key=lambda each: -sum(each[0].log_probabilities))[:width]
        if all(text.is_over for text, _, _ in texts):
            break
    return sorted((text for text, _, _ in texts), key=lambda text: -text.score(length_penalty))


def _number(value: float) -> NDArray[np.float32]:
    return np.array(value, np.float32)


def encode(path: Path) -> Path:
    """Writes graph "encode"."""
    nodes = [
        helper.make_node("Cast", ["image"], ["image_f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["image_f", "axes"], ["sum"], keepdims=0),
        helper.make_node("Unsqueeze", ["sum", "column"], ["sum_N1"]),
        helper.make_node("Mod", ["sum_N1", "prime"], ["state_hash"], fmod=1),
        helper.make_node("Reshape", ["image_f", "blocks"], ["in_blocks"]),
        helper.make_node("ReduceSum", ["in_blocks", "in_block"], ["light"], keepdims=0),
        helper.make_node("Reshape", ["light", "places"], ["features"]),
        helper.make_node("Neg", ["features"], ["keys"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "axes": np.array([1, 2, 3]),
        "column": np.array([1]),
        "prime": _number(_PRIME),
        "blocks": np.array([-1, 2, 2, 3, 2, 3]),
        "in_block": np.array([2, 4, 5]),
        "places": np.array([-1, _PLACES, 1]),
    }
    outputs = [
        graphs.tensor("features", "FP32", ["N", _PLACES, 1]),
        graphs.tensor("keys", "FP32", ["N", _PLACES, 1]),
        graphs.tensor("state_hash", "FP32", ["N", 1]),
    ]
    return graphs.save(path, nodes, [graphs.tensor("image", "UINT8", ["N", HEIGHT, WIDTH, 3])], outputs, **constants)


def _look() -> list[onnx.NodeProto]:
    """Gives nodes that make of the hash where to look, and the hash after `token`."""
    return [
        helper.make_node("Mod", ["state_hash", "six"], ["place"], fmod=1),
        helper.make_node("Equal", ["place", "numbers"], ["is_there"]),
        helper.make_node("Cast", ["is_there"], ["attention"], to=onnx.TensorProto.FLOAT),
        # Keys are the features' negatives: half of the difference is the light, where both are those of the picture.
        helper.make_node("Sub", ["features", "keys"], ["twice_NP1"]),
        helper.make_node("Squeeze", ["twice_NP1", "last"], ["twice"]),
        helper.make_node("Mul", ["twice", "attention"], ["there"]),
        helper.make_node("ReduceSum", ["there", "column"], ["seen_twice"], keepdims=1),
        helper.make_node("Mul", ["seen_twice", "half"], ["seen"]),
        helper.make_node("Cast", ["token"], ["token_f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["token_f", "column"], ["token_N1"]),
        helper.make_node("Mul", ["state_hash", "c31"], ["times"]),
        helper.make_node("Sum", ["times", "token_N1", "one", "seen"], ["sum"]),
        helper.make_node("Mod", ["sum", "prime"], ["next_state_hash"], fmod=1),
    ]


def _say() -> list[onnx.NodeProto]:
    """Gives nodes that make candidates of the hash, and take one."""
    return [
        helper.make_node("Mul", ["next_state_hash", "c3"], ["thrice"]),
        helper.make_node("Add", ["thrice", "fives"], ["added"]),
        helper.make_node("Mod", ["added", "c97"], ["left"], fmod=1),
        helper.make_node("Add", ["left", "one"], ["more"]),
        helper.make_node("Div", ["more", "minus8"], ["scores"]),
        helper.make_node("Add", ["scores", "unsaid"], ["known"]),
        helper.make_node("TopK", ["known", "count"], ["candidate_log_probability", "candidate"], axis=1),
        helper.make_node("Unsqueeze", ["temperature", "column"], ["temperature_N1"]),
        helper.make_node("Sign", ["temperature_N1"], ["is_random"]),
        helper.make_node("Mul", ["uniform", "eight"], ["wide"]),
        helper.make_node("Floor", ["wide"], ["drawn"]),
        helper.make_node("Add", ["top_k", "nothing"], ["top_k_i"]),
        helper.make_node("Cast", ["top_k_i"], ["top_k_f"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["top_p", "zero"], ["top_p_nothing"]),
        helper.make_node("Add", ["top_k_f", "top_p_nothing"], ["shift_N"]),
        helper.make_node("Unsqueeze", ["shift_N", "column"], ["shift"]),
        helper.make_node("Add", ["drawn", "shift"], ["shifted"]),
        helper.make_node("Mod", ["shifted", "eight"], ["within"], fmod=1),
        helper.make_node("Mul", ["within", "is_random"], ["taken_f"]),
        helper.make_node("Cast", ["taken_f"], ["taken"], to=onnx.TensorProto.INT64),
        helper.make_node("GatherElements", ["candidate", "taken"], ["next_token"], axis=1),
        helper.make_node("GatherElements", ["candidate_log_probability", "taken"], ["log_probability"], axis=1),
    ]


def _constants() -> dict[str, NDArray[Any]]:
    numbers = {"c31": 31, "one": 1, "c3": 3, "c97": 97, "minus8": -8, "prime": _PRIME, "six": 6, "eight": 8}
    unsaid_1V = np.zeros((1, len(VOCABULARY)), np.float32)
    unsaid_1V[0, [START, UNKNOWN]] = -1000
    return {
        **{name: _number(number) for name, number in numbers.items()},
        "zero": _number(0),
        "half": _number(0.5),
        "numbers": np.arange(_PLACES, dtype=np.float32)[np.newaxis],
        "fives": 5 * np.arange(len(VOCABULARY), dtype=np.float32)[np.newaxis],
        "unsaid": unsaid_1V,
        "count": np.array([CANDIDATES]),
        "column": np.array([1]),
        "last": np.array([2]),
        "nothing": np.array(0),
    }


def step(path: Path) -> Path:
    """Writes graph "step"."""
    inputs = [
        graphs.tensor("token", "INT64", ["N"]),
        graphs.tensor("features", "FP32", ["N", _PLACES, 1]),
        graphs.tensor("keys", "FP32", ["N", _PLACES, 1]),
        graphs.tensor("state_hash", "FP32", ["N", 1]),
        graphs.tensor("temperature", "FP32", ["N"]),
        graphs.tensor("top_k", "INT64", ["N"]),
        graphs.tensor("top_p", "FP32", ["N"]),
        graphs.tensor("uniform", "FP32", ["N", 1]),
    ]
    outputs = [
        graphs.tensor("next_token", "INT64", ["N", 1]),
        graphs.tensor("log_probability", "FP32", ["N", 1]),
        graphs.tensor("candidate", "INT64", ["N", CANDIDATES]),
        graphs.tensor("candidate_log_probability", "FP32", ["N", CANDIDATES]),
        graphs.tensor("attention", "FP32", ["N", _PLACES]),
        graphs.tensor("next_state_hash", "FP32", ["N", 1]),
    ]
    return graphs.save(path, [*_look(), *_say()], inputs, outputs, **_constants())


def open_sessions(folder: Path) -> dict[str, Session]:
    """Gives both graphs, written below a folder."""
    paths = {"encode": encode(folder / "encode.onnx"), "step": step(folder / "step.onnx")}
    return {role: Session.open(path, threads=1) for role, path in paths.items()}


def open_graphs(folder: Path) -> Graphs:
    """Gives them as the decode loop takes them."""
    return Graphs.of_captioner(open_sessions(folder))


def golden_inputs(sessions: Mapping[str, Session]) -> dict[str, dict[str, NDArray[Any]]]:
    """Gives each graph's golden inputs."""
    image_NHWC = np.stack([picture(number) for number in range(3)])
    seen = sessions["encode"].run({"image": image_NHWC})
    feeds = {
        "token": np.array([START, 5, 9]),
        **seen,
        "temperature": np.array([1, 0, 1], np.float32),
        "top_k": np.array([0, 0, 2]),
        "top_p": np.ones(3, np.float32),
        "uniform": np.array([[0.1], [0.5], [0.9]], np.float32),
    }
    return {"encode": {"image": image_NHWC}, "step": feeds}


def _golden(sessions: Mapping[str, Session]) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {}
    for role, given in golden_inputs(sessions).items():
        arrays |= {f"{role}/in/{name}": array for name, array in given.items()}
        arrays |= {f"{role}/out/{name}": array for name, array in sessions[role].run(given).items()}
    return arrays


def task() -> Captioning:
    """Gives what the manifest says."""
    image = ImageInput(height=HEIGHT, width=WIDTH, channels=3, resize=ImageInput.STRETCH, filter=ImageInput.NEAREST)
    return Captioning(
        image=image,
        vocabulary=VOCABULARY,
        end=END,
        start=START,
        unknown=UNKNOWN,
        max_words=MOST,
        grid_height=_GRID[0],
        grid_width=_GRID[1],
    )


def write_captioner(models: Path, name: str = "teller", version: int = 1) -> Path:
    """Writes the artifact below the folder `models`; gives its folder."""
    folder = models / name / str(version)
    sessions = open_sessions(folder)
    write_golden(folder, _golden(sessions))
    manifest = Manifest(
        name=name,
        version=version,
        summary="Tells of a hash of what it has seen.",
        graphs=[Graph(role=role, file=describe(folder / f"{role}.onnx")) for role in sessions],
        golden=describe(folder / GOLDEN),
        captioning=task(),
    )
    write_manifest(folder, manifest)
    return folder
