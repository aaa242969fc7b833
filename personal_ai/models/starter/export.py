"""Writes trained weights as a Hugging Face folder: what `personal-ai model import` takes from anybody."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from tokenizers import Tokenizer

from personal_ai.models.starter.llama import Shape, Weights
from personal_ai.models.starter.vocabulary import END, TEMPLATE, special_token

_CARD = (
    "---\nlicense: apache-2.0\n---\nA guide to Personal AI alone, trained from scratch on texts in its source code.\n"
)


def write_hugging_face_folder(folder: Path, weights: Weights, shape: Shape, tokenizer: Tokenizer) -> None:
    """Fills `folder`, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: weight.detach().contiguous() for name, weight in weights.items()}, folder / "model.safetensors")
    _write_json(folder / "config.json", _config(shape, special_token(tokenizer, END)))
    _write_json(folder / "tokenizer_config.json", _tokenizer_config(shape))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    (folder / "README.md").write_text(_CARD, encoding="utf-8")


def _config(shape: Shape, end_token: int) -> dict[str, Any]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocabulary_size,
        "hidden_size": shape.hidden_size,
        "num_hidden_layers": shape.layer_count,
        "num_attention_heads": shape.head_count,
        "num_key_value_heads": shape.key_value_head_count,
        "head_dim": shape.head_size,
        "intermediate_size": shape.intermediate_size,
        "max_position_embeddings": shape.context_length,
        "rms_norm_eps": shape.norm_epsilon,
        "rope_theta": shape.rope_theta,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": None,
        "eos_token_id": end_token,
        "torch_dtype": "float32",
    }


def _tokenizer_config(shape: Shape) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape.context_length,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
