"""Activations share memory only while they do not live together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from personal_ai.compiler.planning import Lifetime, place

lifetimes = st.builds(
    lambda first, length, size: Lifetime(first, first + length, 64 * size),
    st.integers(0, 30),
    st.integers(0, 10),
    st.integers(1, 50),
)


@given(st.lists(lifetimes, max_size=40))
def test_no_two_that_live_together_overlap(lives: list[Lifetime]) -> None:
    offsets, size_bytes = place(lives)
    for i, (a, start) in enumerate(zip(lives, offsets, strict=True)):
        assert start % 64 == 0
        assert start + a.size_bytes <= size_bytes
        for b, other in zip(lives[:i], offsets[:i], strict=True):
            apart = start + a.size_bytes <= other or other + b.size_bytes <= start
            assert apart or a.last < b.first or b.last < a.first


@given(st.lists(lifetimes, min_size=1, max_size=40))
def test_the_arena_is_no_larger_than_all_and_no_smaller_than_what_lives_at_once(lives: list[Lifetime]) -> None:
    _, size_bytes = place(lives)
    at_once = max(sum(life.size_bytes for life in lives if life.first <= step <= life.last) for step in range(45))
    assert at_once <= size_bytes <= sum(life.size_bytes for life in lives)


def test_memory_is_reused() -> None:
    offsets, size_bytes = place([Lifetime(0, 1, 64), Lifetime(1, 2, 128), Lifetime(2, 3, 64)])
    assert size_bytes == 192
    assert offsets[0] == offsets[2]
