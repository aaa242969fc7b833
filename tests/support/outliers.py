"""Checkpoints with outlier channels, planted without changing the function: a norm's channel times s, and what reads
it divided by s.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

_CHANNEL_SHARE = 16  # one channel of so many
_READERS = {
    "input_layernorm": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "post_attention_layernorm": ("mlp.gate_proj", "mlp.up_proj"),
    "ln_1": ("attn.c_attn",),
    "ln_2": ("mlp.c_fc",),
}


def plant_outliers(source: Path, target: Path, *, scale_max: float, seed: int = 5) -> Path:
    """Copies the folder `source` to `target` with outliers in every norm that only matrices read; scales are drawn
    between its square root and scale_max. Only for architectures that multiply by a norm's weight itself.
    """
    shutil.copytree(source, target)
    tensors = load_file(source / "model.safetensors")
    random = np.random.default_rng(seed)
    for name in [name for name in tensors if name.endswith("weight") and tensors[name].ndim == 1]:
        readers = _readers(name, "lm_head.weight" in tensors)
        if not readers:
            continue
        scales = _scales(random, len(tensors[name]), scale_max)
        for norm in (name, name.removesuffix("weight") + "bias"):
            if norm in tensors:
                tensors[norm] = (tensors[norm] * scales).astype(np.float32)
        for reader in readers:
            inputs_first = ".c_" in reader
            factors = scales[:, None] if inputs_first else scales[None]
            tensors[reader] = (tensors[reader] / factors).astype(np.float32)
    save_file(tensors, target / "model.safetensors")
    return target


def _readers(norm: str, has_head: bool) -> list[str]:
    if re.fullmatch(r"(model\.norm|(transformer\.)?ln_f)\.weight", norm):
        return ["lm_head.weight"] if has_head else []
    layer, _, part = norm.removesuffix(".weight").rpartition(".")
    return [f"{layer}.{reader}.weight" for reader in _READERS.get(part, ())]


def _scales(random: np.random.Generator, channels: int, scale_max: float) -> np.ndarray:
    scales = np.ones(channels)
    chosen = random.choice(channels, max(1, channels // _CHANNEL_SHARE), replace=False)
    scales[chosen] = scale_max ** random.uniform(0.5, 1.0, len(chosen))
    scales[chosen[0]] = scale_max
    return scales
