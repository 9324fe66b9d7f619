"""Which numbers a training computes with, in Lightning's words."""

from typing import Literal

import torch

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


def choose(wanted: Precision | Literal["auto"], accelerator: str) -> Precision:
    """Gives the precision wanted; for "auto" bfloat16 where the device computes with it, else 32 bits.

    Args:
        wanted: the recipe's.
        accelerator: Lightning's word for the device: "auto" is a GPU where there is one.
    """
    if wanted != "auto":
        return wanted
    if accelerator != "cpu" and torch.cuda.is_available():
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
    return "bf16-mixed" if torch.cpu.get_capabilities().get("avx512_bf16") else "32-true"
