"""int8 in blocks: within half a step, halves to even, zeros safe."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from personal_ai.common.errors import FormatError
from personal_ai.models.quantisation import BLOCK_SIZE, dequantise, quantise

weights = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 150), st.integers(1, 4)),
    elements=st.one_of(st.floats(-4, 4, width=32), st.floats(-(2.0**100), 2.0**100, width=32), st.just(0.0)),
)


@given(weights)
@settings(max_examples=200, deadline=None)
def test_every_value_is_within_half_a_step(values: np.ndarray) -> None:
    integers, scales = quantise(values, BLOCK_SIZE)
    assert integers.shape == values.shape
    assert scales.shape == (-(-values.shape[0] // BLOCK_SIZE), values.shape[1])
    assert integers.min() >= -127
    steps = np.repeat(scales, BLOCK_SIZE, axis=0)[: len(values)].astype(np.float64)
    error = np.abs(integers * steps - values)
    assert (error <= steps * 0.5001 + 127 * np.finfo(np.float32).tiny).all()
    blocks = [slice(start, start + BLOCK_SIZE) for start in range(0, len(values), BLOCK_SIZE)]
    for index, block in enumerate(blocks):
        full = np.abs(integers[block]).max(axis=0)
        assert ((full == 127) | (scales[index] == 0)).all(), "the greatest value takes the last level"


@given(weights)
@settings(max_examples=50, deadline=None)
def test_columns_do_not_touch_each_other(values: np.ndarray) -> None:
    together, scales = quantise(values, BLOCK_SIZE)
    for column in range(values.shape[1]):
        alone, scale = quantise(values[:, column : column + 1], BLOCK_SIZE)
        assert np.array_equal(alone[:, 0], together[:, column])
        assert np.array_equal(scale[:, 0], scales[:, column])


def test_halves_go_to_the_even_neighbour() -> None:
    integers, scales = quantise(np.array([[127.0], [0.5], [1.5], [2.5], [-0.5], [-1.5]], dtype=np.float32), BLOCK_SIZE)
    assert scales.tolist() == [[1.0]]
    assert integers[:, 0].tolist() == [127, 0, 2, 2, 0, -2]


def test_a_block_of_nothing_stays_nothing() -> None:
    values = np.zeros((130, 2), dtype=np.float32)
    values[70, 1] = 1e-45
    integers, scales = quantise(values, BLOCK_SIZE)
    assert not integers.any()
    assert not scales.any()
    assert not dequantise(integers, scales, BLOCK_SIZE).any()


def test_a_second_time_changes_nothing() -> None:
    values = np.random.default_rng(1).standard_normal((200, 8), dtype=np.float32)
    once = dequantise(*quantise(values, BLOCK_SIZE), BLOCK_SIZE)
    again, _ = quantise(once, BLOCK_SIZE)
    assert np.array_equal(again, quantise(values, BLOCK_SIZE)[0])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_refused(broken: float) -> None:
    values = np.ones((70, 2), dtype=np.float32)
    values[69, 1] = broken
    with pytest.raises(FormatError, match="not numbers"):
        quantise(values, BLOCK_SIZE)
