"""The export of nets that make captions: the graphs "encode" and "step", their proof, and their artifact."""
