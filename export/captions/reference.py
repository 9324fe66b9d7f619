"""What the net itself, in PyTorch, says of pictures: what the graphs are held to.

Legend: N pictures, H height, W width, C channels, P places, T tokens, V words of the vocabulary.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from export.captions import signature
from export.captions.describer import said
from export.captions.graphs import EncodeGraph
from export.captions.said import Said
from export.writing import rule
from export.writing.signature import LOG_PROBABILITY, NEXT_TOKEN
from export.writing.written import Controls, Floats
from hondo.artifact import ENCODE, STEP, Tensors
from protos.manifest_pb2 import Captioning
from training.captions import saying
from training.models.captioner import Seen

# Pictures that are looked at together.
_BATCH: Final = 16


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What the net thinks at each of some tokens that are given."""

    # Of each token that might come there.
    log_probability_NTV: Floats
    attention_NTP: Floats
    # Before the last of the tokens.
    state: Tensors


class Reference:
    """A trained net, asked as the graphs are.

    Args:
        graph: the net.
        task: its tokens.
    """

    def __init__(self, graph: EncodeGraph, task: Captioning) -> None:
        self._graph = graph
        self.net = graph.net
        self.task = task
        self._names = [each.name for each in signature.gives(ENCODE, graph.net, task)]

    @torch.inference_mode()
    def look(self, image_NHWC: NDArray[np.uint8]) -> Tensors:
        """Gives what "encode" is to give."""
        parts = [self._graph(images) for images in torch.split(torch.from_numpy(image_NHWC), _BATCH)]
        joined = (torch.cat(of_all) for of_all in zip(*parts, strict=True))
        return {name: part.numpy() for name, part in zip(self._names, joined, strict=True)}

    @torch.inference_mode()
    def greedy(self, image_NHWC: NDArray[np.uint8], most: int) -> NDArray[np.int64]:
        """Gives captions_NT of pictures: what the training itself would have it say, END from each one's end on."""
        parts = [
            self._graph.sight(self._graph.front(part)) for part in torch.split(torch.from_numpy(image_NHWC), _BATCH)
        ]
        maps_NPC = torch.cat(parts)
        captions_NT: NDArray[np.int64] = saying.greedy(self.net, maps_NPC, most).numpy()
        return captions_NT

    @torch.inference_mode()
    def follow(self, seen: Tensors, token_N: NDArray[np.int64], said_NT: NDArray[np.int64]) -> Followed:
        """Gives what the net thinks before each of the tokens said_NT, which come after token_N."""
        known, everything, attention = dict(seen), [], []
        for heard_N in np.concatenate([token_N[:, None], said_NT[:, :-1]], axis=1).T:
            log_probability_NV, attention_NP, state = self._after(known, heard_N)
            everything.append(log_probability_NV)
            attention.append(attention_NP)
            known |= state
        return Followed(np.stack(everything, 1), np.stack(attention, 1), state)

    @torch.inference_mode()
    def say(self, seen: Tensors, token_N: NDArray[np.int64], how: Controls) -> Said:
        """Gives what "step" is to give, over several runs."""
        known, runs, heard_N = dict(seen), [], token_N
        for uniform_N in how.uniform_NT.T:
            log_probability_NV, attention_NP, state = self._after(known, heard_N)
            heard_N = self._chosen(log_probability_NV, uniform_N, how)
            runs.append(self._outputs(log_probability_NV, heard_N, attention_NP))
            known |= state
        return said(runs, state)

    def _after(self, known: Tensors, heard_N: NDArray[np.int64]) -> tuple[Floats, Floats, Tensors]:
        """Gives the log-probabilities f32[N,V] of what comes next, attention f32[N,P], and the state after a token."""
        states = signature.states(self.net)
        parts = {name: torch.from_numpy(np.asarray(part, np.float32)) for name, part in known.items()}
        none_N00 = torch.zeros(len(heard_N), 0, 0)
        seen = Seen(parts.get(signature.FEATURES, none_N00), parts.get(signature.KEYS, none_N00), ())
        deep_NE, after, attention_N1P = self.net.say(
            torch.from_numpy(heard_N.copy()), seen, tuple(parts[name] for name in states)
        )
        logits_NV = self.net.output(deep_NE)
        logits_NV[:, [self.task.start, self.task.unknown]] = -torch.inf
        everything_NV = torch.log_softmax(logits_NV, 1).numpy()
        return (
            everything_NV,
            attention_N1P[:, 0].numpy(),
            {name: part.numpy() for name, part in zip(states, after, strict=True)},
        )

    def _chosen(self, log_probability_NV: Floats, uniform_N: NDArray[np.float32], how: Controls) -> NDArray[np.int64]:
        how = among(how, signature.choices(self.net))
        chosen = [
            rule.choose(log_probability_V, float(uniform_N[row]), *how.of(row))
            for row, log_probability_V in enumerate(log_probability_NV)
        ]
        return np.array(chosen, np.int64)

    def _outputs(self, log_probability_NV: Floats, token_N: NDArray[np.int64], attention_NP: Floats) -> Tensors:
        """Gives the outputs of "step" but for the state."""
        count = signature.candidates(self.net)
        candidate_NB = np.argsort(-log_probability_NV, axis=1, kind="stable")[:, :count]
        outputs: Tensors = {
            NEXT_TOKEN: token_N[:, None],
            LOG_PROBABILITY: np.take_along_axis(log_probability_NV, token_N[:, None], axis=1),
            signature.CANDIDATE: candidate_NB,
            signature.CANDIDATE_LOG_PROBABILITY: np.take_along_axis(log_probability_NV, candidate_NB, axis=1),
        }
        named = {each.name for each in signature.gives(STEP, self.net, self.task)}
        return outputs | ({signature.ATTENTION: attention_NP} if signature.ATTENTION in named else {})


def among(how: Controls, choices: int) -> Controls:
    """Gives settings that say themselves that a choice is among so many at most."""
    top_k_N = np.where(how.top_k_N > 0, np.minimum(how.top_k_N, choices), choices)
    return Controls(temperature_N=how.temperature_N, top_k_N=top_k_N, top_p_N=how.top_p_N, uniform_NT=how.uniform_NT)
