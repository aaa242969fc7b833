from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict

import pytest

from personal_ai.models.library import starter
from personal_ai.models.package import ModelPackage
from personal_ai.models.starter.corpus import largest_overlap, load
from personal_ai.models.starter.evaluate import Artefact, Guide, Outcome, ask_all, hashes, held_out, score
from personal_ai.models.starter.prompts import demo_prompts

EVERY = 8
FLIPS = 2  # processors round differently: a close call may go either way


@pytest.fixture(scope="module")
def package() -> ModelPackage:
    return starter()


@pytest.fixture(scope="module")
def guide(package: ModelPackage) -> Iterator[Guide]:
    guide = Guide(package, threads=1)
    yield guide
    guide.close()


def test_the_committed_model_is_the_one_that_was_scored(package: ModelPackage) -> None:
    package.verify()
    assert hashes(package) == Artefact.recorded().files


def test_the_recorded_score_is_what_was_asked_for_and_counts_what_is_held_out() -> None:
    recorded = Artefact.recorded()
    corpus = load()
    questions = [question for _, question, _ in held_out(corpus)]
    assert recorded.score.held_out_total == sum(len(intent.held_out) for intent in corpus.intents)
    assert recorded.score.off_topic_total == len(corpus.off_topic.held_out)
    assert recorded.score.largest_overlap == round(largest_overlap(corpus), 4)
    assert recorded.score.held_out_accuracy >= 0.6
    assert recorded.score.off_topic_refused >= 0.9
    assert set(recorded.missed) < set(questions)
    right = [Outcome(name, question, "", question not in recorded.missed) for name, question, _ in held_out(corpus)]
    assert score(corpus, right) == recorded.score


def test_the_committed_model_still_answers_as_recorded(guide: Guide) -> None:
    missed = set(Artefact.recorded().missed)
    outcomes = ask_all(guide, list(held_out(load()))[::EVERY])
    flipped = [outcome for outcome in outcomes if outcome.right == (outcome.question in missed)]
    assert len(flipped) <= FLIPS, flipped


def test_the_demo_questions_are_answered_rightly(guide: Guide) -> None:
    answers = {text: intent.answer for intent in load().intents for text in intent.wordings}
    prompts = demo_prompts()
    assert len(set(prompts)) >= 5
    for prompt in prompts:
        assert guide.reply(prompt) == answers[prompt]


def test_the_manifest_says_that_it_knows_only_this_app(package: ModelPackage) -> None:
    assert "only this app" in package.manifest.label
    assert "nothing else" in package.manifest.description


def test_a_score_tells_intents_from_the_rest() -> None:
    corpus = load()
    name = corpus.intents[0].name
    outcomes = [
        Outcome(name, "a", "", True),
        Outcome(name, "b", "", False),
        Outcome(name, "c", "", False),
        Outcome(corpus.off_topic.name, "d", "", True),
    ]
    result = score(corpus, outcomes)
    assert (result.held_out_accuracy, result.held_out_total) == (0.3333, 3)
    assert (result.off_topic_refused, result.off_topic_total) == (1.0, 1)


def test_the_artefact_record_reads_back(package: ModelPackage) -> None:
    recorded = Artefact.recorded()
    assert json.loads(recorded.to_text()) == json.loads(json.dumps(asdict(recorded)))
