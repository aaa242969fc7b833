"""Hugging Face folders with random weights, of any size: `python -m tests.support.checkpoints OUT --hidden 256`.

The tokenizer is a byte-level BPE trained on the spot on a few words, filled up to the vocabulary's size with
tokens that no text yields.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

Architecture = Literal["gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3_text", "phi3"]
NumberFormat = Literal["F32", "F16", "BF16"]

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_TRAINING_TEXT = [
    "A canister is a small computer on the network that you alone control.",
    "Where do my words go? They stay on this computer, or they go to your own canister.",
    "Grüße, привет, 你好, 🙂 and 1234567890 are encoded as bytes where no word is known.",
]
ROPE_SCALINGS: dict[str, dict[str, Any]] = {  # for heads of 16 and a context of 128
    "linear": {"rope_type": "linear", "factor": 4.0},
    "llama3": {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    },
    "yarn": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64},
    "longrope": {
        "rope_type": "longrope",
        "short_factor": [1.0 + 0.125 * pair for pair in range(8)],
        "long_factor": [1.0 + 0.5 * pair for pair in range(8)],
        "original_max_position_embeddings": 64,
    },
}
_NUMPY_TYPES: dict[NumberFormat, Any] = {"F32": np.float32, "F16": np.float16, "BF16": ml_dtypes.bfloat16}


@dataclass(frozen=True)
class Shape:
    """Sizes of a random checkpoint; the names are config.json's in short."""

    architecture: Architecture = "llama"
    vocabulary: int = 384
    hidden: int = 64
    layers: int = 2
    heads: int = 4
    key_value_heads: int = 2
    intermediate: int = 160
    context: int = 128
    tied: bool = False
    bias: bool = False
    head_size: int | None = None
    rope_scaling: dict[str, Any] | None = None
    window: int | None = None
    partial_rotary: float = 1.0
    logit_cap: float | None = None  # Gemma only

    @property
    def head_dim(self) -> int:
        return self.head_size or self.hidden // self.heads


def write_checkpoint(
    folder: Path,
    shape: Shape,
    *,
    seed: int = 0,
    number_format: NumberFormat = "F32",
    shards: int = 1,
    template: str | None = CHATML,
) -> Path:
    """Writes config.json, the safetensors files and the tokenizer into `folder` and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", config(shape))
    rng = np.random.default_rng(seed)
    tensors = {
        name: _random(rng, name, size, shape.architecture).astype(_NUMPY_TYPES[number_format])
        for name, size in tensor_shapes(shape).items()
    }
    _write_tensors(folder, tensors, shards)
    write_tokenizer(folder, shape.vocabulary)
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8", newline="\n")
    return folder


def write_tokenizer(folder: Path, vocabulary: int) -> None:
    """tokenizer.json and tokenizer_config.json."""
    tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    settings = {"bos_token": None, "eos_token": SPECIAL_TOKENS[0], "clean_up_tokenization_spaces": False}
    _write_json(folder / "tokenizer_config.json", settings)


def config(shape: Shape) -> dict[str, Any]:
    """config.json as transformers writes it for this shape."""
    if shape.architecture == "gpt2":
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "vocab_size": shape.vocabulary,
            "n_embd": shape.hidden,
            "n_layer": shape.layers,
            "n_head": shape.heads,
            "n_inner": shape.intermediate,
            "n_positions": shape.context,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "tie_word_embeddings": shape.tied,
            "eos_token_id": 0,
        }
    names = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3", "phi3": "Phi3"}
    names["gemma3_text"] = "Gemma3"
    further = _gemma3_config(shape) if shape.architecture == "gemma3_text" else {}
    return {
        "architectures": [f"{names[shape.architecture]}ForCausalLM"],
        "model_type": shape.architecture,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.key_value_heads,
        "head_dim": shape.head_dim,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.context,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": shape.rope_scaling,
        "attention_bias": shape.bias,
        "mlp_bias": shape.bias,
        "tie_word_embeddings": shape.tied,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "sliding_window": shape.window,
        "partial_rotary_factor": shape.partial_rotary,
        **further,
    }


def _gemma3_config(shape: Shape) -> dict[str, Any]:
    """As Gemma 3 270M has it, but for the sizes; every third layer sees everything."""
    return {
        "hidden_activation": "gelu_pytorch_tanh",
        "rope_theta": 1_000_000.0,
        "rope_local_base_freq": 10_000.0,
        "query_pre_attn_scalar": 2 * shape.head_dim,
        "sliding_window": shape.window or 512,
        "layer_types": ["full_attention" if layer % 3 == 2 else "sliding_attention" for layer in range(shape.layers)],
        "attn_logit_softcapping": None,
        "final_logit_softcapping": shape.logit_cap,
    }


def tensor_shapes(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every tensor of the checkpoint, named and laid out as transformers does."""
    tensors = _gpt2_tensors(shape) if shape.architecture == "gpt2" else _llama_tensors(shape)
    if not shape.tied:
        tensors["lm_head.weight"] = (shape.vocabulary, shape.hidden)
    return tensors


