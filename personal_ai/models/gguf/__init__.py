"""GGUF, the file format of llama.cpp: read, never run. The `gguf` package of its makers serves the tests as an oracle:
its reader knows no bounds, and keeps an object for each of a vocabulary's tokens.
"""
