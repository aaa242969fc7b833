"""Decoders that others exported to ONNX. Their graphs are never run: the weights are found in them and taken out."""
