"""What a Hugging Face config.json says, as a `Decoder`. Every obstacle is named at once; nothing foreign is run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.decoder import Activation, Decoder, Rope, Windows
from personal_ai.models.fields import Fields
from personal_ai.models.huggingface_rope import parse_rope

DEFAULT_CONTEXT_LENGTH = (
    8192  # longer contexts cost memory for positions that a canister cannot reach; may be asked for
)
_MAX_VOCABULARY = 1 << 20
_MAX_HIDDEN = 1 << 16
_MAX_INNER = 1 << 20
_MAX_LAYERS = 512
_MAX_HEADS = 1024
_MAX_HEAD_SIZE = 1024
_MAX_CONTEXT = 1 << 24
_MAX_END_TOKENS = 64

_ACTIVATIONS: Final[dict[str, Activation]] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
}


def parse_decoder(config: Fields, *, has_head: bool, context_length: int = DEFAULT_CONTEXT_LENGTH) -> Decoder:
    """The decoder of a config.json; its context is cut to `context_length` tokens.

    has_head: whether the checkpoint holds a head of its own, which decides where the config does not say.
    Raises UnsupportedModelError with every reason, FormatError for a field of the wrong type or size.
    """
    model_type = config.text("model_type", 64, "")
    parse = _ARCHITECTURES.get(model_type)
    if parse is None:
        known = ", ".join(sorted(_ARCHITECTURES))
        raise _unsupported(f"Its architecture {model_type or 'without a name'!r} is not one of: {known}.")
    if reasons := tuple(_general_obstacles(config)):
        raise _unsupported(*reasons)
    return parse(config, has_head, context_length)


def end_tokens(config: Fields) -> tuple[int, ...]:
    """The ids that config.json or generation_config.json name as the end of a text."""
    return config.integers("eos_token_id", _MAX_VOCABULARY, _MAX_END_TOKENS)


def _general_obstacles(config: Fields) -> list[str]:
    reasons = []
    classes = config.raw("architectures")
    if isinstance(classes, list) and classes and not str(classes[0]).endswith(("ForCausalLM", "LMHeadModel")):
        reasons.append(f"It is a {str(classes[0])[:60]}, which does not write text.")
    # Phi-3 was published with program code and has been known without since; the code is not needed and not looked at.
    if "auto_map" in config and config.raw("model_type") != "phi3":
        reasons.append("It wants to run program code of its own (auto_map), which is never done.")
    if "quantization_config" in config:
        reasons.append("Its weights are already quantised; the original checkpoint is needed.")
    return reasons


def _gpt2(config: Fields, has_head: bool, context_length: int) -> Decoder:
    reasons = []
    if not config.boolean("scale_attn_weights", True) or config.boolean("scale_attn_by_inverse_layer_idx", False):
        reasons.append("Its attention is scaled oddly (scale_attn_weights, scale_attn_by_inverse_layer_idx).")
    if config.boolean("add_cross_attention", False):
        reasons.append("It attends to a second text (add_cross_attention).")
    if reasons:
        raise _unsupported(*reasons)
    hidden_size = config.integer("n_embd", 1, _MAX_HIDDEN, 768)
    head_count = config.integer("n_head", 1, _MAX_HEADS, 12)
    return Decoder(
        architecture="gpt2",
        vocabulary_size=config.integer("vocab_size", 1, _MAX_VOCABULARY, 50257),
        hidden_size=hidden_size,
        layer_count=config.integer("n_layer", 1, _MAX_LAYERS, 12),
        head_count=head_count,
        key_value_head_count=head_count,
        head_size=_equal_heads(hidden_size, head_count),
        intermediate_size=config.integer("n_inner", 1, _MAX_INNER, 4 * hidden_size),
        context_length=min(config.integer("n_positions", 1, _MAX_CONTEXT, 1024), context_length),
        norm_epsilon=config.number("layer_norm_epsilon", 0.0, 1.0, 1e-5),
        activation=activation(config.text("activation_function", 64, "gelu_new")),
        rope=None,
        tied_embedding=config.boolean("tie_word_embeddings", True),
        qkv_bias=True,
        output_bias=True,
        mlp_bias=True,
        qk_norm=False,
    )


def _llama_like(config: Fields, has_head: bool, context_length: int) -> Decoder:
    model_type = config.text("model_type", 64)
    hidden_size = config.integer("hidden_size", 1, _MAX_HIDDEN)
    head_count = config.integer("num_attention_heads", 1, _MAX_HEADS)
    key_value_head_count = config.integer("num_key_value_heads", 1, _MAX_HEADS, head_count)
    if head_count % key_value_head_count:
        raise FormatError("config.json: num_attention_heads must be a multiple of num_key_value_heads.")
    named = "head_dim" in config
    head_size = config.integer("head_dim", 1, _MAX_HEAD_SIZE) if named else _equal_heads(hidden_size, head_count)
    if head_size % 2:
        raise FormatError("config.json: the size of a head must be even.")
    attention_bias = model_type not in ("mistral", "phi3") and config.boolean("attention_bias", False)
    layer_count = config.integer("num_hidden_layers", 1, _MAX_LAYERS)
    context_length = min(config.integer("max_position_embeddings", 1, _MAX_CONTEXT), context_length)
    rotary_size = _rotary_size(config, head_size)
    scaling = config.fields("rope_parameters" if "rope_parameters" in config else "rope_scaling")
    return Decoder(
        architecture=model_type,
        vocabulary_size=config.integer("vocab_size", 1, _MAX_VOCABULARY),
        hidden_size=hidden_size,
        layer_count=layer_count,
        head_count=head_count,
        key_value_head_count=key_value_head_count,
        head_size=head_size,
        intermediate_size=config.integer("intermediate_size", 1, _MAX_INNER),
        context_length=context_length,
        norm_epsilon=config.number("rms_norm_eps", 0.0, 1.0, 1e-6),
        activation=activation(config.text("hidden_act", 64, "silu")),
        rope=parse_rope(config, scaling, rotary_size=rotary_size or head_size, context_length=context_length),
        tied_embedding=config.boolean("tie_word_embeddings", not has_head),
        qkv_bias=attention_bias or model_type == "qwen2",
        output_bias=attention_bias and model_type != "qwen2",
        mlp_bias=model_type == "llama" and config.boolean("mlp_bias", False),
        qk_norm=model_type == "qwen3",
        windows=_windows(config, layer_count, context_length),
        rotary_size=rotary_size,
    )


def _gemma3(config: Fields, has_head: bool, context_length: int) -> Decoder:
    if config.boolean("use_bidirectional_attention", False):
        raise _unsupported("Its tokens see those that come after them (use_bidirectional_attention).")
    if "attn_logit_softcapping" in config:  # a field of Gemma 2; Gemma 3's own code reads it and does nothing with it
        raise _unsupported("Its attention scores are capped (attn_logit_softcapping), which Gemma 3 does not know.")
    ropes = config.fields("rope_parameters")
    own, windowed = (ropes.fields(kind) for kind in ("full_attention", "sliding_attention"))
    if "rope_theta" not in own and "rope_theta" not in config:
        raise FormatError("config.json: 'rope_theta' must be a number.")
    base = _llama_like(config, has_head, context_length)

    def rope(scaling: Fields) -> Rope:
        return parse_rope(config, scaling, rotary_size=base.head_size, context_length=base.context_length)

    windows = base.windows
    if windows is not None:
        local_theta = config.number("rope_local_base_freq", 1.0, 1e12, 10_000.0)
        windows = replace(windows, rope=rope(windowed) if "rope_theta" in windowed else Rope(local_theta))
    return replace(
        base,
        activation=activation(config.text("hidden_activation", 64, "gelu_pytorch_tanh")),
        rope=rope(own) if "full_attention" in ropes else base.rope,
        tied_embedding=config.boolean("tie_word_embeddings", True),
        qk_norm=True,
        windows=windows,
        post_norms=True,
        embedding_scale=math.sqrt(base.hidden_size),
        attention_scale=config.number("query_pre_attn_scalar", 1e-6, 1e6, 256.0) ** -0.5,
        logit_cap=config.number("final_logit_softcapping", 0.0, 1e6, 0.0),
    )


_ARCHITECTURES: Final[dict[str, Callable[[Fields, bool, int], Decoder]]] = {
    "gpt2": _gpt2,
    "gemma3_text": _gemma3,
    "llama": _llama_like,
    "mistral": _llama_like,
    "phi3": _llama_like,
    "qwen2": _llama_like,
    "qwen3": _llama_like,
}


def _windows(config: Fields, layer_count: int, context_length: int) -> Windows | None:
    """Where a token sees only the last positions; none where the window holds the whole context."""
    if "sliding_window" not in config and config.raw("model_type") != "gemma3_text":
        return None
    size = config.integer("sliding_window", 1, _MAX_CONTEXT)
    layers = tuple(number for number in range(layer_count) if _slides(config, number, layer_count))
    return Windows(size, layers) if layers and size < context_length else None


def _slides(config: Fields, layer: int, layer_count: int) -> bool:
    """Whether a layer has a window: as config.json lists them, else by the architecture's custom."""
    model_type = config.text("model_type", 64)
    if "layer_types" in config:
        kinds = config.texts("layer_types", 64, _MAX_LAYERS)
        if len(kinds) != layer_count or not set(kinds) <= {"full_attention", "sliding_attention"}:
            raise _unsupported("It has layers of a kind that is not known, or not one kind for each (layer_types).")
        return kinds[layer] == "sliding_attention"
    if model_type == "gemma3_text":
        return (layer + 1) % config.integer("sliding_window_pattern", 1, _MAX_LAYERS, 6) != 0
    if model_type in ("mistral", "phi3"):
        return True
    return config.boolean("use_sliding_window", False) and layer >= config.integer(
        "max_window_layers", 0, _MAX_LAYERS, 0
    )


