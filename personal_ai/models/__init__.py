"""A model on this computer: import, ONNX building, quantisation, tokenizer, template, library, local answers."""
