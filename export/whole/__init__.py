"""Graphs that take pictures as they are, of any size: edge detectors and filters."""
