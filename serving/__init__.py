"""The server: sessions on ONNX Runtime, the catalog of models, and the gRPC services in front of them."""

import os

# ONNX Runtime 1.31 reports its use to its makers, from import on, unless told otherwise: a server of ours does so only
# where whoever runs it sets this to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
