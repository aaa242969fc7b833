"""Published models' config.json (the fields that count), against the numbers of weights that their makers state."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.models.decoder import Llama3Scaling, Rope, weights
from personal_ai.models.fields import Fields
from personal_ai.models.huggingface import parse_decoder

LLAMA_32 = {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}


SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "intermediate_size")


def sizes(*numbers: int, **further: Any) -> dict[str, Any]:
    """SIZES and the vocabulary's."""
    return dict(zip((*SIZES, "vocab_size"), numbers, strict=True)) | further


CONFIGS: dict[str, tuple[dict[str, Any], int]] = {
    "gpt2": ({"model_type": "gpt2"}, 124_439_808),
    "SmolLM2-135M": (
        sizes(576, 30, 9, 3, 1536, 49_152, model_type="llama", rope_theta=100_000, rope_interleaved=False)
        | {"max_position_embeddings": 8192, "rope_scaling": None, "tie_word_embeddings": True},
        134_515_008,
    ),
    "Llama-3.2-1B": (
        sizes(2048, 16, 32, 8, 8192, 128_256, model_type="llama", rope_theta=500_000.0, head_dim=64)
        | {"max_position_embeddings": 131_072, "tie_word_embeddings": True}
        | {"rope_scaling": LLAMA_32 | {"original_max_position_embeddings": 8192}},
        1_235_814_400,
    ),
    "Mistral-7B-v0.1": (
        sizes(4096, 32, 32, 8, 14_336, 32_000, model_type="mistral", sliding_window=4096)
        | {"max_position_embeddings": 32_768, "tie_word_embeddings": False},
        7_241_732_096,
    ),
    "Qwen2.5-0.5B": (
        sizes(896, 24, 14, 2, 4864, 151_936, model_type="qwen2", rope_theta=1_000_000.0, use_sliding_window=False)
        | {"max_position_embeddings": 32_768, "sliding_window": 32_768, "max_window_layers": 24}
        | {"tie_word_embeddings": True},
        494_032_768,
    ),
    "Qwen3-0.6B": (
        sizes(1024, 28, 16, 8, 3072, 151_936, model_type="qwen3", rope_theta=1_000_000, head_dim=128)
        | {"max_position_embeddings": 40_960, "tie_word_embeddings": True, "attention_bias": False},
        596_049_920,
    ),
    "gemma-3-270m": (
        sizes(640, 18, 4, 1, 2048, 262_144, model_type="gemma3_text", head_dim=256, sliding_window=512)
        | {"max_position_embeddings": 32_768, "rope_theta": 1_000_000.0, "rope_local_base_freq": 10_000.0}
        | {"query_pre_attn_scalar": 256, "hidden_activation": "gelu_pytorch_tanh", "rms_norm_eps": 1e-6},
        268_098_176,
    ),
    "Phi-3-mini-4k": (
        sizes(3072, 32, 32, 32, 8192, 32_064, model_type="phi3", sliding_window=2047)
        | {"max_position_embeddings": 4096, "rope_scaling": None, "tie_word_embeddings": False}
        | {"auto_map": {"AutoConfig": "configuration_phi3.Phi3Config"}},
        3_821_079_552,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_number_of_weights_is_the_makers(name: str) -> None:
    config, expected = CONFIGS[name]
    decoder = parse_decoder(Fields(config, "config.json"), has_head=False)
    assert sum(weight.size for weight in weights(decoder)) == expected


def test_what_is_particular() -> None:
    decoders = {
        name: parse_decoder(Fields(config, "config.json"), has_head=False) for name, (config, _) in CONFIGS.items()
    }
    assert decoders["Llama-3.2-1B"].rope == Rope(500_000.0, Llama3Scaling(32.0, 1.0, 4.0, 8192))
    assert decoders["SmolLM2-135M"].rope == Rope(100_000.0)
    gemma = decoders["gemma-3-270m"].windows
    assert gemma is not None
    assert [layer for layer in range(18) if layer not in gemma.layers] == [5, 11, 17]
    windows = {name: decoder.windows and decoder.windows.size for name, decoder in decoders.items()}
    assert {name: size for name, size in windows.items() if size} == {
        "Mistral-7B-v0.1": 4096,
        "gemma-3-270m": 512,
        "Phi-3-mini-4k": 2047,
    }
