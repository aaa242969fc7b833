"""The roundings that tests.conformance.codebooks compares are the best of their kind."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from tests.conformance.codebooks import four_levels, in_blocks, measured, ternary
from tests.conformance.quantisation import GOLDEN, held_out

BLOCKS = np.random.default_rng(1).standard_normal((3, 6, 2)).astype(np.float32)


def _least_error(column: np.ndarray, levels: tuple[float, ...]) -> float:
    """Over all ways to give each number a level, each with the scale that is best for it."""
    errors = []
    for chosen in itertools.product(levels, repeat=len(column)):
        assigned = np.array(chosen)
        scale = max(0.0, column @ assigned / max(assigned @ assigned, 1e-9))
        errors.append(((column - scale * assigned) ** 2).sum())
    return min(errors)


def test_ternary_is_the_best_there_is() -> None:
    errors = ((ternary(BLOCKS) - BLOCKS) ** 2).sum(axis=1)
    for block, output in np.ndindex(errors.shape):
        assert errors[block, output] == pytest.approx(_least_error(BLOCKS[block, :, output], (-1, 0, 1)), rel=1e-4)


def test_four_levels_are_two_magnitudes_and_nearer_than_a_shared_codebook() -> None:
    matrix = np.random.default_rng(2).standard_normal((128, 8)).astype(np.float32)
    rounded = in_blocks(four_levels, 64)(matrix)
    for block in rounded.reshape(2, 64, 8).transpose(0, 2, 1).reshape(-1, 64):
        assert len(np.unique(np.abs(block))) == 2
    error = ((rounded - matrix) ** 2).mean()
    assert 0.09 < error < 0.1175  # 0.1175: four levels for normal numbers (Max, 1960); below, since they are fitted


def test_a_checkpoint_runs_with_its_matrices_rounded() -> None:
    text = held_out(GOLDEN / "llama", 1)
    coarse = measured("llama", text, "four levels", 64, in_blocks(four_levels, 64))
    assert 0.08 < coarse.squared_error < 0.13
    assert coarse.agreement < 1.0
