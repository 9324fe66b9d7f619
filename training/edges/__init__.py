"""Edge detectors: how they learn from what people drew."""