def _rotary_size(config: Fields, head_size: int) -> int:
    """0 where the whole head is turned. Raises FormatError for a part that is no even number."""
    parameters = config.fields("rope_parameters")
    part = parameters.number("partial_rotary_factor", 0.0, 1.0, config.number("partial_rotary_factor", 0.0, 1.0, 1.0))
    size = int(head_size * part)
    if size == head_size:
        return 0
    if config.raw("model_type") != "phi3":
        raise _unsupported("It turns only a part of each head (partial_rotary_factor), which is known of Phi-3 alone.")
    if size < 2 or size % 2:
        raise FormatError("config.json: 'partial_rotary_factor' must leave an even part of each head to turn.")
    return size


def _equal_heads(hidden_size: int, head_count: int) -> int:
    if hidden_size % head_count:
        raise FormatError("config.json: the hidden size must be a multiple of the number of heads.")
    return hidden_size // head_count


def activation(name: str) -> Activation:
    if name not in _ACTIVATIONS:
        raise _unsupported(f"Its activation {name!r} is not one of: {', '.join(sorted(_ACTIVATIONS))}.")
    return _ACTIVATIONS[name]


def _unsupported(*reasons: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        "This model cannot be imported.",
        reasons,
        next_step="Choose a GPT-2, Llama, Mistral, Qwen2, Qwen3, Gemma 3 or Phi-3 model.",
    )
