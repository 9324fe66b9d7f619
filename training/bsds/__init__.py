"""The boundary benchmark of BSDS500: how well a map of edges matches what people drew."""
