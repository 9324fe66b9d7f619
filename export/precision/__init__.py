"""Graphs that compute with smaller numbers than 32-bit floats: how they are made, scored and timed."""
