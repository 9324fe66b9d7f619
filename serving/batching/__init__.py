"""Requests that share runs: the queue, and the batcher that empties it."""
