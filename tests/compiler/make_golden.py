"""Writes the golden programs (`python -m tests.compiler.make_golden`): only when format or arithmetic change."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import wasmtime

from personal_ai.compiler.compile import compile_graph, compile_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from tests.canister.engine.wasm_engine import WasmEngine, compile_harness
from tests.canister.engine.wasm_graph import WasmGraph
from tests.compiler.decoders import GPT2, LLAMA, write_decoder
from tests.compiler.drawn_graphs import GRAPHS, MAXIMA, given, save
from tests.compiler.unpacking import read_unpacked

FOLDER = Path(__file__).parent / "golden"
TOKENS = (3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4)
CONTEXT_LENGTH = 64
END_TOKENS = (1, 7)
_SMALL: dict[str, Any] = {
    "vocabulary_size": 30,
    "layer_count": 2,
    "intermediate_size": 48,
    "context_length": CONTEXT_LENGTH,
}
_HEADS: dict[str, Any] = {"head_count": 2, "key_value_head_count": 2, "head_size": 8}
DECODERS: dict[str, tuple[Decoder, Quantisation]] = {
    "llama-int8": (replace(LLAMA, **_SMALL, hidden_size=80, head_count=4, head_size=8), "int8"),
    "qwen2-int4": (replace(LLAMA, **_SMALL, hidden_size=80, head_count=4, head_size=8, qkv_bias=True), "int4"),
    "gpt2-f32": (replace(GPT2, **_SMALL, **_HEADS, hidden_size=32), "f32"),
}


GRAPH_NAMES = {"graph-attention": "attention taken apart", "graph-embeddings": "embeddings"}


def _write_graph(harness: wasmtime.Module, folder: Path, name: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    compile_graph(save(folder / "model.onnx", GRAPHS[name]), folder / "program", maxima=MAXIMA)
    result = WasmGraph(harness, folder / "program").run(given(GRAPHS[name]))["y"]
    expected = {"shape": result.shape, "y": [value.hex() for value in result.astype(float).reshape(-1).tolist()]}
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        harness = compile_harness(Path(scratch) / "harness.wasm")
    for name, (decoder, quantisation) in DECODERS.items():
        folder = FOLDER / name
        shutil.rmtree(folder, ignore_errors=True)
        path = write_decoder(folder, decoder, quantisation)
        compile_onnx(path, folder / "program", end_tokens=END_TOKENS, context_length=CONTEXT_LENGTH)
        logits = WasmEngine(harness, read_unpacked(folder / "program")).run(TOKENS)
        expected = {"tokens": TOKENS, "logits": [value.hex() for value in logits.astype(float).tolist()]}
        (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
    for folder_name, graph_name in GRAPH_NAMES.items():
        _write_graph(harness, FOLDER / folder_name, graph_name)


if __name__ == "__main__":
    main()
