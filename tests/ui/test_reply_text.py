"""A reply says where it came from and how it came about."""

from __future__ import annotations

from personal_ai.chat.conversation import Place, ReplyFacts
from ui import reply_text


def plain(words: str) -> str:
    return words.replace("\N{NO-BREAK SPACE}", " ")


def test_facts_of_a_canisters_reply() -> None:
    facts = ReplyFacts(Place.CANISTER, 41, 2.25, "end", calls=4, instructions=884_000_000, cycles=912_000_000)
    assert plain(reply_text.facts_line(facts)) == (
        "Your canister  ·  41 tokens  ·  18.2 tokens/s  ·  4 calls  ·  884 M instructions  ·  about 912 M cycles"
    )


def test_facts_of_a_stopped_local_reply() -> None:
    facts = ReplyFacts(Place.LOCAL, 1, 0.5, "cancelled")
    assert plain(reply_text.facts_line(facts)) == "This computer  ·  1 token  ·  stopped by you"


def test_facts_say_that_a_reply_was_cut() -> None:
    assert "cut at the length limit" in reply_text.facts_line(ReplyFacts(Place.LOCAL, 512, 9.0, "max_tokens"))


def test_facts_name_both_places_of_a_reply_that_broke_off_and_went_on() -> None:
    facts = ReplyFacts(Place.LOCAL, 42, 3.0, "end", calls=2, continued_locally_at=33)
    assert reply_text.facts_line(facts).startswith("A canister, then this computer")
    facts = ReplyFacts(Place.CANISTER, 42, 3.0, "interrupted", calls=2, continued_locally_at=33)
    assert reply_text.facts_line(facts).startswith("This computer, then: Your canister")
    assert reply_text.facts_line(facts).endswith("broke off when the program ended")


def test_a_fallback_is_one_plain_sentence_after_its_reason() -> None:
    told = reply_text.fallback_sentence("The network is away", continued=False)
    assert told == ("The network is away. This answer comes from the same weights on this computer.")
    assert "broke off" in reply_text.fallback_sentence("The network is away.", continued=True)


def test_a_cut_says_what_the_model_is_told() -> None:
    assert reply_text.cut_sentence("") == "The model is no longer told what stands above."
    assert reply_text.cut_sentence("We spoke of trees.").endswith("It is told instead: We spoke of trees.")
