"""What a config.json says about rotary positions and their scaling, as a `Rope`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.decoder import Llama3Scaling, PairScaling, Rope, RopeScaling
from personal_ai.models.fields import Fields

_MAX_CONTEXT = 1 << 24
_MAX_PAIRS = 512
_GREATEST = 1e6


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a scaling may depend on. `original_length`: the context that the model was first trained with."""

    theta: float
    rotary_size: int
    longest_context_length: int
    original_length: int
    context_length: int


def parse_rope(config: Fields, scaling: Fields, *, rotary_size: int, context_length: int) -> Rope:
    """Reads both spellings: rope_theta with rope_scaling, and transformers 5's rope_parameters.

    scaling: the object that names the kind. rotary_size: how many elements of a head turn. context_length: of the
    package. Raises UnsupportedModelError for an unknown kind, FormatError.
    """
    theta = scaling.number("rope_theta", 1.0, 1e12, config.number("rope_theta", 1.0, 1e12, 10_000.0))
    kind = scaling.text("rope_type", 64, scaling.text("type", 64, "default"))
    if kind == "default":
        return Rope(theta)
    if kind not in _KINDS:
        raise UnsupportedModelError(
            "This model cannot be imported.",
            (f"Its positions are scaled by {kind!r}; known are 'default', {', '.join(map(repr, sorted(_KINDS)))}.",),
        )
    longest = config.integer("max_position_embeddings", 1, _MAX_CONTEXT)
    original = config.integer("original_max_position_embeddings", 1, _MAX_CONTEXT, longest)
    wanted = _Wanted(
        theta,
        rotary_size,
        longest,
        scaling.integer("original_max_position_embeddings", 1, _MAX_CONTEXT, original),
        context_length,
    )
    return Rope(theta, _KINDS[kind](scaling, wanted))


def _linear(scaling: Fields, wanted: _Wanted) -> PairScaling:
    """All waves slowed alike (Chen et al. 2023, position interpolation)."""
    factor = scaling.number("factor", 1.0, _GREATEST)
    return PairScaling((factor,) * (wanted.rotary_size // 2))


def _llama3(scaling: Fields, wanted: _Wanted) -> Llama3Scaling:
    low, high = (scaling.number(f"{end}_freq_factor", 1e-3, _GREATEST) for end in ("low", "high"))
    if high <= low:
        raise FormatError("config.json: high_freq_factor must be greater than low_freq_factor.")
    original = scaling.integer("original_max_position_embeddings", 1, _MAX_CONTEXT)
    return Llama3Scaling(scaling.number("factor", 1.0, _GREATEST), low, high, original)


def _yarn(scaling: Fields, wanted: _Wanted) -> PairScaling:
    """Peng et al. 2023: waves that turn more than beta_fast times within the original context are kept, those that
    turn less than beta_slow times are slowed by the factor, and those between are blended by their number.
    """
    factor = scaling.number("factor", 1.0, _GREATEST)
    fast, slow = scaling.number("beta_fast", 1e-3, _GREATEST, 32.0), scaling.number("beta_slow", 1e-3, _GREATEST, 1.0)
    if wanted.theta <= 1.0 or slow > fast:
        raise FormatError("config.json: rope_theta, beta_fast and beta_slow do not fit YaRN.")

    def pair_turning(times: float) -> float:
        """The number of the pair that turns so often within the original context."""
        slowest = wanted.original_length / (times * 2.0 * math.pi)
        return wanted.rotary_size * math.log(slowest) / (2.0 * math.log(wanted.theta))

    first, last = pair_turning(fast), pair_turning(slow)
    if scaling.boolean("truncate", True):
        first, last = math.floor(first), math.ceil(last)
    first, last = max(first, 0.0), min(last, wanted.rotary_size - 1.0)
    width = last - first or 1e-3
    divisors = []
    for pair in range(wanted.rotary_size // 2):
        slowed = min(max((pair - first) / width, 0.0), 1.0)
        divisors.append(1.0 / (slowed / factor + 1.0 - slowed))
    return PairScaling(tuple(divisors), _yarn_amplitude(scaling, factor))


def _yarn_amplitude(scaling: Fields, factor: float) -> float:
    def mscale(weight: float) -> float:
        return 0.1 * weight * math.log(factor) + 1.0

    if "attention_factor" in scaling:
        return scaling.number("attention_factor", 1e-3, _GREATEST)
    if "mscale" in scaling and "mscale_all_dim" in scaling:  # DeepSeek's way; both 0 means nothing
        own, common = (scaling.number(name, 0.0, _GREATEST) for name in ("mscale", "mscale_all_dim"))
        if own and common:
            return mscale(own) / mscale(common)
    return mscale(1.0)


def _long(scaling: Fields, wanted: _Wanted) -> PairScaling:
    """LongRoPE (Ding et al. 2024), as Phi-3 has it: a divisor for each pair, one list for contexts up to the original
    and one beyond. The package's context decides which; the makers' code changes lists in the middle of a text.
    """
    name = "short_factor" if wanted.context_length <= wanted.original_length else "long_factor"
    divisors = scaling.numbers(name, 1e-3, _GREATEST, _MAX_PAIRS)
    if len(divisors) != wanted.rotary_size // 2:
        raise FormatError(f"config.json: {name!r} must have a number for each pair of a head.")
    factor = wanted.longest_context_length / wanted.original_length
    usual = math.sqrt(1.0 + math.log(factor) / math.log(wanted.original_length)) if factor > 1.0 else 1.0
    return PairScaling(divisors, scaling.number("attention_factor", 1e-3, _GREATEST, usual))


_KINDS: Final[dict[str, Callable[[Fields, _Wanted], RopeScaling]]] = {
    "linear": _linear,
    "llama3": _llama3,
    "longrope": _long,
    "su": _long,  # its first name
    "yarn": _yarn,
}
