"""A Llama-like decoder in torch, as plain functions over a dictionary of weights under their Hugging Face names."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

Weights = dict[str, Tensor]
Rotary = tuple[Tensor, Tensor]  # cosines and sines, both [sequence, head_size]


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the decoder; hidden sizes are multiples of 64, the block of the quantisation."""

    vocabulary_size: int
    hidden_size: int = 256
    layer_count: int = 4
    head_count: int = 4
    key_value_head_count: int = 4
    intermediate_size: int = 512
    context_length: int = 512
    rope_theta: float = 10_000.0
    norm_epsilon: float = 1e-5

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.head_count


def new_weights(shape: Shape, generator: torch.Generator) -> Weights:
    """Fresh weights, float32: N(0, 0.02), smaller where a layer writes into the residual stream (GPT-2's rule)."""
    residual = 0.02 / math.sqrt(2 * shape.layer_count)
    hidden, inner = shape.hidden_size, shape.intermediate_size
    key_value = shape.key_value_head_count * shape.head_size

    def normal(rows: int, columns: int, deviation: float = 0.02) -> Tensor:
        return torch.empty(rows, columns).normal_(0.0, deviation, generator=generator)

    weights = {"model.embed_tokens.weight": normal(shape.vocabulary_size, hidden)}
    for layer in range(shape.layer_count):
        prefix = f"model.layers.{layer}."
        weights |= {
            f"{prefix}input_layernorm.weight": torch.ones(hidden),
            f"{prefix}self_attn.q_proj.weight": normal(hidden, hidden),
            f"{prefix}self_attn.k_proj.weight": normal(key_value, hidden),
            f"{prefix}self_attn.v_proj.weight": normal(key_value, hidden),
            f"{prefix}self_attn.o_proj.weight": normal(hidden, hidden, residual),
            f"{prefix}post_attention_layernorm.weight": torch.ones(hidden),
            f"{prefix}mlp.gate_proj.weight": normal(inner, hidden),
            f"{prefix}mlp.up_proj.weight": normal(inner, hidden),
            f"{prefix}mlp.down_proj.weight": normal(hidden, inner, residual),
        }
    weights["model.norm.weight"] = torch.ones(hidden)
    return weights


def hidden_states(weights: Weights, shape: Shape, tokens: Tensor, dropout: float = 0.0) -> Tensor:
    """The last norm's output, [batch, sequence, hidden], of right-padded `tokens` [batch, sequence]."""
    rotary = _rotary(shape, tokens.shape[1])
    x = _dropped(fn.embedding(tokens, weights["model.embed_tokens.weight"]), dropout)
    for layer in range(shape.layer_count):
        prefix = f"model.layers.{layer}."
        normed = _norm(x, weights[f"{prefix}input_layernorm.weight"], shape)
        x = x + _dropped(_attention(weights, f"{prefix}self_attn.", shape, normed, rotary), dropout)
        normed = _norm(x, weights[f"{prefix}post_attention_layernorm.weight"], shape)
        x = x + _dropped(_gated_mlp(weights, f"{prefix}mlp.", normed), dropout)
    return _norm(x, weights["model.norm.weight"], shape)


def logits(weights: Weights, hidden: Tensor) -> Tensor:
    """Scores of the next token out of hidden states; the head is the embedding."""
    return fn.linear(hidden, weights["model.embed_tokens.weight"])


def _attention(weights: Weights, prefix: str, shape: Shape, x: Tensor, rotary: Rotary) -> Tensor:
    batch, length, _ = x.shape

    def heads(name: str, count: int) -> Tensor:
        projected = fn.linear(x, weights[f"{prefix}{name}_proj.weight"])
        return projected.view(batch, length, count, shape.head_size).transpose(1, 2)

    query = _rotated(heads("q", shape.head_count), rotary)
    key = _rotated(heads("k", shape.key_value_head_count), rotary)
    value = heads("v", shape.key_value_head_count)
    grouped = shape.key_value_head_count != shape.head_count
    mixed = fn.scaled_dot_product_attention(query, key, value, is_causal=True, enable_gqa=grouped)
    return fn.linear(mixed.transpose(1, 2).reshape(batch, length, -1), weights[f"{prefix}o_proj.weight"])


def _gated_mlp(weights: Weights, prefix: str, x: Tensor) -> Tensor:
    gate = fn.silu(fn.linear(x, weights[f"{prefix}gate_proj.weight"]))
    return fn.linear(gate * fn.linear(x, weights[f"{prefix}up_proj.weight"]), weights[f"{prefix}down_proj.weight"])


def _norm(x: Tensor, weight: Tensor, shape: Shape) -> Tensor:
    return fn.rms_norm(x, (shape.hidden_size,), weight, shape.norm_epsilon)


def _dropped(x: Tensor, probability: float) -> Tensor:
    return fn.dropout(x, probability) if probability else x


def _rotary(shape: Shape, length: int) -> Rotary:
    """The rotary positions 0 to `length`, the halves repeated as Llama does."""
    frequencies = shape.rope_theta ** (-torch.arange(0, shape.head_size, 2) / shape.head_size)
    angles = torch.outer(torch.arange(length), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def _rotated(x: Tensor, rotary: Rotary) -> Tensor:
    cos, sin = rotary
    low, high = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-high, low), dim=-1) * sin
