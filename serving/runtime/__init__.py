"""What runs a graph: sessions of ONNX Runtime on their devices, the plans of their runs, and the tensors they take."""
