"""What training begins with: new weights and a new tokenizer, or those of a package that was trained before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from personal_ai.compiler.onnx_graph import Array, Int4Matrix, read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.manifest import TOKENIZER_FILE
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import BLOCK_SIZE, dequantise
from personal_ai.models.starter import llama
from personal_ai.models.starter.corpus import Corpus
from personal_ai.models.starter.vocabulary import train_tokenizer

_IN_PACKAGE = {
    "input_layernorm": "attention.norm",
    "self_attn.q_proj": "attention.q",
    "self_attn.k_proj": "attention.k",
    "self_attn.v_proj": "attention.v",
    "self_attn.o_proj": "attention.o",
    "post_attention_layernorm": "mlp.norm",
    "mlp.gate_proj": "mlp.gate",
    "mlp.up_proj": "mlp.up",
    "mlp.down_proj": "mlp.down",
}


@dataclass(frozen=True, slots=True)
class Start:
    """`package_sha256` is of the manifest of the package that training goes on from; None where all is new."""

    weights: llama.Weights
    shape: llama.Shape
    tokenizer: Tokenizer
    package_sha256: str | None = None


def new(corpus: Corpus, shape: llama.Shape, seed: int) -> Start:
    """Weights drawn by `seed`, and a tokenizer trained on `corpus`."""
    return Start(llama.new_weights(shape, torch.Generator().manual_seed(seed)), shape, train_tokenizer(corpus))


def trained(package: ModelPackage) -> Start:
    """The weights as the package holds them, hence rounded to its bits, and its own tokenizer: texts that have changed
    since would train another one, whose tokens these weights do not know. Raises DamagedFileError.
    """
    package.verify()
    decoder = package.manifest.network
    assert isinstance(decoder, Decoder)
    assert decoder.architecture == "llama"
    shape = _shape(decoder)
    tokenizer = Tokenizer.from_str(package.read(TOKENIZER_FILE).decode())
    return Start(_weights(read_onnx(package.onnx_path).constants, shape), shape, tokenizer, package.manifest_sha256)


def _shape(decoder: Decoder) -> llama.Shape:
    assert decoder.rope is not None
    return llama.Shape(
        vocabulary_size=decoder.vocabulary_size,
        hidden_size=decoder.hidden_size,
        layer_count=decoder.layer_count,
        head_count=decoder.head_count,
        key_value_head_count=decoder.key_value_head_count,
        intermediate_size=decoder.intermediate_size,
        context_length=decoder.context_length,
        rope_theta=decoder.rope.theta,
        norm_epsilon=decoder.norm_epsilon,
    )


def _weights(constants: Mapping[str, Array | Int4Matrix], shape: llama.Shape) -> llama.Weights:
    """Under the names of `llama`, and laid as there: [outputs, inputs]. An embedding has its blocks along its rows."""

    def weight(name: str) -> Tensor:
        kept = np.asarray(constants[name])
        if kept.ndim == 2:
            scales = np.asarray(constants[f"{name}.scale"], dtype=np.float32)
            by_row = name == "embed.weight"
            kept = dequantise(kept.T if by_row else kept, scales.T if by_row else scales, BLOCK_SIZE).T
        return torch.from_numpy(np.array(kept, dtype=np.float32, order="C"))

    weights = {"model.embed_tokens.weight": weight("embed.weight")}
    for layer in range(shape.layer_count):
        for there, here in _IN_PACKAGE.items():
            weights[f"model.layers.{layer}.{there}.weight"] = weight(f"layers.{layer}.{here}.weight")
    weights["model.norm.weight"] = weight("final_norm.weight")
    return weights
