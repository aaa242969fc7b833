"""Decoders in plain numpy (float64), written from the architectures' definitions and from nothing of ours."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401 -- teaches numpy, and so safetensors, the type bfloat16
import numpy as np
from safetensors.numpy import load_file

Array = np.ndarray[Any, np.dtype[np.float64]]


def logits(folder: Path, tokens: Sequence[int]) -> Array:
    """Logits [tokens, vocabulary] of a Hugging Face folder, for every position."""
    config = json.loads((folder / "config.json").read_text())
    tensors: dict[str, Array] = {}
    for file in sorted(folder.glob("*.safetensors")):
        tensors |= {name: values.astype(np.float64) for name, values in load_file(file).items()}
    forward = {"gpt2": _gpt2, "gemma3_text": _gemma3}.get(config["model_type"], _llama)
    if config["model_type"] == "phi3":
        tensors |= _unmerged(config, tensors)
    return forward(config, tensors, np.asarray(tokens))


def _gpt2(config: dict[str, Any], w: dict[str, Array], tokens: np.ndarray[Any, Any]) -> Array:
    def linear(x: Array, name: str) -> Array:
        return x @ w[f"{name}.weight"] + w[f"{name}.bias"]

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + config["layer_norm_epsilon"])
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    x = w["transformer.wte.weight"][tokens] + w["transformer.wpe.weight"][: len(tokens)]
    for layer in range(config["n_layer"]):
        name = f"transformer.h.{layer}"
        q, k, v = np.split(linear(norm(x, f"{name}.ln_1"), f"{name}.attn.c_attn"), 3, axis=-1)
        heads = config["n_head"]
        x = x + linear(_attention(_heads(q, heads), _heads(k, heads), _heads(v, heads)), f"{name}.attn.c_proj")
        inner = linear(norm(x, f"{name}.ln_2"), f"{name}.mlp.c_fc")
        tanh = np.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3))
        x = x + linear(0.5 * inner * (1 + tanh), f"{name}.mlp.c_proj")
    return norm(x, "transformer.ln_f") @ w.get("lm_head.weight", w["transformer.wte.weight"]).T


def _llama(config: dict[str, Any], w: dict[str, Array], tokens: np.ndarray[Any, Any]) -> Array:
    def linear(x: Array, name: str) -> Array:
        return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", np.zeros(1))

    def norm(x: Array, name: str) -> Array:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * w[f"{name}.weight"]

    frequencies, amplitude = _rope(config)
    window = config["sliding_window"] if config["model_type"] in ("mistral", "phi3") else None
    x = w["model.embed_tokens.weight"][tokens]
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        normed = norm(x, f"{name}.input_layernorm")
        q, k, v = (_heads(linear(normed, f"{name}.self_attn.{p}_proj"), config[n]) for p, n in _HEADS)
        if config["model_type"] == "qwen3":
            q, k = norm(q, f"{name}.self_attn.q_norm"), norm(k, f"{name}.self_attn.k_norm")
        groups = config["num_attention_heads"] // config["num_key_value_heads"]
        k, v = np.repeat(_rotated(k, frequencies, amplitude), groups, axis=0), np.repeat(v, groups, axis=0)
        mixed = _attention(_rotated(q, frequencies, amplitude), k, v, window=window)
        x = x + linear(mixed, f"{name}.self_attn.o_proj")
        normed = norm(x, f"{name}.post_attention_layernorm")
        gate = linear(normed, f"{name}.mlp.gate_proj")
        gated = gate / (1 + np.exp(-gate)) * linear(normed, f"{name}.mlp.up_proj")
        x = x + linear(gated, f"{name}.mlp.down_proj")
    return norm(x, "model.norm") @ w.get("lm_head.weight", w["model.embed_tokens.weight"]).T


def _gemma3(config: dict[str, Any], w: dict[str, Array], tokens: np.ndarray[Any, Any]) -> Array:
    def norm(x: Array, name: str) -> Array:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * (1 + w[f"{name}.weight"])

    size, groups = config["head_dim"], config["num_attention_heads"] // config["num_key_value_heads"]
    scale = config["query_pre_attn_scalar"] ** -0.5
    x = w["model.embed_tokens.weight"][tokens] * math.sqrt(config["hidden_size"])
    for layer, kind in enumerate(config["layer_types"]):
        name = f"model.layers.{layer}"
        local = kind == "sliding_attention"
        theta = config["rope_local_base_freq"] if local else config["rope_theta"]
        frequencies = np.array([theta ** (-i / size) for i in range(0, size, 2)])
        normed = norm(x, f"{name}.input_layernorm")
        q, k, v = (_heads(normed @ w[f"{name}.self_attn.{p}_proj.weight"].T, config[n]) for p, n in _HEADS)
        q = _rotated(norm(q, f"{name}.self_attn.q_norm"), frequencies)
        k = np.repeat(_rotated(norm(k, f"{name}.self_attn.k_norm"), frequencies), groups, axis=0)
        mixed = _attention(
            q,
            k,
            np.repeat(v, groups, axis=0),
            window=config["sliding_window"] if local else None,
            scale=scale,
        )
        x = x + norm(mixed @ w[f"{name}.self_attn.o_proj.weight"].T, f"{name}.post_attention_layernorm")
        normed = norm(x, f"{name}.pre_feedforward_layernorm")
        gate = normed @ w[f"{name}.mlp.gate_proj.weight"].T
        gate = 0.5 * gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3)))
        gated = gate * (normed @ w[f"{name}.mlp.up_proj.weight"].T)
        x = x + norm(gated @ w[f"{name}.mlp.down_proj.weight"].T, f"{name}.post_feedforward_layernorm")
    head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
    logits, cap = norm(x, "model.norm") @ head.T, config["final_logit_softcapping"]
    return logits if cap is None else cap * np.tanh(logits / cap)


def _unmerged(config: dict[str, Any], w: dict[str, Array]) -> dict[str, Array]:
    """Phi-3's merged tensors as Llama has them."""
    queries, keys = (config[n] * config["head_dim"] for n in ("num_attention_heads", "num_key_value_heads"))
    apart: dict[str, Array] = {}
    for layer in range(config["num_hidden_layers"]):
        name = f"model.layers.{layer}"
        parts = np.split(w[f"{name}.self_attn.qkv_proj.weight"], [queries, queries + keys])
        apart |= {f"{name}.self_attn.{p}_proj.weight": part for p, part in zip("qkv", parts, strict=True)}
        gate, up = np.split(w[f"{name}.mlp.gate_up_proj.weight"], 2)
        apart |= {f"{name}.mlp.gate_proj.weight": gate, f"{name}.mlp.up_proj.weight": up}
    return apart


