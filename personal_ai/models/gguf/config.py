"""The facts of a GGUF file in the terms of a Hugging Face config.json."""

from __future__ import annotations

from typing import Any, Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.fields import Fields
from personal_ai.models.gguf.reader import GgufFile, GgufHead
from personal_ai.models.gguf.weights import EMBEDDING, HEAD, LONG_DIVISORS, ROPE_DIVISORS, SHORT_DIVISORS

_MODEL_TYPES: Final = {
    "gemma3": "gemma3_text",
    "gpt2": "gpt2",
    "llama": "llama",
    "phi3": "phi3",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
}
_MAX_SIZE = 1 << 24
_END_TOKENS: Final = ("eos_token_id", "eot_token_id", "eom_token_id")
_GEMMA3_27B_LAYERS = 62  # whose scores are scaled by the hidden size, which no fact says


def huggingface_config(file: GgufFile | GgufHead) -> Fields:
    """Raises UnsupportedModelError for architectures that are not known, FormatError."""
    facts = Fields(file.facts, file.name)
    architecture = facts.text("general.architecture", 64, "")
    if architecture not in _MODEL_TYPES:
        raise UnsupportedModelError(
            "This model cannot be imported.",
            (f"Its architecture {architecture or 'without a name'!r} is not one of: {', '.join(_MODEL_TYPES)}.",),
        )
    if EMBEDDING not in file.tensors:
        raise FormatError(f"{file.name} holds no model: the tensor {EMBEDDING} is missing.")
    own = _Facts(facts, architecture)
    if own.integer("expert_count", 0):
        raise UnsupportedModelError("This model cannot be imported.", ("It is a mixture of experts.",))
    if own.facts.integer("split.count", 0, _MAX_SIZE, 1) > 1:
        raise UnsupportedModelError(
            "This model cannot be imported.",
            ("It is spread over several files.",),
            next_step="Join them with llama-gguf-split --merge first.",
        )
    common = {
        "model_type": _MODEL_TYPES[architecture],
        "vocab_size": file.tensors[EMBEDDING].shape[0],
        "tie_word_embeddings": HEAD not in file.tensors,
        "eos_token_id": [
            facts.integer(f"tokenizer.ggml.{name}", 0, _MAX_SIZE)
            for name in _END_TOKENS
            if f"tokenizer.ggml.{name}" in facts
        ],
    }
    sizes = _gpt2(own) if architecture == "gpt2" else _llama_like(own, file)
    return Fields(common | sizes, f"{file.name}: its facts")


class _Facts:
    """The facts of one architecture, which begin with its name."""

    def __init__(self, facts: Fields, architecture: str) -> None:
        self.facts, self.architecture = facts, architecture

    def __contains__(self, name: str) -> bool:
        return f"{self.architecture}.{name}" in self.facts

    def integer(self, name: str, default: int | None = None) -> int:
        return self.facts.integer(f"{self.architecture}.{name}", 0, _MAX_SIZE, default)

    def number(self, name: str, default: float | None = None) -> float:
        return self.facts.number(f"{self.architecture}.{name}", 0.0, 1e12, default)

    def text(self, name: str, default: str) -> str:
        return self.facts.text(f"{self.architecture}.{name}", 64, default)


def _gpt2(own: _Facts) -> dict[str, Any]:
    return {
        "n_embd": own.integer("embedding_length"),
        "n_layer": own.integer("block_count"),
        "n_head": own.integer("attention.head_count"),
        "n_inner": own.integer("feed_forward_length"),
        "n_positions": own.integer("context_length"),
        "layer_norm_epsilon": own.number("attention.layer_norm_epsilon"),
    }


def _llama_like(own: _Facts, file: GgufFile | GgufHead) -> dict[str, Any]:
    hidden_size, heads = own.integer("embedding_length"), own.integer("attention.head_count")
    head_size = own.integer("attention.key_length", hidden_size // max(heads, 1))
    config: dict[str, Any] = {
        "hidden_size": hidden_size,
        "num_hidden_layers": own.integer("block_count"),
        "num_attention_heads": heads,
        "num_key_value_heads": own.integer("attention.head_count_kv", heads),
        "head_dim": head_size,
        "intermediate_size": own.integer("feed_forward_length"),
        "max_position_embeddings": own.integer("context_length"),
        "rms_norm_eps": own.number("attention.layer_norm_rms_epsilon"),
        "rope_theta": own.number("rope.freq_base", 10_000.0),
        "rope_scaling": _rope_scaling(own, file),
        "attention_bias": "blk.0.attn_q.bias" in file.tensors,
        "mlp_bias": "blk.0.ffn_gate.bias" in file.tensors,
        "partial_rotary_factor": own.integer("rope.dimension_count", head_size) / max(head_size, 1),
    }
    if own.architecture in ("gemma3", "phi3"):
        window = own.integer("attention.sliding_window", 0)
        config |= {"sliding_window": window} if window else {}
    return config | (_gemma3(own, config) if own.architecture == "gemma3" else {})


def _gemma3(own: _Facts, config: dict[str, Any]) -> dict[str, Any]:
    """What llama.cpp knows of the architecture and does not write down."""
    whole = config["num_hidden_layers"] == _GEMMA3_27B_LAYERS
    return {
        "query_pre_attn_scalar": config["hidden_size"] / config["num_attention_heads"] if whole else config["head_dim"],
        "rope_local_base_freq": own.number("rope.freq_base_swa", 10_000.0),
        "final_logit_softcapping": own.number("final_logit_softcapping", 0.0),
    }


def _rope_scaling(own: _Facts, file: GgufFile | GgufHead) -> dict[str, Any] | None:
    """Divisors that lie in the file as tensors come first: Llama 3.1's, and LongRoPE's."""
    if ROPE_DIVISORS in file.tensors:
        divisors = _divisors(file, ROPE_DIVISORS)
        both = {"short_factor": divisors, "long_factor": divisors, "attention_factor": 1.0}
        return {"rope_type": "longrope", **both, "original_max_position_embeddings": own.integer("context_length")}
    original = own.integer("rope.scaling.original_context_length", own.integer("context_length"))
    if LONG_DIVISORS in file.tensors:
        names = {"long_factor": LONG_DIVISORS, "short_factor": SHORT_DIVISORS}
        found: dict[str, Any] = {key: _divisors(file, name) for key, name in names.items() if name in file.tensors}
        found["attention_factor"] = own.number("rope.scaling.attn_factor", 1.0)
        return {"rope_type": "longrope", "original_max_position_embeddings": original, **found}
    kind = own.text("rope.scaling.type", "none")
    if kind == "none":
        return None
    factor = own.number("rope.scaling.factor", 1.0)
    return {"rope_type": kind, "factor": factor, "original_max_position_embeddings": original}


def _divisors(file: GgufFile | GgufHead, name: str) -> list[float]:
    tensor = file.tensors[name]
    if not tensor.readable or len(tensor.shape) != 1:
        raise FormatError(f"{file.name}: {name} is no list of numbers.")
    return [float(value) for value in file.rows(name, 0, tensor.shape[0])]
