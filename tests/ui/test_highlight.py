"""Which words of code are coloured, and that foreign names and lengths are not let through."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ui.highlight import Kind, can_highlight, highlight


def coloured(text: str, language: str) -> dict[str, Kind]:
    """The coloured words with their kinds, found again by their places."""
    found = {}
    for line, spans in zip(text.split("\n"), highlight(text, language), strict=True):
        units = line.encode("utf-16-le")
        for start, length, kind in spans:
            found[units[2 * start : 2 * (start + length)].decode("utf-16-le")] = kind
    return found


def test_python() -> None:
    text = '@cache\ndef area(r):  # of a disc\n    return 3.14 * r**2 if not None else "none"\n'
    assert coloured(text, "py") == {
        "@cache": Kind.NAME,
        "def": Kind.KEYWORD,
        "area": Kind.NAME,
        "# of a disc": Kind.COMMENT,
        "return": Kind.KEYWORD,
        "3.14": Kind.NUMBER,
        "2": Kind.NUMBER,
        "if": Kind.KEYWORD,
        "not": Kind.KEYWORD,
        "None": Kind.KEYWORD,
        "else": Kind.KEYWORD,
        '"': Kind.STRING,
        "none": Kind.STRING,
    }


def test_a_string_over_several_lines_and_characters_beyond_sixteen_bits() -> None:
    text = 'x = """\U0001f642 one\ntwo"""  # \U0001f642\U0001f642\nif x: pass'
    assert coloured(text, "python") == {
        '"""': Kind.STRING,
        "\U0001f642 one": Kind.STRING,
        "two": Kind.STRING,
        "# \U0001f642\U0001f642": Kind.COMMENT,
        "if": Kind.KEYWORD,
        "pass": Kind.KEYWORD,
    }


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("sh", "if true; then ls; fi"),
        ("rs", "fn main() {}"),
        ("JSON", '{"a": 1}'),
        ("sql", "SELECT 1"),
        ("html", "<p>"),
    ],
)
def test_names_that_people_write(language: str, text: str) -> None:
    assert can_highlight(text, language)
    assert coloured(text, language)


@pytest.mark.parametrize(("text", "language"), [("x", ""), ("x", "klingon"), ("x", "../x"), ("x" * 20_001, "python")])
def test_what_is_left_as_it_is(text: str, language: str) -> None:
    assert not can_highlight(text, language)


@settings(max_examples=60)
@given(st.text(max_size=60), st.sampled_from(["python", "html", "bash", "json"]))
def test_any_text_has_its_lines_and_no_span_outside_them(text: str, language: str) -> None:
    lines = highlight(text, language)
    shown = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert len(lines) == len(shown)
    for line, spans in zip(shown, lines, strict=True):
        units = len(line.encode("utf-16-le", "surrogatepass")) // 2
        assert all(start >= 0 and length > 0 and start + length <= units for start, length, _ in spans)


def test_code_that_takes_a_lexer_for_ever_is_given_up() -> None:
    lines = highlight("int a;\n" + "\n" * 19_000 + "int b;", "c")  # about half a minute, if it were let
    assert len(lines) == 19_002
    assert lines[0] and not lines[-1]
