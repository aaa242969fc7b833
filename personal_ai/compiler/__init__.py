"""ONNX package to canister program."""
