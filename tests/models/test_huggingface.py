"""config.json: what is understood, what is refused, and with which reasons."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.decoder import Decoder, Llama3Scaling, Rope, Windows
from personal_ai.models.fields import Fields
from personal_ai.models.huggingface import parse_decoder
from tests.support.checkpoints import Shape, config

LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}


def parsed(shape: Shape | None = None, *, has_head: bool = True, **changes: Any) -> Decoder:
    fields = {**config(shape or Shape()), **changes}
    return parse_decoder(Fields(fields, "config.json"), has_head=has_head)


def test_a_llama() -> None:
    decoder = parsed(Shape(hidden=96, heads=6, key_value_heads=3, context=20_000))
    assert (decoder.attention_size, decoder.key_value_size, decoder.head_size) == (96, 48, 16)
    assert decoder.context_length == 8192, "cut to the default"
    assert decoder.rope == Rope(10000.0)
    assert not (decoder.qkv_bias or decoder.output_bias or decoder.mlp_bias or decoder.qk_norm)


def test_a_gpt2() -> None:
    decoder = parsed(Shape("gpt2", tied=True), n_inner=None)
    assert decoder.rope is None
    assert decoder.intermediate_size == 4 * decoder.hidden_size
    assert decoder.activation == "gelu_tanh"
    assert decoder.tied_embedding


def test_gpt2_is_tied_and_llama_by_its_tensors_where_the_config_does_not_say() -> None:
    assert parsed(Shape("gpt2"), tie_word_embeddings=None).tied_embedding
    assert not parsed(tie_word_embeddings=None, has_head=True).tied_embedding
    assert parsed(tie_word_embeddings=None, has_head=False).tied_embedding


@pytest.mark.parametrize(
    ("shape", "biases"),
    [
        (Shape("llama", bias=True), (True, True, True, False)),
        (Shape("qwen2"), (True, False, False, False)),
        (Shape("qwen3"), (False, False, False, True)),
        (Shape("qwen3", bias=True), (True, True, False, True)),
        (Shape("mistral", bias=True), (False, False, False, False)),
    ],
    ids=lambda value: value.architecture if isinstance(value, Shape) else "",
)
def test_biases_and_norms_by_architecture(shape: Shape, biases: tuple[bool, ...]) -> None:
    decoder = parsed(shape)
    assert (decoder.qkv_bias, decoder.output_bias, decoder.mlp_bias, decoder.qk_norm) == biases


def test_both_spellings_of_rope() -> None:
    expected = Rope(500000.0, Llama3Scaling(8.0, 1.0, 4.0, 32))
    assert parsed(rope_theta=500000.0, rope_scaling=LLAMA_3).rope == expected
    assert parsed(rope_theta=None, rope_parameters=LLAMA_3 | {"rope_theta": 500000.0}).rope == expected
    assert parsed(rope_theta=1e6, rope_scaling={"type": "default"}).rope == Rope(1e6)


def test_a_sliding_window_counts_where_the_context_is_longer() -> None:
    assert parsed(Shape("mistral"), sliding_window=64).windows == Windows(64, (0, 1))
    assert parsed(Shape("mistral"), sliding_window=128).windows is None
    assert parsed(Shape("mistral"), sliding_window=None).windows is None
    assert parsed(Shape("llama"), sliding_window=64).windows is None
    assert parsed(Shape("qwen2"), sliding_window=64).windows is None
    assert parsed(Shape("qwen2"), sliding_window=64, use_sliding_window=True, max_window_layers=1).windows == Windows(
        64, (1,)
    )
    kinds = ["sliding_attention", "full_attention"]
    assert parsed(Shape("qwen3"), sliding_window=64, layer_types=kinds).windows == Windows(64, (0,))


@pytest.mark.parametrize("kinds", [["full_attention"], ["full_attention", "linear_attention"]])
def test_layers_of_unknown_kinds_are_refused(kinds: list[str]) -> None:
    with pytest.raises(UnsupportedModelError, match="layer_types"):
        parsed(Shape("qwen3"), sliding_window=64, layer_types=kinds)


def test_a_gemma3() -> None:
    decoder = parsed(Shape("gemma3_text", tied=True, layers=6, head_size=32, window=16), layer_types=None)
    assert decoder.windows == Windows(16, (0, 1, 2, 3, 4), Rope(10_000.0)), "every sixth layer sees everything"
    assert decoder.rope == Rope(1_000_000.0)
    assert (decoder.activation, decoder.qk_norm, decoder.post_norms) == ("gelu_tanh", True, True)
    assert (decoder.embedding_scale, decoder.attention_scale) == (8.0, 0.125)
    assert decoder.logit_cap == 0.0
    assert parsed(Shape("gemma3_text"), tie_word_embeddings=None).tied_embedding
    assert parsed(Shape("gemma3_text", logit_cap=30.0)).logit_cap == 30.0


def test_gemma3_in_the_newer_spelling() -> None:
    ropes = {
        "sliding_attention": {"rope_type": "default", "rope_theta": 20_000.0},
        "full_attention": {"rope_type": "default", "rope_theta": 500_000.0},
    }
    shape = Shape("gemma3_text", layers=3, window=16)
    decoder = parsed(shape, rope_theta=None, rope_local_base_freq=None, rope_parameters=ropes)
    assert decoder.rope == Rope(500_000.0)
    assert decoder.windows == Windows(16, (0, 1), Rope(20_000.0))
    with pytest.raises(FormatError, match="rope_theta"):
        parsed(shape, rope_theta=None)
    with pytest.raises(UnsupportedModelError, match="attn_logit_softcapping"):
        parsed(shape, attn_logit_softcapping=50.0)
    with pytest.raises(UnsupportedModelError, match="come after"):
        parsed(shape, use_bidirectional_attention=True)


def test_a_phi3() -> None:
    decoder = parsed(Shape("phi3", window=100), auto_map={"AutoModel": "code.Model"}, partial_rotary_factor=0.5)
    assert decoder.windows == Windows(100, (0, 1))
    assert decoder.rotary_size == 8
    assert not (decoder.qkv_bias or decoder.output_bias or decoder.mlp_bias)
    assert parsed(Shape("phi3")).rotary_size == 0
    with pytest.raises(FormatError, match="even part"):
        parsed(Shape("phi3"), partial_rotary_factor=0.2)
    with pytest.raises(FormatError, match="long_factor"):
        parsed(Shape("phi3"), original_max_position_embeddings=64, rope_scaling={"type": "su", "long_factor": [1.0]})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "mamba"}, "'mamba' is not one of"),
        ({"model_type": None}, "without a name"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "program code"),
        ({"quantization_config": {"bits": 4}}, "already quantised"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "does not write text"),
        ({"hidden_act": "relu"}, "'relu'"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 4.0}}, "'dynamic'"),
        ({"partial_rotary_factor": 0.5}, "part of each head"),
    ],
    ids=str,
)
def test_obstacles_are_named(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnsupportedModelError, match=reason) as caught:
        parsed(**changes)
    assert any(reason.strip("'") in line for line in caught.value.reasons)


def test_all_general_obstacles_come_at_once() -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        parsed(auto_map={"a": "b"}, quantization_config={"bits": 4})
    assert len(caught.value.reasons) == 2


@pytest.mark.parametrize("changes", [{"scale_attn_by_inverse_layer_idx": True}, {"add_cross_attention": True}], ids=str)
def test_odd_gpt2s_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedModelError):
        parsed(Shape("gpt2"), **changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_size": None},
        {"hidden_size": "64"},
        {"hidden_size": 0},
        {"hidden_size": 1 << 40},
        {"hidden_size": True},
        {"num_key_value_heads": 3},
        {"head_dim": 15},
        {"head_dim": None, "hidden_size": 66},
        {"rms_norm_eps": "small"},
        {"rope_theta": 0},
        {"rope_scaling": LLAMA_3 | {"low_freq_factor": 4.0}},
        {"rope_scaling": [1]},
        {"tie_word_embeddings": "yes"},
        {"num_hidden_layers": 10**6},
        {"max_position_embeddings": None},
    ],
    ids=str,
)
def test_impossible_sizes_are_refused_by_the_fields_name(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match=r"config\.json"):
        parsed(**changes)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=4,
)


@given(st.sampled_from(sorted(config(Shape()))), json_values, st.sampled_from(["llama", "gpt2", "qwen3"]))
@settings(max_examples=300)
def test_any_value_in_any_field_is_understood_or_refused(field: str, value: Any, architecture: Any) -> None:
    with contextlib.suppress(FormatError, UnsupportedModelError):
        parsed(Shape(architecture), **{field: value})
