"""Faults: what must hold when a part fails, each tried on the real part."""
