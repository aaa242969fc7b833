"""Small decoders with random weights, written as the importer writes models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from personal_ai.common.jobs import Cancel, Meter, ignore_progress
from personal_ai.models.decoder import Decoder, Rope, Weight
from personal_ai.models.manifest import MODEL_FILE
from personal_ai.models.onnx_file import write_model
from personal_ai.models.quantisation import Quantisation

Floats = npt.NDArray[np.float32]

LLAMA = Decoder(
    architecture="llama",
    vocabulary_size=333,  # no multiple of four
    hidden_size=96,  # one whole block and a half
    layer_count=3,
    head_count=6,
    key_value_head_count=2,
    head_size=16,
    intermediate_size=160,
    context_length=256,
    norm_epsilon=1e-5,
    activation="silu",
    rope=Rope(10_000.0),
    tied_embedding=False,
    qkv_bias=False,
    output_bias=False,
    mlp_bias=False,
    qk_norm=False,
)
GPT2 = replace(
    LLAMA,
    architecture="gpt2",
    key_value_head_count=6,
    activation="gelu_tanh",
    rope=None,
    tied_embedding=True,
    qkv_bias=True,
    output_bias=True,
    mlp_bias=True,
)
DECODERS: Final = {
    "llama": LLAMA,
    "llama, tied": replace(LLAMA, tied_embedding=True, hidden_size=128),
    "llama, one head": replace(LLAMA, head_count=1, key_value_head_count=1, head_size=80),
    "qwen2": replace(LLAMA, architecture="qwen2", qkv_bias=True, key_value_head_count=6),
    "qwen3": replace(LLAMA, architecture="qwen3", qk_norm=True, tied_embedding=True, head_size=24),
    "gpt2": GPT2,
    "gpt2, exact gelu, untied": replace(GPT2, activation="gelu", tied_embedding=False),
}


class RandomWeights:
    """Weights that depend on the seed and on their name alone, large enough for attention to look at single tokens."""

    def __init__(self, seed: int, scale: float = 0.1) -> None:
        self._seed, self._scale = seed, scale

    def vector(self, weight: Weight) -> Floats:
        around = 1.0 if "norm" in weight.name and weight.name.endswith("weight") else 0.0
        return (around + 0.1 * self._normal(weight)).astype(np.float32)

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        if weight.kind == "embedding":
            return (0.5 * self._normal(weight)[start:stop].T).astype(np.float32)
        return (self._scale * self._normal(weight)[:, start:stop]).astype(np.float32)

    def _normal(self, weight: Weight) -> npt.NDArray[np.float64]:
        seed = [self._seed, *weight.name.encode()]
        return np.random.default_rng(seed).standard_normal(weight.shape)


def write_decoder(
    folder: Path, decoder: Decoder, quantisation: Quantisation, weights: RandomWeights | None = None
) -> Path:
    """Writes the ONNX file with its data into `folder` and returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    meter = Meter("write", 1, "values", ignore_progress)
    source = weights or RandomWeights(1)
    write_model(folder, decoder, source, quantisation=quantisation, meter=meter, cancel=Cancel())
    return folder / MODEL_FILE
