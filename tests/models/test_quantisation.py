"""Integers in blocks: int8 within half a step, int4 nearer than plain rounding, zeros and extremes safe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from personal_ai.common.errors import FormatError
from personal_ai.models.quantisation import (
    BLOCK_SIZE,
    Floats,
    Integers8,
    dequantise,
    pack_int4,
    quantise,
    quantise_int4,
)

Method = Callable[[Floats, int], tuple[Integers8, Floats]]

weights = hnp.arrays(
    np.float32,
    st.tuples(st.integers(1, 150), st.integers(1, 4)),
    elements=st.one_of(st.floats(-4, 4, width=32), st.floats(-(2.0**100), 2.0**100, width=32), st.just(0.0)),
)


@given(weights)
@settings(max_examples=200)
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
@settings(max_examples=50)
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
@pytest.mark.parametrize("method", [quantise, quantise_int4])
def test_what_is_no_number_is_refused(broken: float, method: Method) -> None:
    values = np.ones((70, 2), dtype=np.float32)
    values[69, 1] = broken
    with pytest.raises(FormatError, match="not numbers"):
        method(values, BLOCK_SIZE)


def squared_error(values: np.ndarray, integers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Of each block, [blocks, outputs], in float64."""
    steps = np.repeat(scales.astype(np.float64), BLOCK_SIZE, axis=0)[: len(values)]
    return np.add.reduceat((integers * steps - values) ** 2, np.arange(0, len(values), BLOCK_SIZE), axis=0)


def rounded_to_int4(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The plain method: the greatest magnitude is 7."""
    scales = np.maximum.reduceat(np.abs(values), np.arange(0, len(values), BLOCK_SIZE), axis=0) / np.float32(7)
    steps = np.repeat(np.where(scales > 0, scales, 1), BLOCK_SIZE, axis=0)[: len(values)]
    return np.rint(values / steps), scales


@given(weights)
@settings(max_examples=200)
def test_int4_is_never_worse_than_half_a_step_of_the_plain_method(values: np.ndarray) -> None:
    integers, scales = quantise_int4(values, BLOCK_SIZE)
    assert integers.shape == values.shape
    assert scales.shape == (-(-values.shape[0] // BLOCK_SIZE), values.shape[1])
    assert -8 <= integers.min() <= integers.max() <= 7
    _, plain = rounded_to_int4(values)
    allowed = BLOCK_SIZE * (plain.astype(np.float64) / 2) ** 2
    assert (squared_error(values, integers, scales) <= allowed * 1.001 + 1e-60).all()


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_int4_loses_a_quarter_less_than_plain_rounding(scale: float) -> None:
    random = np.random.default_rng(2)
    for values in (random.standard_normal((640, 64)), random.standard_t(5, (640, 64))):
        weights_ = (values * scale).astype(np.float32)
        plain = squared_error(weights_, *rounded_to_int4(weights_)).sum()
        assert squared_error(weights_, *quantise_int4(weights_, BLOCK_SIZE)).sum() < 0.75 * plain


def test_int4_keeps_what_has_sixteen_levels() -> None:
    levels = np.random.default_rng(4).integers(-8, 8, (150, 6))
    levels[0::BLOCK_SIZE] = -8
    for sign in (1, -1):
        values = (levels * sign * 0.375).astype(np.float32)
        integers, scales = quantise_int4(values, BLOCK_SIZE)
        assert np.allclose(dequantise(integers, scales, BLOCK_SIZE), values, atol=1e-6)
        assert (np.sign(scales) == sign).all(), "the scale's sign lets -8 serve either side"


def test_int4_of_nothing_is_nothing() -> None:
    values = np.zeros((130, 2), dtype=np.float32)
    values[70, 1] = 1e-45
    integers, scales = quantise_int4(values, BLOCK_SIZE)
    assert not integers.any()
    assert not scales.any()


def test_int4_columns_do_not_touch_each_other() -> None:
    values = np.random.default_rng(8).standard_normal((100, 5), dtype=np.float32)
    together, scales = quantise_int4(values, BLOCK_SIZE)
    for column in range(5):
        alone, scale = quantise_int4(values[:, column : column + 1], BLOCK_SIZE)
        assert np.array_equal(alone[:, 0], together[:, column])
        assert np.array_equal(scale[:, 0], scales[:, column])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_two_int4_share_a_byte_the_first_below(count: int) -> None:
    integers = np.array([-8, 7, 1, -1, 0, 3, -2], dtype=np.int8)[:count]
    expected = {1: [0x08], 2: [0x78], 7: [0x78, 0xF1, 0x30, 0x0E]}[count]
    assert pack_int4(integers.reshape(1, -1)).tolist() == expected