def _gpt2_tensors(shape: Shape) -> dict[str, tuple[int, ...]]:
    hidden, inner = shape.hidden, shape.intermediate
    tensors: dict[str, tuple[int, ...]] = {
        "transformer.wte.weight": (shape.vocabulary, hidden),
        "transformer.wpe.weight": (shape.context, hidden),
        "transformer.ln_f.weight": (hidden,),
        "transformer.ln_f.bias": (hidden,),
    }
    linear = {"attn.c_attn": (hidden, 3 * hidden), "attn.c_proj": (hidden, hidden), "mlp.c_fc": (hidden, inner)}
    linear["mlp.c_proj"] = (inner, hidden)
    for layer in range(shape.layers):
        for norm in ("ln_1", "ln_2"):
            tensors |= {f"transformer.h.{layer}.{norm}.{kind}": (hidden,) for kind in ("weight", "bias")}
        for name, size in linear.items():
            tensors[f"transformer.h.{layer}.{name}.weight"] = size
            tensors[f"transformer.h.{layer}.{name}.bias"] = size[1:]
    return tensors


def _llama_tensors(shape: Shape) -> dict[str, tuple[int, ...]]:
    hidden, inner = shape.hidden, shape.intermediate
    queries, keys = shape.heads * shape.head_dim, shape.key_value_heads * shape.head_dim
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (shape.vocabulary, hidden),
        "model.norm.weight": (hidden,),
    }
    qkv_bias = shape.architecture == "qwen2" or (shape.architecture != "mistral" and shape.bias)
    output_bias = shape.bias and shape.architecture in ("llama", "qwen3")
    mlp_bias = shape.bias and shape.architecture == "llama"
    linear = [
        ("self_attn.q_proj", queries, hidden, qkv_bias),
        ("self_attn.k_proj", keys, hidden, qkv_bias),
        ("self_attn.v_proj", keys, hidden, qkv_bias),
        ("self_attn.o_proj", hidden, queries, output_bias),
        ("mlp.gate_proj", inner, hidden, mlp_bias),
        ("mlp.up_proj", inner, hidden, mlp_bias),
        ("mlp.down_proj", hidden, inner, mlp_bias),
    ]
    if shape.architecture == "phi3":
        linear = [
            ("self_attn.qkv_proj", queries + 2 * keys, hidden, False),
            ("self_attn.o_proj", hidden, queries, False),
            ("mlp.gate_up_proj", 2 * inner, hidden, False),
            ("mlp.down_proj", hidden, inner, False),
        ]
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    if shape.architecture == "gemma3_text":
        norms |= {"pre_feedforward_layernorm": hidden, "post_feedforward_layernorm": hidden}
    if shape.architecture in ("qwen3", "gemma3_text"):
        norms |= {"self_attn.q_norm": shape.head_dim, "self_attn.k_norm": shape.head_dim}
    for layer in range(shape.layers):
        prefix = f"model.layers.{layer}"
        tensors |= {f"{prefix}.{name}.weight": (size,) for name, size in norms.items()}
        for name, outputs, inputs, bias in linear:
            tensors[f"{prefix}.{name}.weight"] = (outputs, inputs)
            if bias:
                tensors[f"{prefix}.{name}.bias"] = (outputs,)
    return tensors


def tokenizer(vocabulary: int) -> Tokenizer:
    """A byte-level BPE of exactly `vocabulary` tokens, at least 259: three special ones and all bytes."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(_TRAINING_TEXT, trainer)
    missing = vocabulary - made.get_vocab_size()
    made.add_tokens([AddedToken(f"<|unused_{index}|>", normalized=False) for index in range(missing)])
    return made


def _random(
    rng: np.random.Generator, name: str, size: tuple[int, ...], architecture: Architecture
) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Numbers that keep activations of order one and attention far from uniform, so that errors show."""
    values = rng.standard_normal(size, dtype=np.float32)
    if len(size) == 1:
        around_zero = name.endswith("bias") or architecture == "gemma3_text"  # whose norms add 1 themselves
        return values * np.float32(0.1) + np.float32(0.0 if around_zero else 1.0)
    if any(part in name for part in ("embed_tokens", "wte", "wpe")):
        return values
    inputs = size[0] if ".c_" in name else size[1]
    return values * np.float32(1.5 / math.sqrt(inputs))


def _write_tensors(folder: Path, tensors: dict[str, Any], shards: int) -> None:
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    weight_map: dict[str, str] = {}
    for shard in range(shards):
        name = f"model-{shard + 1:05}-of-{shards:05}.safetensors"
        part = {key: tensors[key] for key in list(tensors)[shard::shards]}
        save_file(part, folder / name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    _write_json(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})


def _write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Write a Hugging Face folder with random weights.")
    parser.add_argument("out", type=Path)
    parser.add_argument("--architecture", choices=get_args(Architecture), default="llama")
    for name in ("vocabulary", "hidden", "layers", "heads", "key-value-heads", "intermediate", "context"):
        default = getattr(Shape, name.replace("-", "_"))
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--tied", action="store_true")
    parser.add_argument("--bias", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--format", choices=tuple(_NUMPY_TYPES), default="F32")
    options = vars(parser.parse_args(arguments))
    out, seed, shards, number_format = (options.pop(name) for name in ("out", "seed", "shards", "format"))
    write_checkpoint(out, Shape(**options), seed=seed, number_format=number_format, shards=shards)


if __name__ == "__main__":
    main()
