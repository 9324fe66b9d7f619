"""Training nets that say what is in a picture."""
