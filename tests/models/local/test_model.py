"""Answers on this computer: cache reuse changes nothing, sampling repeats, cancel is heard, damage is typed."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.models.local import LocalModel, LocalReply
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape

WARM = Sampling(temperature=1.5, seed=11)


@pytest.fixture
def package(imported: Importer) -> ModelPackage:
    return imported(Shape(), "int8")[1]


def generate(model: LocalModel, tokens: Sequence[int], count: int = 12, sampling: Sampling | None = None) -> LocalReply:
    heard: list[int] = []
    reply = model.generate(
        tokens, max_tokens=count, sampling=sampling or Sampling(), on_token=heard.append, cancel=Cancel()
    )
    assert tuple(heard) == reply.tokens
    return reply


def test_greedy_takes_the_greatest_logit(package: ModelPackage) -> None:
    model, tokens = LocalModel(package), [5, 6, 7]
    for token in generate(model, tokens, 5).tokens:
        assert token == int(np.argmax(LocalModel(package).logits(tokens)))
        tokens.append(token)


def test_the_same_question_has_the_same_answer_whatever_came_before(package: ModelPackage) -> None:
    """int8 rows do not depend on their company, so even the seeded draws repeat exactly."""
    model, question = LocalModel(package), list(range(40, 70))
    first = generate(model, question, sampling=WARM)
    generate(model, [*question[:10], 1, 2, 3])
    assert generate(model, question, sampling=WARM) == first
    assert generate(LocalModel(package), question, sampling=WARM) == first
    assert generate(LocalModel(package, threads=1), question, sampling=WARM) == first
    assert generate(model, question, sampling=Sampling(temperature=1.5, seed=12)) != first


def test_a_reply_in_parts_is_the_same_reply(package: ModelPackage) -> None:
    whole = generate(LocalModel(package), [9, 8, 7], 12, WARM).tokens
    model, context = LocalModel(package), [9, 8, 7]
    for _ in range(4):
        context += generate(model, context, 3, WARM).tokens
    assert tuple(context[3:]) == whole


def test_only_what_is_new_is_computed(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    fed: list[int] = []
    step = LocalModel._step
    monkeypatch.setattr(
        LocalModel, "_step", lambda self, tokens, rows: fed.append(len(tokens)) or step(self, tokens, rows)
    )
    model = LocalModel(package)
    model.logits(list(range(100)))
    model.logits(list(range(103)))
    model.logits([*range(50), 7, 7])
    model.logits([*range(50), 7, 7])
    assert fed == [100, 3, 2, 1]


def test_long_prompts_go_in_pieces(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = LocalModel(package).logits(list(range(60)))
    monkeypatch.setattr("personal_ai.models.local.model._ROWS_AT_ONCE", 7)
    assert np.abs(LocalModel(package).logits(list(range(60))) - whole).max() < 1e-4


def test_it_ends_with_an_end_token_or_the_context(package: ModelPackage, imported: Importer) -> None:
    model = LocalModel(package)
    model._end_tokens = frozenset(generate(model, [1, 2], 4).tokens[-1:])
    reply = generate(model, [1, 2], 100)
    assert reply.finish == "end"
    assert len(reply.tokens) <= 4
    model._end_tokens = frozenset()
    assert len(generate(model, list(range(120)), 100).tokens) == 8, "the context has 128 tokens"
    assert generate(model, list(range(128)), 5) == LocalReply((), "max_tokens")
    assert generate(model, [1], 0) == LocalReply((), "max_tokens")


def test_cancel_is_heard_after_the_token(package: ModelPackage) -> None:
    model, cancel, heard = LocalModel(package), Cancel(), []

    def stop(token: int) -> None:
        heard.append(token)
        if len(heard) == 3:
            cancel.cancel()

    with pytest.raises(Cancelled):
        model.generate([1, 2, 3], max_tokens=50, sampling=Sampling(), on_token=stop, cancel=cancel)
    assert len(heard) == 3
    assert generate(model, [1, 2, 3], 3).tokens == tuple(heard), "the model is as good as before"


@pytest.mark.parametrize("tokens", [[], [-1], [384], [1] * 129], ids=["none", "negative", "unknown", "too many"])
def test_impossible_tokens_are_refused(package: ModelPackage, tokens: list[int]) -> None:
    model = LocalModel(package)
    with pytest.raises(BadInputError):
        model.logits(tokens)
    with pytest.raises(BadInputError):
        generate(model, tokens)


@pytest.mark.parametrize("file", ["model.onnx", "model.onnx.data"])
@pytest.mark.parametrize("damage", ["cut", "noise", "missing"])
def test_a_damaged_model_is_a_typed_error(package: ModelPackage, tmp_path: Path, file: str, damage: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(package.folder, copy)
    content = (copy / file).read_bytes()
    if damage == "missing":
        (copy / file).unlink()
    else:
        (copy / file).write_bytes(content[: len(content) // 3] if damage == "cut" else content[::-1])
    damaged = ModelPackage(copy, package.manifest, package.manifest_sha256)
    if (file, damage) == ("model.onnx.data", "noise"):
        with pytest.raises(DamagedFileError, match=r"model\.onnx\.data"):
            damaged.verify()  # numbers are numbers: only the hash can tell
    else:
        with pytest.raises(DamagedFileError):
            LocalModel(damaged)


def test_a_closed_model_says_so(package: ModelPackage) -> None:
    model = LocalModel(package)
    model.close()
    with pytest.raises(UserFacingError, match="closed"):
        model.logits([1])


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(temperature=0.05, seed=3), Sampling(temperature=1.0, seed=4)]
)
@pytest.mark.parametrize("seed", range(2))
def test_guessing_ahead_changes_nothing(sampling: Sampling, seed: int, imported: Importer) -> None:
    """In f32, where several rows at once are rounded as one is; words that repeat make guesses right, and wrong."""
    package = imported(Shape(), "f32")[1]
    guessing, plain = LocalModel(package), LocalModel(package, guess_ahead=False)
    words = [int(token) for token in np.random.default_rng(seed).integers(0, 384, 12)]
    for prompt in (words * 3, [*words, 1, *words[:6]], words):
        reply = generate(guessing, prompt, 60, sampling)
        assert reply == generate(plain, prompt, 60, sampling)
        longer = [*prompt, *reply.tokens, 5]
        assert generate(guessing, longer, 9, sampling) == generate(plain, longer, 9, sampling), "its cache is as true"


def test_right_guesses_save_steps(imported: Importer, monkeypatch: pytest.MonkeyPatch) -> None:
    package = imported(Shape(), "f32")[1]
    text = [int(token) for token in np.random.default_rng(1).integers(0, 384, 50)]
    monkeypatch.setattr("personal_ai.models.local.model.sample", lambda _, context, __: text[len(context) - 50])
    fed: list[int] = []
    step = LocalModel._step
    monkeypatch.setattr(LocalModel, "_step", lambda self, tokens, rows: fed.append(rows) or step(self, tokens, rows))
    for guess_ahead in (True, False):
        fed.clear()
        model = LocalModel(package, guess_ahead=guess_ahead)
        assert list(generate(model, text, 50).tokens) == text
        assert (len(fed), sum(fed)) == ((11, 50) if guess_ahead else (50, 50))
