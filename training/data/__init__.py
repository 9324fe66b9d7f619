"""Data sets, one a file, and the batches that training takes from them."""
