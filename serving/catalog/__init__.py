"""The models: found in their folder, loaded and proved, replaced while they are served."""
