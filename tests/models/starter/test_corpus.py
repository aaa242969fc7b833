from __future__ import annotations

import re
from pathlib import Path

import pytest

from personal_ai.common.errors import FormatError
from personal_ai.models.starter.corpus import (
    LONGEST_ANSWER_WORDS,
    Corpus,
    largest_overlap,
    load,
    normalised,
    overlap,
    words,
)

OFF_TOPIC = """
[off_topic]
answer = "I only know this app."
wordings = "what is the weather"
held_out = "who won the match"
patterns = ["how do I cook {food}"]
words = {food = ["rice"]}
"""
INTENT = """
[[intent]]
name = "thanks"
answer = "You are welcome."
wordings = "thanks"
held_out = "thank you"
"""


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load()


def test_has_the_intents_and_wordings_that_were_asked_for(corpus: Corpus) -> None:
    assert len(corpus.intents) >= 105
    assert all(len(intent.wordings) >= 22 for intent in corpus.intents), min(
        corpus.intents, key=lambda intent: len(intent.wordings)
    )
    assert all(len(intent.held_out) >= 3 for intent in corpus.intents)
    assert len(corpus.off_topic.wordings) >= 320
    assert len(corpus.off_topic.held_out) >= 80


def test_every_intent_has_one_short_answer_of_its_own(corpus: Corpus) -> None:
    answers = {normalised(intent.answer) for intent in corpus.all_intents}
    assert len(answers) == len(corpus.all_intents)
    assert all(len(intent.answer.split()) <= LONGEST_ANSWER_WORDS for intent in corpus.all_intents)
    assert all(re.search(r"[.?!]$", intent.answer) for intent in corpus.all_intents)


def test_no_question_stands_twice_nor_in_training_and_held_out(corpus: Corpus) -> None:
    questions = [normalised(text) for i in corpus.all_intents for text in (*i.wordings, *i.held_out)]
    assert len(questions) == len(set(questions))


def test_held_out_questions_are_no_near_copies(corpus: Corpus) -> None:
    assert largest_overlap(corpus) <= 0.7


def test_patterns_never_make_a_held_out_question(corpus: Corpus) -> None:
    held_out = {normalised(text) for text in corpus.off_topic.held_out}
    slot_words = {slot: {normalised(word) for word in listed} for slot, listed in corpus.slot_words.items()}
    for pattern in corpus.patterns:
        slots = re.findall(r"\{(\w+)\}", pattern)
        parts = [re.escape(normalised(part)) for part in re.split(r"\{\w+\}", pattern)]
        shape = re.compile(r" ?(.+?) ?".join(parts))
        for question in held_out:
            found = shape.fullmatch(question)
            assert not (found and all(w in slot_words[s] for s, w in zip(slots, found.groups(), strict=True))), question


def test_words_ignore_case_and_punctuation() -> None:
    assert words("What's a canister, please?") == ("what's", "a", "canister", "please")
    assert normalised(" HELLO,  you! ") == "hello you"


def test_overlap_is_shared_words_over_all_words() -> None:
    assert overlap("what is a canister", "What is a model?") == pytest.approx(3 / 5)
    assert overlap("hello", "goodbye") == 0.0


@pytest.mark.parametrize(
    ("texts", "what"),
    [
        (INTENT, "exactly one off_topic"),
        (OFF_TOPIC + OFF_TOPIC.replace("off_topic", "off_topic_"), "stands twice"),
        (OFF_TOPIC + INTENT + INTENT, "intent 'thanks' stands twice"),
        (OFF_TOPIC + INTENT.replace("thank you", "Thanks!"), "question 'thanks' stands twice"),
        (OFF_TOPIC + INTENT.replace("You are welcome.", "I only know this app!"), "answer .* stands twice"),
        (OFF_TOPIC + INTENT.replace("You are welcome.", "welcome " * 46), "longer than 45 words"),
        (OFF_TOPIC + INTENT.replace('held_out = "thank you"', ""), "lacks 'held_out'"),
        (OFF_TOPIC + INTENT.replace('"thank you"', '" "'), "empty part"),
        (OFF_TOPIC.replace("{food}", "{drink}") + INTENT, "no known list of words: drink"),
        ("[off_topic", "not a TOML file"),
    ],
)
def test_texts_that_break_the_rules_are_refused(tmp_path: Path, texts: str, what: str) -> None:
    second = texts.replace("[off_topic_]", "[[intent]]\nname = 'other'")
    (tmp_path / "theme.toml").write_text(second, encoding="utf-8")
    with pytest.raises(FormatError, match=what):
        load(tmp_path)
