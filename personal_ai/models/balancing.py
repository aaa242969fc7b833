"""Moves the size of a norm's channels into the matrices behind it, by powers of two, which changes no answer.

A block of 64 inputs has one scale. Where a norm makes a channel large, training (or anybody who rescales a model) may
have made the weights behind it small: beside others of their block they would be rounded to nothing, and the large
channel would multiply the loss. With the norm's gain at 1 and the weights larger by as much, all inputs of a block
count alike. Powers of two are exact: norm and matrix together compute the same numbers, bit for bit.
"""

from __future__ import annotations

import re

import numpy as np

from personal_ai.models.decoder import Decoder, Weight
from personal_ai.models.quantisation import Floats
from personal_ai.models.sources import WeightSource

_EXPONENT_MAX = 24  # channels beyond 2^±24 are all but unused or broken, and stay as they are
_BEHIND = {  # the matrices that read what a norm makes
    **{f"attention.{part}.weight": "attention.norm" for part in "qkv"},
    **{f"mlp.{part}.weight": "mlp.norm" for part in ("gate", "up")},
}


class BalancedSource:
    """A `WeightSource` whose norms in front of matrices have gains within [√½, √2]."""

    def __init__(self, source: WeightSource, decoder: Decoder) -> None:
        self._source, self._decoder = source, decoder
        self._factors: dict[str, Floats] = {}

    def vector(self, weight: Weight) -> Floats:
        values = self._source.vector(weight)
        norm, _, part = weight.name.rpartition(".")
        if part in ("weight", "bias") and self._is_balanced(norm):
            return np.asarray(values / self._factor(norm), dtype=np.float32)
        return values

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        values = self._source.columns(weight, start, stop)
        norm = self._norm_before(weight.name)
        return values if norm is None else np.asarray(values * self._factor(norm)[:, None], dtype=np.float32)

    def _is_balanced(self, norm: str) -> bool:
        if norm == "final_norm":
            return not self._decoder.tied_embedding  # the embedding is read by tokens too
        return re.fullmatch(r"layers\.\d+\.(attention|mlp)\.norm", norm) is not None

    def _norm_before(self, matrix: str) -> str | None:
        if matrix == "head.weight":
            return "final_norm"
        layer = re.fullmatch(r"(layers\.\d+)\.(.+)", matrix)
        return f"{layer[1]}.{_BEHIND[layer[2]]}" if layer and layer[2] in _BEHIND else None

    def _factor(self, norm: str) -> Floats:
        """The power of two that is nearest to each channel's gain, [channels]."""
        if norm not in self._factors:
            gains = np.abs(self._source.vector(Weight(f"{norm}.weight", "vector", (self._decoder.hidden_size,))))
            usable = (gains >= 2.0**-_EXPONENT_MAX) & (gains <= 2.0**_EXPONENT_MAX)
            exponents = np.rint(np.log2(np.where(usable, gains, 1.0)))
            self._factors[norm] = np.exp2(exponents).astype(np.float32)
        return self._factors[norm]
