"""Where the numbers of a model come from."""

from __future__ import annotations

from typing import Protocol

from personal_ai.models.decoder import Weight
from personal_ai.models.quantisation import Floats


class WeightSource(Protocol):
    """Weights in the layout of `decoder.weights`. Both raise FormatError when the checkpoint breaks its format."""

    def vector(self, weight: Weight) -> Floats:
        """A whole vector or table, in the weight's shape."""

    def columns(self, weight: Weight, start: int, stop: int) -> Floats:
        """A matrix's outputs start..stop as [inputs, stop - start]; an embedding's rows likewise, transposed."""
