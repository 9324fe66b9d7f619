"""The bridge from training to serving: converts a trained net to ONNX, proves the file, and publishes the artifact."""

import os

# As in serving: no reports to ONNX Runtime's makers, from the import of it on. It may be imported here first.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
