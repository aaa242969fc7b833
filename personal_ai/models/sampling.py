"""Choosing the next token. The canister's engine does the same steps, bit for bit, from the same logits.

The algorithm. `logits` are float32, one for each token id; `context` is every token before the one to choose (prompt
and reply so far); `position` is their number. The real parameters are float32; "f64" means IEEE binary64, every
operation rounded on its own (no fused multiply-add), in the order written.

1. Make finite: NaN and -inf become the lowest finite float32, +inf the greatest.
2. Repetition penalty r (skipped when r = 1): for each distinct token of the context, logit := logit / r where the
   logit is > 0, else logit * r, in float32; then step 1 again (the product may overflow).
3. Temperature 0 is greedy: the answer is the lowest token id among the greatest logits. Nothing below applies.
4. top_k (skipped when 0): keep the k greatest logits; among equals the lower id is kept.
5. Weights in f64: w = exp((logit - greatest) / temperature), with `exp` as defined below. The greatest has w = 1.
6. top_p (skipped when >= 1): total = sum of the kept weights in ascending id order. Order the kept tokens by logit
   descending, then id ascending; keep the shortest prefix whose running sum is >= top_p * total (all, if none is).
7. min_p (skipped when 0): keep the tokens with w >= min_p.
8. Draw: c = running sum of the kept weights in ascending id order, total = its last value. The answer is the first
   token with c > u * total.

u = (mix(mix(seed) + (position + 1) * G) >> 11) * 2**-53 in [0, 1), all integers modulo 2**64, where G and mix are
SplitMix64's (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014):
G = 0x9E3779B97F4A7C15; mix(z): z ^= z >> 30; z *= 0xBF58476D1CE4E5B9; z ^= z >> 27; z *= 0x94D049BB133111EB;
z ^= z >> 31. A draw depends on (seed, position) alone: not on how a reply was cut into calls, nor on other draws.

exp(x) for x <= 0, in f64: 0 when x < -700. Else k = floor(x * LOG2_E + 0.5); r = (x - k * LN2_HIGH) - k * LN2_LOW;
p = 1/13!; for n = 12 down to 0: p = p * r + 1/n! (each 1/n! rounded to f64); the result is p * 2**k (exact).
LOG2_E, LN2_HIGH and LN2_LOW are the constants below. The relative error is below 2**-50.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LOG2_E = 1.4426950408889634
LN2_HIGH = 0.6931471803691238  # the first 33 bits of ln 2: k * LN2_HIGH is exact for |k| < 2**20
LN2_LOW = 1.9082149292705877e-10
_EXP_COEFFICIENTS = tuple(1.0 / math.factorial(n) for n in range(13, -1, -1))
_EXP_LOWEST = -700.0

_GOLDEN_GAMMA = 0x9E3779B97F4A7C15
_MASK_64 = (1 << 64) - 1

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; the default is greedy.

    temperature >= 0 (0: greedy); top_k >= 0 (0: off); 0 < top_p <= 1; 0 <= min_p <= 1; repetition_penalty > 0;
    seed in [0, 2**64). Raises ValueError for anything else.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        _require(0.0 <= self.temperature <= 100.0, "temperature must be in [0, 100]")
        _require(0 <= self.top_k < 1 << 32, "top_k must be in [0, 2**32)")
        _require(0.0 < self.top_p <= 1.0, "top_p must be in (0, 1]")
        _require(0.0 <= self.min_p <= 1.0, "min_p must be in [0, 1]")
        _require(0.01 <= self.repetition_penalty <= 100.0, "repetition_penalty must be in [0.01, 100]")
        _require(0 <= self.seed <= _MASK_64, "seed must be in [0, 2**64)")


def sample(logits: Floats32, context: Collection[int], sampling: Sampling) -> int:
    """The next token after `context`; `logits` has shape [vocabulary] and is not changed. See the module's text."""
    values = _finite(logits)
    if sampling.repetition_penalty != 1.0:
        values = _penalised(values, context, np.float32(sampling.repetition_penalty))
    temperature = np.float32(sampling.temperature)
    if temperature == 0.0:
        return int(np.argmax(values))
    tokens = _top_k(values, sampling.top_k)
    kept = values[tokens].astype(np.float64)
    weights = exp((kept - kept.max()) / np.float64(temperature))
    for keep in (_top_p(kept, weights, np.float32(sampling.top_p)), weights >= np.float64(np.float32(sampling.min_p))):
        weights = np.where(keep, weights, 0.0)
    sums = np.cumsum(weights)
    chosen = np.searchsorted(sums, uniform(sampling.seed, len(context)) * sums[-1], side="right")
    return int(tokens[chosen])


def uniform(seed: int, position: int) -> float:
    """The random number in [0, 1) of one position."""
    return float(_mix((_mix(seed) + (position + 1) * _GOLDEN_GAMMA) & _MASK_64) >> 11) * 2.0**-53


def exp(x: Floats64) -> Floats64:
    """e**x for x <= 0, the same bits on every machine."""
    bounded = np.maximum(x, _EXP_LOWEST)
    k = np.floor(bounded * LOG2_E + 0.5)
    r = (bounded - k * LN2_HIGH) - k * LN2_LOW
    p = np.full_like(r, _EXP_COEFFICIENTS[0])
    for coefficient in _EXP_COEFFICIENTS[1:]:
        p = p * r + coefficient
    return np.where(x < _EXP_LOWEST, 0.0, np.ldexp(p, k.astype(np.int32)))


def _finite(logits: Floats32) -> Floats32:
    lowest, greatest = float(np.finfo(np.float32).min), float(np.finfo(np.float32).max)
    return np.nan_to_num(logits, nan=lowest, neginf=lowest, posinf=greatest)


def _penalised(values: Floats32, context: Collection[int], penalty: np.float32) -> Floats32:
    seen = np.unique(np.fromiter(context, dtype=np.int64, count=len(context)))
    seen = seen[(seen >= 0) & (seen < len(values))]
    with np.errstate(over="ignore"):
        values[seen] = np.where(values[seen] > 0, values[seen] / penalty, values[seen] * penalty)
    return _finite(values)


def _top_k(values: Floats32, k: int) -> Indices:
    """The ids of the k greatest values, ascending; of equal values the lower ids."""
    if k == 0 or k >= len(values):
        return np.arange(len(values))
    least = np.partition(values, len(values) - k)[len(values) - k]
    above = np.flatnonzero(values > least)
    equal = np.flatnonzero(values == least)
    return np.sort(np.concatenate((above, equal[: k - len(above)])))


def _top_p(values: Floats64, weights: Floats64, top_p: np.float32) -> npt.NDArray[np.bool_]:
    keep = np.ones(len(values), dtype=np.bool_)
    if top_p >= 1.0:
        return keep
    order = np.argsort(-values, kind="stable")
    sums = np.cumsum(weights[order])
    enough = np.float64(top_p) * np.cumsum(weights)[-1]
    keep[order[int(np.searchsorted(sums, enough, side="left")) + 1 :]] = False
    return keep


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK_64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK_64
    return z ^ (z >> 31)


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)
