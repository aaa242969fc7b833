"""The report of a bug says where, and nothing of what was said."""

from __future__ import annotations

from pathlib import Path

from ui.report import report

SECRET = "lamp orbit meadow copper"


def _bug() -> BaseException:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(f"could not use {SECRET!r}") from error
    except ValueError as error:
        return error


def test_a_report_has_types_and_places_and_no_message() -> None:
    text = report(_bug())
    assert "builtins.ValueError" in text
    assert "which came from\nbuiltins.KeyError" in text
    assert "test_report.py:" in text
    assert "in _bug" in text
    for word in SECRET.split():
        assert word not in text


def test_a_report_names_no_folder_of_this_computer() -> None:
    assert str(Path(__file__).parent) not in report(_bug())
    assert str(Path.home()) not in report(_bug())


def test_a_report_is_bounded() -> None:
    def deep(depth: int) -> None:
        if depth == 0:
            raise ValueError
        deep(depth - 1)

    try:
        deep(200)
    except ValueError as error:
        assert report(error).count("\n") < 40
