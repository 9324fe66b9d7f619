"""What a net writes, a token after another, each chosen by chance from what it holds for possible.

Legend: N batch, T tokens, V tokens of the vocabulary.
"""

import torch
from torch import Tensor

from training.models.recurrent import Recurrent


@torch.no_grad()
def write(net: Recurrent, prompt_T: Tensor, count: int, temperature: float, generator: torch.Generator) -> list[int]:
    """Gives the tokens that a net writes after a prompt.

    Args:
        net: in evaluation mode.
        prompt_T: i64, at least one token.
        count: how many tokens to write.
        temperature: what the logits are divided by; 0 for the most probable token each time.
        generator: on the CPU, whatever the net's device, so that the same seed writes the same everywhere.
    """
    written: list[int] = []
    tokens_NT, state = prompt_T.unsqueeze(0), None
    for _ in range(count):
        logits_NTV, state = net(tokens_NT, state)
        logits_V = logits_NTV[0, -1].float().cpu()
        if temperature:
            token = torch.multinomial(torch.softmax(logits_V / temperature, dim=0), 1, generator=generator)
        else:
            token = logits_V.argmax(0, keepdim=True)
        written.append(int(token))
        tokens_NT = token.to(prompt_T.device).unsqueeze(0)
    return written
