"""Tables of cosines and sines, and the rotary positions that they were made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError
from personal_ai.models.quantisation import Floats

_DIFFERENCE_MAX = 1e-3  # of a table made anew, at the last positions of f32 angles
_THETA = 10_000.0

Floats64 = npt.NDArray[np.float64]


def rope_of_tables(cosines: Floats, sines: Floats) -> dict[str, Any]:
    """The fields of config.json that give these tables [positions, pairs]. Raises FormatError.

    Where the waves are those of one theta, it is named, as a number of six digits. Otherwise the pairs' divisors are.
    """
    if cosines.shape != sines.shape or cosines.shape[0] < 2 or not np.isfinite([cosines, sines]).all():
        raise FormatError("The ONNX file's tables of positions are broken.")
    amplitude = float(np.hypot(cosines[0, 0], sines[0, 0]))
    angles = np.arctan2(sines.astype(np.float64), cosines.astype(np.float64))
    frequencies = _frequencies(angles)
    pairs = len(frequencies)
    theta = float(f"{frequencies[-1] ** (-pairs / max(pairs - 1, 1)):.6g}") if frequencies[-1] > 0 else 0.0
    if theta > 1.0 and abs(amplitude - 1.0) < _DIFFERENCE_MAX and _agree(angles, theta):
        return {"rope_theta": theta}
    if not (frequencies > 0).all():
        raise FormatError("The ONNX file's tables of positions are broken.")
    plain = _THETA ** (-np.arange(pairs) / pairs)
    divisors = [float(divisor) for divisor in plain / frequencies]
    both = {"short_factor": divisors, "long_factor": divisors, "attention_factor": amplitude}
    scaling = {"rope_type": "longrope", "original_max_position_embeddings": len(angles), **both}
    return {"rope_theta": _THETA, "rope_scaling": scaling}


def _frequencies(angles: Floats64) -> Floats64:
    """Angle per position of each pair, from ever later rows: each doubles the number of digits that are certain."""
    frequencies: Floats64 = angles[1].copy()
    row = 2
    while row < len(angles):
        turns = np.rint((row * frequencies - angles[row]) / (2 * np.pi))
        frequencies = np.asarray((angles[row] + 2 * np.pi * turns) / row)
        row *= 2
    return frequencies


def _agree(angles: Floats64, theta: float) -> bool:
    pairs = angles.shape[1]
    expected = (len(angles) - 1) * theta ** (-np.arange(pairs, dtype=np.float64) / pairs)
    difference = np.exp(1j * expected) - np.exp(1j * angles[-1])
    return bool(np.abs(difference).max() < max(_DIFFERENCE_MAX, 1e-6 * len(angles)))
