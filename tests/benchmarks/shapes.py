"""Decoders of well-known shapes, and weights for them that cost nothing."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from personal_ai.models.decoder import Decoder, Rope, Weight, Windows

CONTEXT_LENGTH = 512

Floats = npt.NDArray[np.float32]


def _shape(
    vocabulary: int, hidden: int, layers: int, heads: tuple[int, int, int], inner: int, **changes: Any
) -> Decoder:
    """A Llama-like decoder; heads: of queries, of keys, size of each."""
    decoder = Decoder(
        architecture="benchmark",
        vocabulary_size=vocabulary,
        hidden_size=hidden,
        layer_count=layers,
        head_count=heads[0],
        key_value_head_count=heads[1],
        head_size=heads[2],
        intermediate_size=inner,
        context_length=CONTEXT_LENGTH,
        norm_epsilon=1e-5,
        activation="silu",
        rope=Rope(10_000.0),
        tied_embedding=True,
        qkv_bias=False,
        output_bias=False,
        mlp_bias=False,
        qk_norm=False,
    )
    return replace(decoder, **changes)


_GPT2 = {"activation": "gelu_tanh", "rope": None, "qkv_bias": True, "output_bias": True, "mlp_bias": True}
_GEMMA3 = {
    "activation": "gelu_tanh",
    "qk_norm": True,
    "post_norms": True,
    "embedding_scale": 640**0.5,
    "windows": Windows(512, tuple(layer for layer in range(18) if layer % 6 != 5), Rope(10_000.0)),
}
SHAPES: Final = {
    "gpt2": _shape(50257, 768, 12, (12, 12, 64), 3072, **_GPT2),
    "smollm2-135m": _shape(49152, 576, 30, (9, 3, 64), 1536),
    "qwen2.5-0.5b": _shape(151936, 896, 24, (14, 2, 64), 4864, qkv_bias=True),
    "qwen3-0.6b": _shape(151936, 1024, 28, (16, 8, 128), 3072, qk_norm=True),
    "gemma3-270m": _shape(262144, 640, 18, (4, 1, 256), 2048, **_GEMMA3),
    "llama3.2-1b": _shape(128256, 2048, 16, (32, 8, 64), 8192),
}


class CheapWeights:
    """Random numbers from one small pool, another part of it for each weight (equal weights are stored once)."""

    def __init__(self) -> None:
        self._pool = np.random.default_rng(0).standard_normal(1 << 20).astype(np.float32) * np.float32(0.05)

    def vector(self, weight: Weight) -> Floats:
        return np.resize(self._part(weight), weight.shape) + np.float32(1.0)

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        inputs = weight.shape[0 if weight.kind == "matrix" else 1]
        return np.resize(self._part(weight), (inputs, stop - start))

    def _part(self, weight: Weight) -> Floats:
        return self._pool[zlib.crc32(weight.name.encode()) % (1 << 16) :]
