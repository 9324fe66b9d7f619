"""The Open Inference Protocol, and Triton's extensions of it."""
