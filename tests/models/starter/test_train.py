"""Only where the extra `train` is installed (conftest.py)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library, starter
from personal_ai.models.local import LocalModel
from personal_ai.models.messages import Message
from personal_ai.models.starter import llama, train
from personal_ai.models.starter.augment import Strength, load_rules
from personal_ai.models.starter.batches import IGNORED, Batches, Mix
from personal_ai.models.starter.corpus import load
from personal_ai.models.starter.export import write_hugging_face_folder
from personal_ai.models.starter.train import Recipe, Trainer, package_of
from personal_ai.models.starter.trained import trained
from personal_ai.models.starter.vocabulary import VOCABULARY_SIZE, ChatEncoder, train_tokenizer
from personal_ai.models.tokenizer import ChatTokenizer

SMALL = llama.Shape(
    VOCABULARY_SIZE,
    hidden_size=64,
    layer_count=2,
    head_count=2,
    key_value_head_count=1,
    intermediate_size=64,
    context_length=256,
)
RECIPE = Recipe(
    shape=SMALL,
    steps=30,
    openings_per_step=8,
    conversations_per_step=1,
    warm_up_steps=3,
    peak_learning_rate=5e-3,
)


@pytest.fixture(scope="module")
def encoder() -> ChatEncoder:
    return ChatEncoder(train_tokenizer(load()))


def _batches(encoder: ChatEncoder, seed: int = 3) -> Batches:
    return Batches(load(), encoder, rules=load_rules(), strength=Strength(), mix=Mix(), seed=seed)


def test_training_lowers_the_loss_and_repeats_exactly() -> None:
    losses = [[trainer.step() for _ in range(8)] for trainer in (Trainer(load(), RECIPE) for _ in range(2))]
    assert losses[0] == losses[1]
    assert np.mean(losses[0][-3:]) < np.mean(losses[0][:3]) - 0.05


def test_training_reports_each_step_and_stops_when_cancelled() -> None:
    seen: list[Progress] = []
    train.train(load(), dataclasses.replace(RECIPE, steps=2), on_progress=seen.append)
    assert [(progress.done, progress.total) for progress in seen] == [(0, 2), (1, 2), (2, 2)]
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        train.train(load(), RECIPE, cancel=cancel)


def test_only_answers_are_scored(encoder: ChatEncoder) -> None:
    answers = {tuple(encoder.answer(encoder.text(intent.answer))) for intent in load().all_intents}
    batch = _batches(encoder).conversations(20)
    for tokens, targets in zip(batch.tokens.tolist(), batch.targets.tolist(), strict=True):
        scored = [(place, target) for place, target in enumerate(targets) if target != IGNORED]
        assert all(tokens[place + 1] == target for place, target in scored)
        told: list[int] = []
        for _, target in scored:
            told.append(target)
            if target == encoder.end:
                assert tuple(told) in answers
                told = []
        assert not told


def test_an_opening_ends_within_the_answer(encoder: ChatEncoder) -> None:
    batch = _batches(encoder).openings(30)
    assert (batch.targets != IGNORED).sum(dim=1).max() == Mix().opening_tokens


def test_the_same_seed_draws_the_same_batches(encoder: ChatEncoder) -> None:
    one, other = _batches(encoder), _batches(encoder)
    assert torch.equal(one.openings(8).tokens, other.openings(8).tokens)
    assert not torch.equal(one.openings(8).targets, _batches(encoder, seed=4).openings(8).targets)


def test_a_later_token_changes_no_earlier_state() -> None:
    weights = llama.new_weights(SMALL, torch.Generator().manual_seed(1))
    tokens = torch.arange(2, 12).reshape(1, 10)
    changed = tokens.clone()
    changed[0, 9] = 99
    one, other = (llama.hidden_states(weights, SMALL, batch) for batch in (tokens, changed))
    torch.testing.assert_close(one[:, :9], other[:, :9])
    assert not torch.allclose(one[:, 9], other[:, 9])


def test_onnxruntime_computes_what_was_trained(tmp_path: Path, encoder: ChatEncoder) -> None:
    weights = llama.new_weights(SMALL, torch.Generator().manual_seed(1))
    with torch.no_grad():
        for weight in weights.values():
            weight.mul_(3)  # so that attention is far from even
    write_hugging_face_folder(tmp_path / "folder", weights, SMALL, train_tokenizer(load()))
    package = import_folder(tmp_path / "folder", Library(tmp_path), name="small", quantisation="f32")
    tokens = encoder.question(encoder.text("What is a canister?"))
    expected = llama.logits(weights, llama.hidden_states(weights, SMALL, torch.tensor([tokens])))[0, -1]
    model = LocalModel(package, threads=1)
    np.testing.assert_allclose(model.logits(tokens), expected.numpy(), atol=2e-4)
    model.close()


def test_the_package_is_trained_in_the_words_that_it_is_asked_in(tmp_path: Path) -> None:
    trainer = Trainer(load(), RECIPE)
    package = package_of(trainer, tmp_path)
    assert (package.name, package.manifest.licence) == ("starter", "apache-2.0")
    tokenizer, encoder = ChatTokenizer(package), trainer.encoder
    for text in ("What is a canister?", "  spaces  ", "<|im_end|>", "naïve 😀\nline"):
        talk = [Message("user", text), Message("assistant", "Hello."), Message("user", text)]
        question = encoder.question(encoder.text(text))
        assert tokenizer.encode_chat(talk[:1]) == question
        answer = encoder.answer(encoder.text("Hello."))
        assert tokenizer.encode_chat(talk) == [*question, *answer, *encoder.next_message(), *question]


def test_a_package_gives_its_weights_and_its_own_tokenizer_back(tmp_path: Path) -> None:
    trainer = Trainer(load(), RECIPE)
    for _ in range(3):
        trainer.step()
    start = trained(package_of(trainer, tmp_path))
    assert start.shape == SMALL
    assert start.tokenizer.to_str() == trainer.start.tokenizer.to_str()
    tokens = torch.tensor([trainer.encoder.question(trainer.encoder.text("What is a canister?"))])
    expected, found = (
        llama.logits(weights, llama.hidden_states(weights, SMALL, tokens))
        for weights in (trainer.averaged, start.weights)
    )
    torch.testing.assert_close(found, expected, rtol=0.0, atol=0.02 * float(expected.detach().abs().max()))


def test_a_second_stage_finds_out_which_answers_are_new() -> None:
    corpus = load()
    changed = dataclasses.replace(corpus.intents[7], answer="Nobody was ever told this.")
    others = [intent for intent in corpus.intents if intent.name != changed.name]
    start = trained(starter())
    trainer = Trainer(dataclasses.replace(corpus, intents=(changed, *others)), train.SECOND_STAGE, start)
    assert changed in trainer.unknown
    assert len(trainer.unknown) < 10
    assert trainer.start.tokenizer.to_str() == start.tokenizer.to_str()


def test_what_is_unknown_is_drawn_more_often(encoder: ChatEncoder) -> None:
    one = load().intents[3]
    told = encoder.answer(encoder.text(one.answer))[: Mix().opening_tokens]
    mix = Mix(off_topic=0.0, unknown=len(load().intents))
    batches = Batches(load(), encoder, rules=load_rules(), strength=Strength(), mix=mix, seed=3, unknown=[one])
    answers = [[token for token in row if token != IGNORED] for row in batches.openings(200).targets.tolist()]
    assert 70 < answers.count(told) < 130
