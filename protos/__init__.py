"""What crosses a boundary: the wire and the manifest, as .proto files and the code generated from them."""
