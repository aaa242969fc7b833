"""Hugging Face folders of encoders with random weights, and what they answer, in plain numpy."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, processors

from tests.support.checkpoints import SPECIAL_TOKENS, tokenizer

Array = npt.NDArray[np.float64]
_PADDING = 1


@dataclass(frozen=True)
class EncoderShape:
    """Sizes of a random encoder. `pooling` None: the folder has no files of sentence-transformers."""

    architecture: Literal["bert", "roberta"] = "bert"
    vocabulary: int = 384
    hidden: int = 96
    layers: int = 3
    heads: int = 4
    intermediate: int = 160
    context: int = 64
    token_types: int = 2
    activation: str = "gelu"
    pooling: Literal["mean", "cls"] | None = "mean"
    unit_length: bool = True
    prefix: str = ""

    @property
    def first_position(self) -> int:
        return _PADDING + 1 if self.architecture == "roberta" else 0


def write_encoder_checkpoint(folder: Path, shape: EncoderShape, *, seed: int = 0) -> Path:
    """Writes config.json, weights, tokenizer and what sentence-transformers adds; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_json(folder / "config.json", _config(shape))
    chance = np.random.default_rng(seed)
    tensors = {shape.prefix + name: _random(chance, name, size) for name, size in _tensor_shapes(shape).items()}
    save_file(tensors, folder / "model.safetensors")
    words = tokenizer(shape.vocabulary)
    begin, end = SPECIAL_TOKENS[1:3]
    pairs = [(begin, words.token_to_id(begin)), (end, words.token_to_id(end))]
    words.post_processor = processors.TemplateProcessing(single=f"{begin} $A {end}", special_tokens=pairs)
    words.save(str(folder / "tokenizer.json"))
    if shape.pooling is not None:
        _write_modules(folder, shape)
    return folder


def _config(shape: EncoderShape) -> dict[str, Any]:
    names = {"bert": "BertModel", "roberta": "RobertaModel"}
    return {
        "architectures": [names[shape.architecture]],
        "model_type": shape.architecture,
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.intermediate,
        "max_position_embeddings": shape.context + shape.first_position,
        "type_vocab_size": shape.token_types,
        "pad_token_id": _PADDING,
        "hidden_act": shape.activation,
        "layer_norm_eps": 1e-6,
        "position_embedding_type": "absolute",
    }


def _write_modules(folder: Path, shape: EncoderShape) -> None:
    kinds = ["Transformer", "Pooling", *(["Normalize"] if shape.unit_length else [])]
    modules = [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]
    _write_json(folder / "modules.json", modules)
    modes = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_max_tokens": "max"}
    (folder / "1_Pooling").mkdir(exist_ok=True)
    settings = {
        "word_embedding_dimension": shape.hidden,
        **{name: mode == shape.pooling for name, mode in modes.items()},
    }
    _write_json(folder / "1_Pooling" / "config.json", settings)
    _write_json(folder / "sentence_bert_config.json", {"max_seq_length": shape.context})


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")


def _tensor_shapes(shape: EncoderShape) -> dict[str, tuple[int, ...]]:
    hidden, inner = shape.hidden, shape.intermediate
    found: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (shape.vocabulary, hidden),
        "embeddings.position_embeddings.weight": (shape.context + shape.first_position, hidden),
        "embeddings.token_type_embeddings.weight": (shape.token_types, hidden),
        "pooler.dense.weight": (hidden, hidden),
        "pooler.dense.bias": (hidden,),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(shape.layers):
        name = f"encoder.layer.{layer}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            found |= {f"{name}.attention.{part}.weight": (hidden, hidden), f"{name}.attention.{part}.bias": (hidden,)}
        found |= {f"{name}.intermediate.dense.weight": (inner, hidden), f"{name}.intermediate.dense.bias": (inner,)}
        found |= {f"{name}.output.dense.weight": (hidden, inner), f"{name}.output.dense.bias": (hidden,)}
        norms += [f"{name}.attention.output.LayerNorm", f"{name}.output.LayerNorm"]
    for norm in norms:
        found |= {f"{norm}.weight": (hidden,), f"{norm}.bias": (hidden,)}
    return found


def _random(chance: np.random.Generator, name: str, size: tuple[int, ...]) -> npt.NDArray[np.float32]:
    if name.endswith("LayerNorm.weight"):
        return chance.uniform(0.5, 1.5, size).astype(np.float32)
    spread = 0.1 if name.endswith("bias") else 1.0 if "embeddings" in name else 1.5 / math.sqrt(size[-1])
    return (spread * chance.standard_normal(size)).astype(np.float32)


def reference_tokens(folder: Path, text: str) -> list[int]:
    """The tokens of a text, from the folder's tokenizer itself."""
    ids: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    return ids


def reference_embedding(folder: Path, shape: EncoderShape, tokens: list[int]) -> Array:
    """What the encoder makes of the tokens (Devlin et al., 2018), pooled as sentence-transformers does."""
    stored = load_file(folder / "model.safetensors")
    w = {name.removeprefix(shape.prefix): array.astype(np.float64) for name, array in stored.items()}

    def linear(x: Array, name: str) -> Array:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def norm(x: Array, name: str) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
        return centred / deviation * w[f"{name}.weight"] + w[f"{name}.bias"]

    places = np.arange(len(tokens)) + shape.first_position
    x = w["embeddings.word_embeddings.weight"][tokens] + w["embeddings.position_embeddings.weight"][places]
    x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(shape.layers):
        name = f"encoder.layer.{layer}"
        q, k, v = (_heads(linear(x, f"{name}.attention.self.{part}"), shape) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 2, 1) / math.sqrt(shape.hidden // shape.heads)
        shares = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (shares / shares.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(len(tokens), shape.hidden)
        x = norm(x + linear(mixed, f"{name}.attention.output.dense"), f"{name}.attention.output.LayerNorm")
        inner = linear(x, f"{name}.intermediate.dense")
        active = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        x = norm(x + linear(active, f"{name}.output.dense"), f"{name}.output.LayerNorm")
    pooled = x[0] if shape.pooling == "cls" else x.mean(0)
    return pooled / np.linalg.norm(pooled) if shape.unit_length and shape.pooling is not None else pooled


def _heads(x: Array, shape: EncoderShape) -> Array:
    return x.reshape(len(x), shape.heads, -1).transpose(1, 0, 2)
