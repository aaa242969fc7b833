"""GGUF files of Hugging Face folders, written by llama.cpp's own package in the way of its converter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import gguf
import ml_dtypes  # noqa: F401 -- teaches numpy, and so safetensors, the type bfloat16
import numpy as np
from gguf import GGMLQuantizationType as Type
from safetensors.numpy import load_file

Numbers = Literal["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
NUMBERS: tuple[Numbers, ...] = get_args(Numbers)
Array = np.ndarray[Any, Any]

_ARCHITECTURES = {"mistral": "llama", "gemma3_text": "gemma3"}
_NAMES = {  # of transformers to llama.cpp's
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "transformer.wte": "token_embd",
    "transformer.wpe": "position_embd",
    "transformer.ln_f": "output_norm",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "self_attn.qkv_proj": "attn_qkv",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.gate_up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "ln_1": "attn_norm",
    "ln_2": "ffn_norm",
    "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up",
    "mlp.c_proj": "ffn_down",
}
_GEMMA3_NAMES = {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def write_gguf(source: Path, out: Path, numbers: Numbers = "F32", *, pre: str = "gpt-2", **facts: Any) -> Path:
    """Converts the folder's model. facts: further ones or others, with `__` for the dot in names.

    Matrices are in the format `numbers` where their rows are whole blocks, else in F32.
    """
    config = json.loads((source / "config.json").read_text())
    tensors = load_file(source / "model.safetensors")
    architecture = _ARCHITECTURES.get(config["model_type"], config["model_type"])
    writer = gguf.GGUFWriter(out, architecture)
    _write_sizes(writer, config, architecture)
    _write_words(writer, source, pre)
    for name, value in facts.items():
        writer.kv_data[0].pop(name.replace("__", "."), None)
        _add(writer, name.replace("__", "."), value)
    for name, values in tensors.items():
        _add_tensor(writer, *converted(name, values.astype(np.float32), config), numbers)
    if architecture == "llama" and (config["rope_scaling"] or {}).get("rope_type") == "llama3":
        writer.add_tensor("rope_freqs.weight", _llama3_divisors(config).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


def _add(writer: gguf.GGUFWriter, name: str, value: Any) -> None:
    kind = {bool: gguf.GGUFValueType.BOOL, int: gguf.GGUFValueType.UINT32, float: gguf.GGUFValueType.FLOAT32}
    if isinstance(value, list):
        writer.add_array(name, value)
    else:
        writer.add_key_value(name, value, kind.get(type(value), gguf.GGUFValueType.STRING))


def _write_sizes(writer: gguf.GGUFWriter, config: dict[str, Any], architecture: str) -> None:
    gpt2 = architecture == "gpt2"
    writer.add_context_length(config["n_positions" if gpt2 else "max_position_embeddings"])
    writer.add_embedding_length(config["n_embd" if gpt2 else "hidden_size"])
    writer.add_block_count(config["n_layer" if gpt2 else "num_hidden_layers"])
    writer.add_feed_forward_length(config["n_inner" if gpt2 else "intermediate_size"])
    writer.add_head_count(config["n_head" if gpt2 else "num_attention_heads"])
    if gpt2:
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        return
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(int(config["head_dim"] * config["partial_rotary_factor"]))
    if config["sliding_window"] is not None:
        writer.add_sliding_window(config["sliding_window"])
    scaling = config["rope_scaling"]
    if scaling and scaling["rope_type"] in ("linear", "yarn"):
        writer.add_rope_scaling_type(gguf.RopeScalingType(scaling["rope_type"]))
        writer.add_rope_scaling_factor(scaling["factor"])
        if "original_max_position_embeddings" in scaling:
            writer.add_rope_scaling_orig_ctx_len(scaling["original_max_position_embeddings"])


def _write_words(writer: gguf.GGUFWriter, source: Path, pre: str) -> None:
    """The vocabulary of tokenizer.json, which is a byte-level one."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    added = {entry["content"]: entry for entry in tokenizer["added_tokens"]}
    numbered = tokenizer["model"]["vocab"] | {text: entry["id"] for text, entry in added.items()}
    tokens = sorted(numbered, key=lambda token: numbered[token])
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    defined = gguf.TokenType.USER_DEFINED
    types = [(control if added[token]["special"] else defined) if token in added else normal for token in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(merge) for merge in tokenizer["model"]["merges"]])
    writer.add_eos_token_id(0)
    writer.add_chat_template((source / "chat_template.jinja").read_text(encoding="utf-8"))


def converted(name: str, values: Array, config: dict[str, Any]) -> tuple[str, Array]:
    """llama.cpp's name of a tensor, and its numbers in llama.cpp's order."""
    stem, _, kind = name.rpartition(".")
    model_type = config["model_type"]
    layer = stem.replace("transformer.h.", "model.layers.").removeprefix("model.layers.").partition(".")
    names = _NAMES | (_GEMMA3_NAMES if model_type == "gemma3_text" else {})
    own = names[stem] if stem in names else f"blk.{layer[0]}.{names[layer[2]]}"
    if model_type == "gpt2" and ".c_" in name and kind == "weight":
        values = values.T
    if model_type == "gemma3_text" and own.endswith("norm"):
        values = values + 1
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(own.rpartition(".")[2])
    if model_type in ("llama", "mistral") and heads:
        count = config[heads]
        values = values.reshape(count, 2, -1, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)
    return f"{own}.{kind}", np.ascontiguousarray(values)


def _add_tensor(writer: gguf.GGUFWriter, name: str, values: Array, numbers: Numbers) -> None:
    form = Type[numbers]
    block, _ = gguf.GGML_QUANT_SIZES[form]
    if values.ndim == 1 or values.shape[-1] % block or numbers == "F32":
        writer.add_tensor(name, values)
    elif numbers == "F16":
        writer.add_tensor(name, values.astype(np.float16))
    elif numbers.endswith("_K"):
        writer.add_tensor(name, random_blocks(form, values), raw_dtype=form)
    else:
        writer.add_tensor(name, gguf.quants.quantize(values, form), raw_dtype=form)


def random_blocks(form: Type, values: Array) -> Array:
    """Bytes of a format that the package cannot write, with small scales: other numbers than `values`, as many."""
    block, size_bytes = gguf.GGML_QUANT_SIZES[form]
    rng = np.random.default_rng(values.size)
    blocks = rng.integers(0, 256, (values.size // block, size_bytes), dtype=np.uint8)
    scales = rng.uniform(0.0005, 0.001, (len(blocks), 2)).astype(np.float16).view(np.uint8)
    if form == Type.Q6_K:
        blocks[:, 208:210] = scales[:, :2]
    else:
        blocks[:, :4] = scales
    return blocks.reshape(values.shape[0], -1)


def _llama3_divisors(config: dict[str, Any]) -> Array:
    """Three cases, as the definition has them."""
    scaling, size = config["rope_scaling"], config["head_dim"]
    original, factor = scaling["original_max_position_embeddings"], scaling["factor"]
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    lengths = 2 * np.pi * config["rope_theta"] ** (np.arange(0, size, 2) / size)
    smooth = np.clip((original / lengths - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / factor + smooth)