_HEADS = (("q", "num_attention_heads"), ("k", "num_key_value_heads"), ("v", "num_key_value_heads"))


def _heads(x: Array, heads: int) -> Array:
    """[tokens, heads * size] -> [heads, tokens, size]."""
    return x.reshape(len(x), heads, -1).transpose(1, 0, 2)


def _attention(q: Array, k: Array, v: Array, *, window: int | None = None, scale: float | None = None) -> Array:
    """[heads, tokens, size] each -> [tokens, heads * size]; a token sees itself and those before it, the last
    `window` in all.
    """
    scores = q @ k.transpose(0, 2, 1) * (scale or 1 / math.sqrt(q.shape[-1]))
    distance = np.arange(q.shape[1])[:, None] - np.arange(q.shape[1])
    scores[:, (distance < 0) | (distance >= (window or len(distance)))] = -np.inf
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    mixed = weights / weights.sum(-1, keepdims=True) @ v
    return mixed.transpose(1, 0, 2).reshape(q.shape[1], -1)


def _rotated(x: Array, frequencies: Array, amplitude: float = 1.0) -> Array:
    """Pairs (i, i + n) of each head's first 2 n elements turned by position * frequency i, as complex numbers."""
    n = len(frequencies)
    turned = (
        (x[..., :n] + 1j * x[..., n : 2 * n]) * amplitude * np.exp(1j * np.outer(np.arange(x.shape[1]), frequencies))
    )
    return np.concatenate((turned.real, turned.imag, x[..., 2 * n :]), axis=-1)


def _rope(config: dict[str, Any]) -> tuple[Array, float]:
    """Frequencies and the amplitude of cosines and sines."""
    size = int(config["head_dim"] * config["partial_rotary_factor"])
    frequencies = np.array([config["rope_theta"] ** (-i / size) for i in range(0, size, 2)])
    scaling = config.get("rope_scaling")
    if not scaling:
        return frequencies, 1.0
    if scaling["rope_type"] == "linear":
        return frequencies / scaling["factor"], 1.0
    if scaling["rope_type"] == "yarn":
        return _yarn(scaling, frequencies, size, config["rope_theta"])
    if scaling["rope_type"] == "longrope":
        original, longest = scaling["original_max_position_embeddings"], config["max_position_embeddings"]
        divisors = scaling["long_factor" if longest > original else "short_factor"]
        return frequencies / divisors, math.sqrt(1 + math.log(longest / original) / math.log(original))
    low, high, original = (
        scaling[k] for k in ("low_freq_factor", "high_freq_factor", "original_max_position_embeddings")
    )
    scaled = []
    for frequency in frequencies:  # three cases, as the definition has them
        wavelength = 2 * math.pi / frequency
        if wavelength < original / high:
            scaled.append(frequency)
        elif wavelength > original / low:
            scaled.append(frequency / scaling["factor"])
        else:
            smooth = (original / wavelength - low) / (high - low)
            scaled.append((1 - smooth) * frequency / scaling["factor"] + smooth * frequency)
    return np.array(scaled), 1.0


def _yarn(scaling: dict[str, Any], frequencies: Array, size: int, theta: float) -> tuple[Array, float]:
    """Between the pairs that turn 32 times and once within the original context, rounded outwards, a ramp."""
    original, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    pair = [size / 2 * math.log(original / (2 * math.pi * turns), theta) for turns in (32, 1)]
    first, last = max(0, math.floor(pair[0])), min(size - 1, math.ceil(pair[1]))
    slowed = np.clip((np.arange(size // 2) - first) / (last - first), 0, 1)
    return frequencies * (1 - slowed) + frequencies / factor * slowed, 0.1 * math.log(factor) + 1
