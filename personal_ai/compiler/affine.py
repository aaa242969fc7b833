"""Whole numbers that depend linearly on the call's sizes and on a position in a tensor.

`sequence` (tokens of a call) and `past` (tokens before it) are the sizes; axis(0), axis(1) ... stand for an element's
own index. Lengths, positions and masks of a decoder are all of this form, which makes them comparable for equality:
what a graph computes with Shape, Range and LessOrEqual is known before it runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass

from personal_ai.compiler.program import Dimension

SYMBOLS = ("sequence", "past", "third")  # a graph's symbols by other names, in the order of the program format
_VALUE_MAX = 1 << 63


class NotAffineError(ValueError):
    """The number is not linear, or too large to be meant."""


@dataclass(frozen=True, slots=True)
class Affine:
    """constant + sum of coefficient * variable; `terms` is sorted and without zeros."""

    constant: int = 0
    terms: tuple[tuple[str, int], ...] = ()

    @classmethod
    def of(cls, constant: int, terms: Mapping[str, int]) -> Affine:
        """Raises NotAffineError when a number is out of bounds."""
        kept = tuple(sorted((name, factor) for name, factor in terms.items() if factor))
        if any(abs(number) > _VALUE_MAX for number in (constant, *(factor for _, factor in kept))):
            raise NotAffineError
        return cls(constant, kept)

    @property
    def is_constant(self) -> bool:
        return not self.terms

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine.of(self.constant + other, dict(self.terms))
        terms = dict(self.terms)
        for name, factor in other.terms:
            terms[name] = terms.get(name, 0) + factor
        return Affine.of(self.constant + other.constant, terms)

    def __sub__(self, other: Affine | int) -> Affine:
        return self + other * -1

    def __mul__(self, factor: int) -> Affine:
        return Affine.of(self.constant * factor, {name: value * factor for name, value in self.terms})

    def times(self, other: Affine) -> Affine:
        """The product, where it is linear. Raises NotAffineError."""
        if other.is_constant:
            return self * other.constant
        if self.is_constant:
            return other * self.constant
        raise NotAffineError

    def renamed(self, names: Mapping[str, str]) -> Affine:
        """With variables exchanged; names that are not in the mapping stay."""
        return Affine.of(self.constant, {names.get(name, name): factor for name, factor in self.terms})

    def dimension(self) -> Dimension:
        """As a length of the program format. Raises NotAffineError for negative parts or other variables."""
        terms = dict(self.terms)
        length = Dimension(self.constant, *(terms.pop(name, 0) for name in SYMBOLS))
        if terms or min(astuple(length)) < 0 or max(astuple(length)) > 0xFFFF_FFFF:
            raise NotAffineError
        return length


SEQUENCE = Affine(0, (("sequence", 1),))
PAST = Affine(0, (("past", 1),))


def axis(index: int) -> Affine:
    """The element's index along an axis."""
    return Affine(0, ((f"axis{index}", 1),))


def product(factors: Iterable[Affine]) -> Affine:
    """Raises NotAffineError when more than one factor varies."""
    result = Affine(1)
    for factor in factors:
        result = result.times(factor)
    return result
