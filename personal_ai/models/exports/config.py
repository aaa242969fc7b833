"""The config of an exported decoder: config.json beside it, else what genai_config.json and the graph itself say."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import GraphProto

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.exports.roles import Roles, integer_attribute
from personal_ai.models.exports.rotation import rope_of_tables
from personal_ai.models.fields import Fields, read_json

CONFIG_FILE: Final = "config.json"
GENAI_CONFIG_FILE: Final = "genai_config.json"
_KNOWN: Final = ("gpt2", "llama", "mistral", "phi3", "qwen2", "qwen3")  # Gemma's exports hold other norms than Gemma
_MAX_SIZE = 1 << 24
_MAX_END_TOKENS = 64


def export_config(folder: Path, graph: GraphProto, roles: Roles) -> Fields:
    """As config.json has it. Raises UnsupportedModelError, FormatError."""
    if (folder / CONFIG_FILE).is_file():
        config = Fields(read_json(folder / CONFIG_FILE), CONFIG_FILE)
    else:
        config = Fields(_of_genai(folder, graph, roles), GENAI_CONFIG_FILE)
    model_type = config.text("model_type", 64, "")
    if model_type not in _KNOWN:
        named = model_type or "without a name"
        raise _unsupported(
            f"Its architecture {named!r} is not one of those that are known of ONNX: {', '.join(_KNOWN)}."
        )
    return config


def _of_genai(folder: Path, graph: GraphProto, roles: Roles) -> dict[str, Any]:
    """What onnxruntime-genai's builder writes; it copies no config.json."""
    model = Fields(read_json(folder / GENAI_CONFIG_FILE), GENAI_CONFIG_FILE).fields("model")
    decoder = model.fields("decoder")
    heads = decoder.integer("num_attention_heads", 1, _MAX_SIZE)
    window_size = _window_size(graph, decoder.integer("head_size", 1, _MAX_SIZE))
    tables = [roles.array(name) for name in ("cos_cache", "sin_cache")]
    if not all(table is not None and table.is_float and len(table.shape) == 2 for table in tables):
        raise _unsupported("Its tables of positions (cos_cache, sin_cache) are not where they should be.")
    down = roles.tensors.get("model.layers.0.mlp.down_proj.weight")
    if down is None or len(down.shape) != 2:
        raise _unsupported("The tensor model.layers.0.mlp.down_proj.weight is missing.")
    cosines, sines = (table.floats(table.view()) for table in tables if table is not None)
    return {
        "model_type": model.text("type", 64, ""),
        "vocab_size": model.integer("vocab_size", 1, _MAX_SIZE),
        "hidden_size": decoder.integer("hidden_size", 1, _MAX_SIZE),
        "num_hidden_layers": decoder.integer("num_hidden_layers", 1, _MAX_SIZE),
        "num_attention_heads": heads,
        "num_key_value_heads": decoder.integer("num_key_value_heads", 1, _MAX_SIZE, heads),
        "head_dim": decoder.integer("head_size", 1, _MAX_SIZE),
        "intermediate_size": down.shape[1],
        "max_position_embeddings": model.integer("context_length", 1, _MAX_SIZE),
        "rms_norm_eps": _norm_epsilon(graph),
        "attention_bias": "model.layers.0.self_attn.o_proj.bias" in roles.tensors,
        "mlp_bias": "model.layers.0.mlp.down_proj.bias" in roles.tensors,
        "tie_word_embeddings": roles.tensors.get("lm_head.weight") == roles.tensors.get("model.embed_tokens.weight"),
        "eos_token_id": list(model.integers("eos_token_id", _MAX_SIZE, _MAX_END_TOKENS)),
        **({"sliding_window": window_size} if window_size > 0 else {}),
        **rope_of_tables(cosines, sines),
    }


def _window_size(graph: GraphProto, head_size: int) -> int:
    """Of the first GroupQueryAttention, -1 for none. Raises UnsupportedModelError where it is unusual otherwise."""
    node = next((node for node in graph.node if node.op_type == "GroupQueryAttention"), None)
    if node is None:
        raise _unsupported("It has no GroupQueryAttention, and no config.json that says more.")
    numbers = {attribute.name: float(attribute.f) for attribute in node.attribute}
    scale = numbers.get("scale", 0.0)
    scaled = scale and not np.isclose(scale, head_size**-0.5, rtol=1e-4)
    turned = integer_attribute(node, "rotary_interleaved", 0) or integer_attribute(node, "smooth_softmax", 0) == 1
    if numbers.get("softcap", 0.0) or turned or scaled:
        raise _unsupported("Its GroupQueryAttention is capped, smoothed, scaled or turned in an unusual way.")
    return integer_attribute(node, "local_window_size", -1)


def _norm_epsilon(graph: GraphProto) -> float:
    """As a short decimal number: an attribute is an f32."""
    for node in graph.node:
        if node.op_type == "SimplifiedLayerNormalization":
            for attribute in node.attribute:
                if attribute.name == "epsilon":
                    return float(str(np.float32(attribute.f)))
    raise FormatError("The ONNX file has no norm that says its epsilon.")


def _unsupported(reason: str) -> UnsupportedModelError:
    return UnsupportedModelError("This model cannot be imported.", (reason,))
