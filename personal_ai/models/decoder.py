"""What a decoder is, whatever checkpoint it came from: sizes, norms, positions, and the names of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Activation = Literal["silu", "gelu", "gelu_tanh"]
WeightKind = Literal["vector", "matrix", "embedding", "table"]


@dataclass(frozen=True, slots=True)
class Llama3Scaling:
    """Stretches rotary positions over a longer context, as Llama 3.1 does: slow waves by `factor`, fast ones not."""

    factor: float
    low_frequency_factor: float
    high_frequency_factor: float
    original_context_length: int
    kind: Literal["llama3"] = "llama3"


@dataclass(frozen=True, slots=True)
class PairScaling:
    """Slows the wave of each pair by a divisor of its own, and enlarges all cosines and sines by `amplitude`."""

    divisors: tuple[float, ...]
    amplitude: float = 1.0
    kind: Literal["pairs"] = "pairs"


RopeScaling = Llama3Scaling | PairScaling


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary positions: the angle of pair i at position p is p * theta ** (-2i / head_size)."""

    theta: float
    scaling: RopeScaling | None = None


@dataclass(frozen=True, slots=True)
class Windows:
    """Layers (by number, rising) in which a token sees the last `size` positions alone, itself counted.

    rope: how they turn positions, where it is not as in the other layers.
    """

    size: int
    layers: tuple[int, ...]
    rope: Rope | None = None


@dataclass(frozen=True, slots=True)
class Decoder:
    """One decoder-only transformer.

    With `rope` it is Llama-like (RMS norm, gated MLP); without, it is GPT-2-like (layer norm with bias, learned
    positions, plain MLP). `attention_size` is heads * head_size, which need not be the hidden size.

    post_norms: attention and MLP are normed once more before they are added. embedding_scale: what looked-up rows are
    multiplied by. attention_scale: what scores are multiplied by (None: 1 / sqrt(head_size)). rotary_size: how many
    elements of each head are turned (0: all). logit_cap: a logit x becomes cap * tanh(x / cap) (0: not).
    """

    architecture: str
    vocabulary_size: int
    hidden_size: int
    layer_count: int
    head_count: int
    key_value_head_count: int
    head_size: int
    intermediate_size: int
    context_length: int
    norm_epsilon: float
    activation: Activation
    rope: Rope | None
    tied_embedding: bool
    qkv_bias: bool
    output_bias: bool
    mlp_bias: bool
    qk_norm: bool
    windows: Windows | None = None
    post_norms: bool = False
    embedding_scale: float = 1.0
    attention_scale: float | None = None
    rotary_size: int = 0
    logit_cap: float = 0.0

    @property
    def attention_size(self) -> int:
        return self.head_count * self.head_size

    @property
    def key_value_size(self) -> int:
        return self.key_value_head_count * self.head_size


@dataclass(frozen=True, slots=True)
class Weight:
    """One weight of the graph. A matrix is [inputs, outputs]; an embedding [vocabulary, hidden size]."""

    name: str
    kind: WeightKind
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of values."""
        count = 1
        for dimension in self.shape:
            count *= dimension
        return count


def weights(decoder: Decoder) -> Iterator[Weight]:
    """Every weight that the decoder's checkpoint must hold, in the order in which the graph uses them.

    A tied head is not among them: it is the embedding.
    """
    hidden = decoder.hidden_size
    yield Weight("embed.weight", "embedding", (decoder.vocabulary_size, hidden))
    if decoder.rope is None:
        yield Weight("position.weight", "table", (decoder.context_length, hidden))
    for layer in range(decoder.layer_count):
        yield from _layer_weights(decoder, f"layers.{layer}")
    yield from _norm(decoder, "final_norm", hidden)
    if not decoder.tied_embedding:
        yield Weight("head.weight", "matrix", (hidden, decoder.vocabulary_size))


def _layer_weights(decoder: Decoder, layer: str) -> Iterator[Weight]:
    hidden, inner = decoder.hidden_size, decoder.intermediate_size
    attention, mlp = f"{layer}.attention", f"{layer}.mlp"
    yield from _norm(decoder, f"{attention}.norm", hidden)
    yield from _linear(f"{attention}.q", hidden, decoder.attention_size, decoder.qkv_bias)
    yield from _linear(f"{attention}.k", hidden, decoder.key_value_size, decoder.qkv_bias)
    yield from _linear(f"{attention}.v", hidden, decoder.key_value_size, decoder.qkv_bias)
    if decoder.qk_norm:
        yield Weight(f"{attention}.q_norm.weight", "vector", (decoder.head_size,))
        yield Weight(f"{attention}.k_norm.weight", "vector", (decoder.head_size,))
    yield from _linear(f"{attention}.o", decoder.attention_size, hidden, decoder.output_bias)
    if decoder.post_norms:
        yield from _norm(decoder, f"{attention}.post_norm", hidden)
    yield from _norm(decoder, f"{mlp}.norm", hidden)
    if decoder.rope is not None:
        yield from _linear(f"{mlp}.gate", hidden, inner, decoder.mlp_bias)
    yield from _linear(f"{mlp}.up", hidden, inner, decoder.mlp_bias)
    yield from _linear(f"{mlp}.down", inner, hidden, decoder.mlp_bias)
    if decoder.post_norms:
        yield from _norm(decoder, f"{mlp}.post_norm", hidden)


def _norm(decoder: Decoder, name: str, size: int) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", "vector", (size,))
    if decoder.rope is None:
        yield Weight(f"{name}.bias", "vector", (size,))


def _linear(name: str, inputs: int, outputs: int, bias: bool) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", "matrix", (inputs, outputs))
    if bias:
        yield Weight(f"{name}.bias", "vector", (outputs,))
