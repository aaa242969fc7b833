"""The peer of tests.benchmarks.local: a model file for llama.cpp, and a process that times it.

Needs the packages gguf and llama-cpp-python, which is compiled at installation; neither is needed for anything else.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from personal_ai.models.decoder import Decoder, Weight, weights
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.sources import WeightSource

_NAMES = {
    "attention.norm": "attn_norm",
    "attention.q": "attn_q",
    "attention.k": "attn_k",
    "attention.v": "attn_v",
    "attention.o": "attn_output",
    "mlp.norm": "ffn_norm",
    "mlp.gate": "ffn_gate",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}


def write_gguf(path: Path, decoder: Decoder, source: WeightSource, quantisation: Quantisation) -> None:
    """The same weights in llama.cpp's blocks of 32: Q8_0 and Q4_0, each where ours has 8 and 4 bits.

    The order within heads, which differs for Llama, is not changed: it costs no time, and nobody reads the answers.
    """
    import gguf

    architecture = "qwen2" if decoder.qkv_bias else "llama"
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(decoder.context_length)
    writer.add_embedding_length(decoder.hidden_size)
    writer.add_block_count(decoder.layer_count)
    writer.add_feed_forward_length(decoder.intermediate_size)
    writer.add_head_count(decoder.head_count)
    writer.add_head_count_kv(decoder.key_value_head_count)
    writer.add_layer_norm_rms_eps(decoder.norm_epsilon)
    writer.add_rope_dimension_count(decoder.head_size)
    writer.add_vocab_size(decoder.vocabulary_size)
    writer.add_tokenizer_model("none")
    for weight in weights(decoder):
        if weight.kind == "vector":
            writer.add_tensor(_name(weight), source.vector(weight))
            continue
        outputs = weight.shape[1] if weight.kind == "matrix" else weight.shape[0]
        four_bits = quantisation == "int4" and weight.name.startswith("layers.") and "layers.0." not in weight.name
        kind = gguf.GGMLQuantizationType.Q4_0 if four_bits else gguf.GGMLQuantizationType.Q8_0
        rows = np.ascontiguousarray(source.columns(weight, 0, outputs).T)
        writer.add_tensor(_name(weight), gguf.quants.quantize(rows, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _name(weight: Weight) -> str:
    place, _, kind = weight.name.rpartition(".")
    if place in ("embed", "final_norm"):
        return {"embed": "token_embd", "final_norm": "output_norm"}[place] + f".{kind}"
    _, layer, part = place.split(".", 2)
    return f"blk.{layer}.{_NAMES[part]}.{kind}"


class LlamaCpp:
    """A model in llama.cpp, in a process of its own."""

    def __init__(self, model: Path, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.llama_cpp", str(model), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # as ours: Linux shares a busy processor out by session
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self, tokens: list[int], count: int) -> list[float]:
        """The seconds from the question to each of `count` greedy tokens."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps({"tokens": tokens, "count": count}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "llama.cpp ended"
        times: list[float] = json.loads(line)
        return times

    def close(self) -> None:
        self._process.communicate()


def _serve(model: str, threads: int) -> None:
    import llama_cpp as api

    api.llama_backend_init()
    loaded = api.llama_model_load_from_file(model.encode(), api.llama_model_default_params())
    assert loaded, "llama.cpp does not take the file"
    parameters = api.llama_context_default_params()
    parameters.n_ctx, parameters.n_batch, parameters.n_ubatch = 1024, 512, 512
    parameters.n_threads = parameters.n_threads_batch = threads
    context = api.llama_init_from_model(loaded, parameters)
    size = api.llama_vocab_n_tokens(api.llama_model_get_vocab(loaded))
    for line in sys.stdin:
        question = json.loads(line)
        api.llama_memory_clear(api.llama_get_memory(context), True)
        print(json.dumps(_times(api, context, size, question)), flush=True)


def _times(api: Any, context: Any, vocabulary_size: int, question: dict[str, Any]) -> list[float]:
    start_s, times, tokens = time.perf_counter(), [], question["tokens"]
    for _ in range(question["count"]):
        given = (api.llama_token * len(tokens))(*tokens)  # the batch only points to it
        assert api.llama_decode(context, api.llama_batch_get_one(given, len(tokens))) == 0
        logits = np.ctypeslib.as_array(
            ctypes.cast(api.llama_get_logits_ith(context, -1), ctypes.POINTER(ctypes.c_float)), (vocabulary_size,)
        )
        tokens = [int(logits.argmax())]
        times.append(time.perf_counter() - start_s)
    return times


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
