"""The bridge from training to serving: converts a trained net to ONNX, proves the file, and publishes the artifact."""
