"""What a Hugging Face folder says of an encoder: config.json, and beside it the files of sentence-transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.encoders.encoder import Encoder, Pooling
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.huggingface import activation

CONFIG_FILE: Final = "config.json"
_MODULES_FILE: Final = "modules.json"  # of sentence-transformers: what follows the transformer
_LENGTH_FILE: Final = "sentence_bert_config.json"
_BEHIND_PADDING = ("roberta", "xlm-roberta", "camembert")  # positions begin behind the padding token's number
_RELATIVE = ("mpnet", "deberta", "deberta-v2")  # encoders all the same: refused with the reason that is theirs
ARCHITECTURES: Final = ("bert", *_BEHIND_PADDING, *_RELATIVE)
_MAX_VOCABULARY = 1 << 20
_MAX_LENGTH = 1 << 15


def is_encoder(folder: Path) -> bool:
    """Whether a folder holds an encoder that is known by name. Raises FormatError for a broken config.json."""
    path = folder / CONFIG_FILE
    return path.is_file() and Fields(read_json(path), CONFIG_FILE).raw("model_type") in ARCHITECTURES


def parse_encoder(folder: Path) -> Encoder:
    """Raises UnsupportedModelError with every reason, FormatError for a field of the wrong type or size."""
    config = Fields(read_json(folder / CONFIG_FILE), CONFIG_FILE)
    if reasons := tuple(_obstacles(config)):
        raise UnsupportedModelError("This model cannot be imported.", reasons)
    model_type = config.text("model_type", 64)
    first = config.integer("pad_token_id", 0, 1 << 10, 1) + 1 if model_type in _BEHIND_PADDING else 0
    positions = config.integer("max_position_embeddings", first + 1, _MAX_LENGTH)
    pooling, unit_length = _pooling(folder)
    return Encoder(
        architecture=model_type,
        vocabulary_size=config.integer("vocab_size", 1, _MAX_VOCABULARY),
        hidden_size=config.integer("hidden_size", 1, 1 << 14),
        layer_count=config.integer("num_hidden_layers", 1, 256),
        head_count=config.integer("num_attention_heads", 1, 1 << 10),
        intermediate_size=config.integer("intermediate_size", 1, 1 << 16),
        context_length=min(positions - first, _longest_text(folder)),
        first_position=first,
        token_types=config.integer("type_vocab_size", 0, 64, 0),
        norm_epsilon=config.number("layer_norm_eps", 0.0, 1.0, 1e-12),
        activation=activation(config.text("hidden_act", 64, "gelu")),
        pooling=pooling,
        unit_length=unit_length,
    )


def _obstacles(config: Fields) -> list[str]:
    reasons = []
    if (model_type := config.text("model_type", 64)) in _RELATIVE:
        reasons.append(
            f"Its positions are relative, as those of all {model_type} models are; BERT's and RoBERTa's are known."
        )
    if config.text("position_embedding_type", 64, "absolute") != "absolute":
        reasons.append("Its positions are relative (position_embedding_type).")
    if activation(config.text("hidden_act", 64, "gelu")) == "silu":
        reasons.append("Its activation is SiLU; GELU is known in encoders.")
    if "auto_map" in config:
        reasons.append("It wants to run program code of its own (auto_map), which is never done.")
    if "quantization_config" in config:
        reasons.append("Its weights are already quantised; the original checkpoint is needed.")
    if config.boolean("is_decoder", False):
        reasons.append("It is set up to write text (is_decoder).")
    if config.integer("hidden_size", 1, 1 << 14) % (4 * config.integer("num_attention_heads", 1, 1 << 10)):
        reasons.append("The size of its heads is not a multiple of 4.")
    return reasons


def _longest_text(folder: Path) -> int:
    """As sentence-transformers was told; a longer text is cut."""
    path = folder / _LENGTH_FILE
    settings = Fields(read_json(path) if path.is_file() else {}, _LENGTH_FILE)
    return settings.integer("max_seq_length", 1, _MAX_LENGTH, _MAX_LENGTH)


def _pooling(folder: Path) -> tuple[Pooling, bool]:
    """Mean and any length where nothing is said, as sentence-transformers does."""
    if not (folder / _MODULES_FILE).is_file():
        return "mean", False
    modules = read_json(folder / _MODULES_FILE)
    if not isinstance(modules, list) or len(modules) > 8:
        raise FormatError(f"{_MODULES_FILE} is no short list.")
    pooling: Pooling = "mean"
    kinds = []
    for entry in modules:
        module = Fields(entry, _MODULES_FILE)
        kinds.append(module.text("type", 200).rpartition(".")[2])
        if kinds[-1] == "Pooling":
            pooling = _mode(folder, module.text("path", 64))
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        unknown = ", ".join(kind[:40] for kind in kinds)
        reason = f"Its parts are {unknown}; a transformer, pooling and perhaps a normalisation are known."
        raise UnsupportedModelError("This model cannot be imported.", (reason,))
    return pooling, kinds[-1] == "Normalize"


def _mode(folder: Path, path: str) -> Pooling:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", path):
        raise FormatError(f"{_MODULES_FILE} names a folder that is no plain name.")
    settings = Fields(read_json(folder / path / CONFIG_FILE), f"{path}/{CONFIG_FILE}")
    chosen = [name for name in settings if name.startswith("pooling_mode_") and settings.raw(name) is True]
    modes: dict[str, Pooling] = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
    if len(chosen) != 1 or chosen[0] not in modes:
        reason = f"It pools by {', '.join(chosen)[:200] or 'nothing'}; the mean and the first token are known."
        raise UnsupportedModelError("This model cannot be imported.", (reason,))
    return modes[chosen[0]]
