"""Numbers and facts as people read them."""

from __future__ import annotations

import time

import pytest

from personal_ai.common.jobs import Progress
from ui import text


def plain(words: str) -> str:
    return words.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress("s", 0, 1, "step"), ""),
        (
            Progress("s", 1_610_000, 2_480_000, "bytes", 1_900_000.0, 2.4),
            "1.6 MB of 2.5 MB  ·  1.9 MB/s  ·  about 2 s left",
        ),
        (Progress("s", 171, 276, "chunks", 3.5, 130.0), "171 of 276 chunks  ·  3.5 chunks/s  ·  about 2 min left"),
        (Progress("s", 276, 276, "chunks", 3.5, 0.0), "276 of 276 chunks  ·  3.5 chunks/s"),
    ],
)
def test_progress(progress: Progress, line: str) -> None:
    assert plain(text.progress_line(progress)) == line


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 B"), (999, "999 B"), (2_480_000, "2.5 MB"), (148_000_000, "148 MB"), (3_400_000_000, "3.4 GB")],
)
def test_sizes(number: int, words: str) -> None:
    assert plain(text.size(number)) == words


@pytest.mark.parametrize(("seconds", "words"), [(0.2, "1 s"), (59, "59 s"), (130, "2 min"), (11_000, "3 h")])
def test_durations(seconds: float, words: str) -> None:
    assert plain(text.duration(seconds)) == words


@pytest.mark.parametrize(
    ("number", "words"), [(9120, "9,120"), (21_400_000, "21.4 M"), (2.6e9, "2.6 B"), (3e12, "3 T")]
)
def test_large_numbers(number: float, words: str) -> None:
    assert plain(text.big_number(number)) == words


def test_a_moment_of_today_is_a_time_and_another_has_its_day() -> None:
    assert text.clock(time.time_ns()).count(":") == 1
    assert "2024" in text.clock(1_720_000_000_000_000_000)


def test_identifiers_are_told_by_their_ends() -> None:
    assert text.shortened("bkyz2-fmaaa-aaaaa-qaaaq-cai") == "bkyz2-…-cai"
    assert text.shortened("aaaaa-aa") == "aaaaa-aa"
