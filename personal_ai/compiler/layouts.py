"""Layouts of weights that the engine is faster with and that take more heap, none of which changes the file's size."""

from __future__ import annotations

from typing import Final

from personal_ai.compiler.format import Element
from personal_ai.compiler.ir import Weight, WeightSource
from personal_ai.compiler.packing import PackedI8, ScreenedI8

SCREENED_OUTPUTS_MIN: Final = 4096  # of fewer, a head's exact part would be too large a share


def fastest(weight: Weight, vocabulary_size: int) -> tuple[Element, WeightSource]:
    """Element and source: 4 bits in bytes; heads of 8 bits, and the embeddings that they are tied to, screened."""
    if weight.element is Element.I4_BLOCK_PACKED:
        return Element.I4_BLOCK_BYTES, weight.source
    if isinstance(weight.source, PackedI8) and weight.rows == vocabulary_size >= SCREENED_OUTPUTS_MIN:
        return Element.I8_SCREENED, ScreenedI8(weight.source.matrix)
    return weight.element, weight.source
