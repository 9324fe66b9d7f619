"""The server: sessions on ONNX Runtime, the catalog of models, and the gRPC services in front of them."""
