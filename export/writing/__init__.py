"""The export of nets that write: the graphs "prefill" and "step", their proof, and their artifact."""
