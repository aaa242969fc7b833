"""What becomes of a checkpoint's matrices when they are rounded: how many weights lie at a format's last level, and how
many lay beyond it and were cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from personal_ai.models.balancing import BalancedSource
from personal_ai.models.decoder import weights
from personal_ai.models.detection import open_foreign
from personal_ai.models.huggingface import parse_decoder
from personal_ai.models.onnx_file import takes_int4
from personal_ai.models.quantisation import BLOCK_SIZE, Floats, Integers8, Quantisation, quantise, quantise_int4

_LEVELS: Final = {4: (-8, 7), 8: (-127, 127)}
_QUANTISE: Final[dict[int, Callable[[Floats, int], tuple[Integers8, Floats]]]] = {4: quantise_int4, 8: quantise}


@dataclass(frozen=True)
class Rounded:
    """Numbers of weights."""

    all: int = 0
    at_limit: int = 0
    cut_off: int = 0

    def __add__(self, other: Rounded) -> Rounded:
        return Rounded(self.all + other.all, self.at_limit + other.at_limit, self.cut_off + other.cut_off)


def rounded_weights(source: Path, quantisation: Quantisation) -> Rounded:
    """Of all weights that the format rounds to its own number of bits: int4 keeps the most sensitive at 8."""
    total = Rounded()
    with open_foreign(source) as model:
        decoder = parse_decoder(model.config, has_head=model.checkpoint.has_head)
        model.checkpoint.check(decoder)
        balanced = BalancedSource(model.checkpoint, decoder)
        for weight in weights(decoder):
            if weight.kind not in ("matrix", "embedding") or (quantisation == "int4" and not takes_int4(weight)):
                continue
            outputs = weight.shape[1 if weight.kind == "matrix" else 0]
            total += rounded(balanced.columns(weight, 0, outputs), bits=4 if quantisation == "int4" else 8)
    return total


def rounded(values: Floats, bits: int) -> Rounded:
    """`values` [inputs, outputs] as the importer rounds them."""
    lowest, highest = _LEVELS[bits]
    integers, scales = _QUANTISE[bits](values, BLOCK_SIZE)
    exact = _levels(values, scales)
    beyond = (exact < lowest - 0.5) | (exact > highest + 0.5)
    return Rounded(values.size, int(((integers == lowest) | (integers == highest)).sum()), int(beyond.sum()))


def _levels(values: Floats, scales: Floats) -> npt.NDArray[np.float32]:
    """The levels before they are rounded and cut off; 0 where a block has no scale."""
    by_input = np.repeat(scales, BLOCK_SIZE, axis=0)[: len(values)]
    return np.divide(values, by_input, out=np.zeros_like(values), where=by_input != 0)
