"""Numbers and facts as people read them."""

from __future__ import annotations

import time

import pytest

from personal_ai.chat.conversation import Place, ReplyFacts
from personal_ai.common.jobs import Progress
from ui import text


def plain(words: str) -> str:
    return words.replace("\N{NO-BREAK SPACE}", " ")


def test_facts_of_a_canisters_reply() -> None:
    facts = ReplyFacts(Place.CANISTER, 41, 2.25, "end", calls=4, instructions=884_000_000)
    assert plain(text.facts_line(facts)) == (
        "Your canister  ·  41 tokens  ·  18.2 tokens/s  ·  4 calls  ·  884 M instructions"
    )


def test_facts_of_a_stopped_local_reply() -> None:
    facts = ReplyFacts(Place.LOCAL, 1, 0.5, "cancelled")
    assert plain(text.facts_line(facts)) == "This computer  ·  1 token  ·  stopped by you"


def test_facts_say_that_a_reply_was_cut() -> None:
    assert "cut at the length limit" in text.facts_line(ReplyFacts(Place.LOCAL, 512, 9.0, "max_tokens"))


def test_a_fallback_is_one_plain_sentence_after_its_reason() -> None:
    told = text.fallback_sentence("The network is away", continued=False)
    assert told == ("The network is away. This answer comes from the same weights on this computer.")
    assert "broke off" in text.fallback_sentence("The network is away.", continued=True)


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


def test_a_cut_says_what_the_model_is_told() -> None:
    assert text.cut_sentence("") == "The model is no longer told what stands above."
    assert text.cut_sentence("We spoke of trees.").endswith("It is told instead: We spoke of trees.")
