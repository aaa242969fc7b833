"""Affine numbers follow the numbers that they stand for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.compiler.affine import PAST, SEQUENCE, Affine, NotAffineError, axis, product
from personal_ai.compiler.program import Dimension

NAMES = ("sequence", "past", "axis0", "axis1")
numbers = st.integers(-(10**6), 10**6)
affines = st.builds(Affine.of, numbers, st.dictionaries(st.sampled_from(NAMES), numbers))
sizes = st.fixed_dictionaries({name: st.integers(0, 1000) for name in NAMES})


def _at(number: Affine, values: dict[str, int]) -> int:
    return number.constant + sum(factor * values[name] for name, factor in number.terms)


@given(affines, affines, numbers, sizes)
def test_arithmetic_is_that_of_numbers(a: Affine, b: Affine, factor: int, values: dict[str, int]) -> None:
    assert _at(a + b, values) == _at(a, values) + _at(b, values)
    assert _at(a - b, values) == _at(a, values) - _at(b, values)
    assert _at(a * factor, values) == _at(a, values) * factor
    assert _at(a + factor, values) == _at(a, values) + factor
    assert a - a == Affine()
    assert (a + b) - b == a


@given(affines, affines)
def test_products_are_linear_or_refused(a: Affine, b: Affine) -> None:
    if a.is_constant or b.is_constant:
        assert a.times(b) == b.times(a)
    else:
        with pytest.raises(NotAffineError):
            a.times(b)


def test_lengths_become_dimensions_and_nothing_else_does() -> None:
    assert (SEQUENCE * 3 + PAST + 5).dimension() == Dimension(5, 3, 1)
    assert Dimension(5, 3, 1).at(sequence=2, past=10) == 21
    assert product([Affine(2), SEQUENCE, Affine(3)]) == SEQUENCE * 6
    for number in (SEQUENCE - 1, axis(0), PAST * -1, Affine(1 << 32)):
        with pytest.raises(NotAffineError):
            number.dimension()


def test_numbers_beyond_all_sense_are_refused() -> None:
    with pytest.raises(NotAffineError):
        Affine(1 << 62) + Affine(1 << 62) + Affine(1 << 62)
    with pytest.raises(NotAffineError):
        SEQUENCE * (1 << 64)


def test_variables_are_renamed() -> None:
    assert (axis(0) + axis(1) * 2).renamed({"axis0": "axis1", "axis1": "axis2"}) == axis(1) + axis(2) * 2
