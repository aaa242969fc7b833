"""Symmetric int8 in blocks of 64 along the input dimension: what the ONNX file, onnxruntime and the canister share."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError

Quantisation = Literal["int8", "f32"]

BLOCK_SIZE = 64
LEVELS = 127  # -128 is never used: the numbers are symmetric

Floats = npt.NDArray[np.float32]
Integers8 = npt.NDArray[np.int8]


def quantise(values: Floats, block_size: int) -> tuple[Integers8, Floats]:
    """The integers [inputs, outputs] and scales [ceil(inputs / block_size), outputs] of `values` [inputs, outputs].

    scale = greatest magnitude of the block / 127; integer = value / scale, rounded to nearest, halves to even. The
    last block may be shorter. A block without a normal scale (all but zero) becomes zeros with scale 0.
    Raises FormatError when a value is NaN or infinite.
    """
    greatest: Floats = np.maximum.reduceat(np.abs(values), np.arange(0, len(values), block_size), axis=0)
    if not np.isfinite(greatest).all():
        raise FormatError("The model holds weights that are not numbers (NaN or infinity).")
    scales = (greatest / np.float32(LEVELS)).astype(np.float32)
    scales[scales < np.finfo(np.float32).tiny] = 0.0
    divisors = np.where(scales > 0.0, scales, np.float32(np.inf)).astype(np.float32)  # x / inf = 0
    quotients = values / np.repeat(divisors, block_size, axis=0)[: len(values)]
    return np.rint(quotients).astype(np.int8), scales


def dequantise(integers: Integers8, scales: Floats, block_size: int) -> Floats:
    """What `quantise` kept: integer * scale, [inputs, outputs]."""
    return integers.astype(np.float32) * np.repeat(scales, block_size, axis=0)[: len(integers)]
