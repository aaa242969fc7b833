"""Weights as integers in blocks of 64 along the inputs: what the ONNX file, onnxruntime and the canister share."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError

Quantisation = Literal["int8", "int4", "f32"]
QUANTISATIONS: Final[tuple[Quantisation, ...]] = ("int8", "int4", "f32")

BLOCK_SIZE = 64
LEVELS = 127  # of int8; -128 is never used: the numbers are symmetric
INT4_LOWEST, INT4_HIGHEST = -8, 7

# Where the level -8 is tried, as parts of the block's extreme value: on Gaussian weights more places than these gain
# less than 2 % of the squared error, and fewer lose more.
_INT4_REACHES: Final = (0.7, 0.7875, 0.875, 0.9625, 1.05)
_VALUES_AT_ONCE = 1 << 18  # what the processor's cache holds while they are tried

Floats = npt.NDArray[np.float32]
Integers8 = npt.NDArray[np.int8]


def quantise(values: Floats, block_size: int) -> tuple[Integers8, Floats]:
    """The int8 integers [inputs, outputs] and scales [ceil(inputs / block_size), outputs] of `values`.

    values: [inputs, outputs]. scale = greatest magnitude of the block / 127; integer = value / scale, rounded to
    nearest, halves to even. The last block may be shorter. A block without a normal scale (all but zero) becomes zeros
    with scale 0. Raises FormatError when a value is NaN or infinite.
    """
    scales = (_greatest(values, block_size) / np.float32(LEVELS)).astype(np.float32)
    scales[scales < np.finfo(np.float32).tiny] = 0.0
    divisors = np.repeat(_divisors(scales), block_size, axis=0)[: len(values)]
    return np.rint(values / divisors).astype(np.int8), scales


def quantise_int4(values: Floats, block_size: int) -> tuple[Integers8, Floats]:
    """As `quantise`, with integers in [-8, 7] and the scale of each block that leaves the least squared error.

    A scale may be negative, so that the level -8, which has no counterpart, serves the side that needs it. Tried are
    the extreme value at several places around that level, on either side, each followed by the scale that is best for
    the integers it gives (least squares). Rounding is to nearest.
    """
    greatest = _greatest(values, block_size)
    inputs, outputs = values.shape
    blocks = -(-inputs // block_size)
    padded = np.zeros((blocks * block_size, outputs), dtype=np.float32)
    padded[:inputs] = values
    shaped = padded.reshape(blocks, block_size, outputs)
    # Squares are taken of numbers of at most 1, so that none overflows or vanishes.
    unit = np.divide(shaped, _divisors(_normal(greatest))[:, None], dtype=np.float32)
    step = max(1, _VALUES_AT_ONCE // (block_size * outputs))
    best = [_best_int4_scales(unit[start : start + step]) for start in range(0, blocks, step)]
    scales = _normal(np.concatenate(best) * greatest)
    integers = _int4_levels(shaped, scales).reshape(-1, outputs)[:inputs].astype(np.int8)
    return integers, scales


def dequantise(integers: Integers8, scales: Floats, block_size: int) -> Floats:
    """What was kept: integer * scale, [inputs, outputs]."""
    return integers.astype(np.float32) * np.repeat(scales, block_size, axis=0)[: len(integers)]


def pack_int4(integers: Integers8) -> npt.NDArray[np.uint8]:
    """Two to a byte in C order, the first in the low half, as ONNX stores INT4."""
    flat = integers.reshape(-1)
    padded = np.append(flat, np.int8(0)) if flat.size % 2 else flat
    halves = padded.view(np.uint8) & np.uint8(0xF)
    return np.asarray(halves[::2] | (halves[1::2] << np.uint8(4)), dtype=np.uint8)


def _greatest(values: Floats, block_size: int) -> Floats:
    """Greatest magnitude of each block. Raises FormatError when a value is NaN or infinite."""
    greatest: Floats = np.maximum.reduceat(np.abs(values), np.arange(0, len(values), block_size), axis=0)
    if not np.isfinite(greatest).all():
        raise FormatError("The model holds weights that are not numbers (NaN or infinity).")
    return greatest


def _divisors(scales: Floats) -> Floats:
    """The scales with infinity for 0: x / inf = 0."""
    return np.where(scales != 0.0, scales, np.float32(np.inf)).astype(np.float32)


def _best_int4_scales(blocks: Floats) -> Floats:
    """The scales [blocks, outputs] of values [blocks, inputs of a block, outputs]."""
    extremes = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)[:, 0]
    best = np.zeros_like(extremes)
    least = np.full_like(extremes, np.inf)
    for reach in _INT4_REACHES:
        for level in (INT4_LOWEST, -INT4_LOWEST):
            scales = _fitted(blocks, extremes * np.float32(reach / level))
            errors = _squared_errors(blocks, scales)
            better = errors < least
            best[better], least[better] = scales[better], errors[better]
    return best


def _fitted(blocks: Floats, scales: Floats) -> Floats:
    """The scale that is best for the integers that `scales` give."""
    levels = _int4_levels(blocks, scales)
    squares = np.maximum(_sums(levels * levels), np.float32(1.0))
    return np.asarray(_sums(levels * blocks) / squares, dtype=np.float32)


def _squared_errors(blocks: Floats, scales: Floats) -> Floats:
    errors = _int4_levels(blocks, scales) * scales[:, None] - blocks
    return _sums(errors * errors)


def _sums(blocks: Floats) -> Floats:
    """Over a block's inputs, in halves: an order that neither the number of columns nor the machine changes."""
    while (inputs := blocks.shape[1]) > 1:
        half = inputs // 2
        rest = blocks[:, 2 * half :]
        blocks = blocks[:, :half] + blocks[:, half : 2 * half]
        blocks[:, : rest.shape[1]] += rest
    return blocks[:, 0]


def _int4_levels(blocks: Floats, scales: Floats) -> Floats:
    levels: Floats = np.rint(blocks / _divisors(scales)[:, None])
    return levels.clip(INT4_LOWEST, INT4_HIGHEST)


def _normal(scales: Floats) -> Floats:
    """The scales, 0 for those that are no normal numbers."""
    return np.where(np.abs(scales) >= np.finfo(np.float32).tiny, scales, np.float32(0.0)).astype(np.float32)
