"""What quantisation cost: the figures are those of the model's own logits, kept beside it, and never stop an import."""

from __future__ import annotations

import json
import math
import shutil
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from personal_ai.common.errors import BadInputError, Cancelled
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models import loss as losses
from personal_ai.models.library import Library, starter
from personal_ai.models.local import LocalModel
from personal_ai.models.loss import (
    LOSS_FILE,
    TOKENS_MAX,
    Reading,
    bundled_prose,
    compared,
    known_loss,
    measure_loss,
    measured_after_import,
    read_text,
)
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from personal_ai.models.tokenizer import ChatTokenizer
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape, write_checkpoint

TEXT = "A canister is a small computer. They stay on this computer."


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


@pytest.fixture
def package(imported: Importer, library: Library) -> ModelPackage:
    made = imported(Shape(), "int4")[1]
    with library.adding(made.name) as folder:
        shutil.copytree(made.folder, folder, dirs_exist_ok=True)
    return library.get(made.name)


@pytest.fixture
def source(imported: Importer) -> Path:
    return imported(Shape(), "int4")[0]


def test_a_reading_is_that_of_the_models_own_logits(package: ModelPackage) -> None:
    """But for the order in which attention adds up several rows at once."""
    reading = read_text(package, TEXT)
    words = ChatTokenizer(package)
    before, tokens = words.encode_chat([losses._REQUEST]), words.encode_text(TEXT)
    assert len(reading.nats) == len(tokens)
    with closing(LocalModel(package)) as model:
        for at in (0, len(tokens) // 2, len(tokens) - 1):
            logits = model.logits([*before, *tokens[:at]]).astype(np.float64)
            shares = np.exp(logits) / np.exp(logits).sum()
            assert reading.nats[at] == pytest.approx(-math.log(shares[tokens[at]]), rel=1e-4)
            assert reading.likeliest[at] == logits.argmax()


def test_a_trained_model_foretells_its_own_words_better_than_the_same_ones_backwards() -> None:
    words = ChatTokenizer(starter())
    with closing(LocalModel(starter())) as model:
        said = model.generate(
            words.encode_chat([losses._REQUEST]),
            max_tokens=40,
            sampling=Sampling(),
            on_token=lambda _: None,
            cancel=Cancel(),
        )
    decoder = words.decoder()
    text = "".join(decoder.push(token) for token in said.tokens if token not in words.end_tokens)
    own, backwards = (read_text(starter(), each).perplexity for each in (text, " ".join(reversed(text.split()))))
    assert own < 3
    assert backwards > 100 * own


def test_figures_are_kept_beside_the_package(package: ModelPackage, source: Path, library: Library) -> None:
    steps: list[Progress] = []
    loss = measure_loss(package, source, library, TEXT, on_progress=steps.append)
    assert 0.2 < loss.agreement <= 1.0
    assert loss.perplexity != loss.original_perplexity
    assert known_loss(package) == loss
    assert [path.name for path in package.folder.parent.iterdir()] == [package.name], "the original is gone again"
    package.verify()
    assert {step.step for step in steps} == {f"Measuring {package.manifest.label}", "Importing the model",
                                             "Measuring the original"}  # fmt: skip


def test_an_unquantised_package_agrees_with_its_original(imported: Importer, library: Library) -> None:
    source, package = imported(Shape(), "f32")
    loss = measure_loss(package, source, library, TEXT)
    assert (loss.agreement, loss.perplexity) == (1.0, loss.original_perplexity)


def test_another_model_is_not_the_original(package: ModelPackage, library: Library, tmp_path: Path) -> None:
    other = write_checkpoint(tmp_path / "other", Shape(architecture="qwen2"))
    with pytest.raises(BadInputError, match="not the model"):
        measure_loss(package, other, library, TEXT)
    assert known_loss(package) is None


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_must_have_words(package: ModelPackage, text: str) -> None:
    with pytest.raises(BadInputError, match="too short"):
        read_text(package, text)


def test_a_long_text_is_cut(package: ModelPackage) -> None:
    assert len(read_text(package, bundled_prose()).nats) == TOKENS_MAX


def test_a_cancel_is_heard(package: ModelPackage) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        read_text(package, TEXT, cancel=cancel)


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"manifest_sha256": "0" * 64}, {"agreement": 2}, {"tokens": "many"}, {"format": "x"}]
)
def test_figures_about_something_else_do_not_count(
    package: ModelPackage, source: Path, library: Library, change: dict[str, object]
) -> None:
    measure_loss(package, source, library, "A small computer.")
    path = package.folder / LOSS_FILE
    path.write_text(json.dumps(json.loads(path.read_bytes()) | change))
    assert known_loss(package) is None


def test_what_hinders_a_measurement_does_not_hinder_the_import(
    package: ModelPackage, library: Library, tmp_path: Path
) -> None:
    measured_after_import(package, tmp_path / "gone", library)
    assert known_loss(package) is None


def test_large_originals_are_not_measured_unasked(
    package: ModelPackage, source: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, "ORIGINAL_SIZE_BYTES_MAX", 1000)
    measured_after_import(package, source, library)
    assert known_loss(package) is None


def test_agreement_counts_places() -> None:
    loss = compared(Reading((1.0, 1.0), (3, 4)), Reading((0.0, 0.0), (3, 5)))
    assert (loss.tokens, loss.agreement, loss.original_perplexity) == (2, 0.5, 1.0)
    assert loss.perplexity == pytest.approx(math.e)
