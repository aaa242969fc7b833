"""Rotary positions as tables of cosines and sines."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from personal_ai.models.decoder import Llama3Scaling, PairScaling, Rope

Floats64 = npt.NDArray[np.float64]


def rope_tables(rope: Rope, head_size: int, length: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Cosines and sines, each [length, head_size / 2], computed in float64 and rounded once."""
    frequencies = rope.theta ** (-np.arange(0, head_size, 2, dtype=np.float64) / head_size)
    amplitude = 1.0
    match rope.scaling:
        case Llama3Scaling():
            frequencies = _scaled(frequencies, rope.scaling)
        case PairScaling():
            frequencies = frequencies / np.asarray(rope.scaling.divisors)
            amplitude = rope.scaling.amplitude
    angles = np.arange(length, dtype=np.float64)[:, None] * frequencies[None, :]
    return (amplitude * np.cos(angles)).astype(np.float32), (amplitude * np.sin(angles)).astype(np.float32)


def _scaled(frequencies: Floats64, scaling: Llama3Scaling) -> Floats64:
    """Llama 3.1's rule: waves longer than the original context are slowed by `factor`, short ones kept, and those
    between are blended in proportion to how often they fit into the original context.
    """
    waves_in_context = scaling.original_context_length * frequencies / (2 * math.pi)
    low, high = scaling.low_frequency_factor, scaling.high_frequency_factor
    kept = np.clip((waves_in_context - low) / (high - low), 0.0, 1.0)
    return frequencies * (kept + (1.0 - kept) / scaling.factor)
