"""Classifiers that others trained, made artifacts by the same gate."""
