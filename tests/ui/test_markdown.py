"""Cutting a reply into prose and code."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ui.markdown import Code, Prose, split


def test_prose_and_code_in_their_order() -> None:
    text = "Look:\n\n```sh\nls -l\n\necho hi\n```\nThen **that**."
    assert split(text) == [Prose("Look:"), Code("ls -l\n\necho hi", "sh"), Prose("Then **that**.")]


def test_a_fence_that_is_never_closed_holds_the_rest() -> None:
    assert split("```\nwhile true") == [Code("while true", "")]


def test_a_longer_fence_holds_a_shorter_one() -> None:
    assert split("````\n```\n````") == [Code("```", "")]


def test_inline_code_is_prose() -> None:
    assert split("say ```hello``` now") == [Prose("say ```hello``` now")]


@given(st.lists(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20), max_size=12))
def test_no_line_is_lost(lines: list[str]) -> None:
    kept = "\n".join(part.text for part in split("\n".join(lines)))
    wanted = [line for line in lines if line.strip() and not line.lstrip().startswith(("```", "~~~"))]
    assert [line for line in wanted if line not in kept] == []
