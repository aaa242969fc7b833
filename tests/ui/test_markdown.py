"""Cutting a reply into prose and code."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ui.markdown import Code, Cutter, Prose, split


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


def grown(pieces: list[str]) -> list[Prose | Code]:
    """The parts as somebody sees them who looks after every piece; fails where what was shown is taken back."""
    cutter = Cutter()
    parts: list[Prose | Code] = []
    shown: Prose | Code | None = None

    def follows(part: Prose | Code | None) -> bool:
        return shown is None or (type(part) is type(shown) and part.text.startswith(shown.text))

    for piece in [*pieces, None]:
        for part in cutter.end() if piece is None else cutter.add(piece):
            assert follows(part)
            parts.append(part)
            shown = None
        if piece is not None:
            assert follows(cutter.open)
            shown = cutter.open
    return parts


MARKS = ["word", "`", "``", "```", "~~~", "\n", "\n\n", " ", "    ", "- one", "| a |", "```py\n", "x" * 1500]


@settings(max_examples=60)
@given(st.lists(st.sampled_from(MARKS), max_size=30))
def test_in_pieces_it_is_cut_as_in_one(pieces: list[str]) -> None:
    assert grown(pieces) == split("".join(pieces))


def test_a_fence_shows_once_it_is_certain() -> None:
    cutter = Cutter()
    assert cutter.add("So:\n``") == []
    assert cutter.open == Prose("So:")
    cutter.add(" or")
    assert cutter.open == Prose("So:\n`` or")
    assert cutter.add("\n```sh") == []
    assert cutter.add("\nls") == [Prose("So:\n`` or")]
    assert cutter.open == Code("ls", "sh")


def test_long_prose_is_cut_between_paragraphs_and_not_in_a_list() -> None:
    paragraph, entry = "word " * 300, "- one\n\n- two"
    parts = split(f"{paragraph}\n\n{paragraph}\n\n{entry}\n\nThe end.")
    assert [part.text.split()[0] for part in parts] == ["word", "The"]
    assert parts[0].text.endswith("- two")
