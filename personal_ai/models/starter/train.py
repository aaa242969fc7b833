"""Trains the starter model from its texts: `python -m personal_ai.models.starter.train --out DIR` (extra `train`).

`--from resources/starter-model` goes on from trained weights instead, with their tokenizer: after a change to some
of the answers, a second stage teaches these in a few minutes, and repeats the others so that they stay.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as fn

from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, Meter, Progress, ProgressCallback, ignore_progress
from personal_ai.common.paths import resource
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.models.starter import llama
from personal_ai.models.starter.augment import Strength, load_rules
from personal_ai.models.starter.batches import IGNORED, Batch, Batches, Mix, whole_answer
from personal_ai.models.starter.corpus import Corpus, Intent, load
from personal_ai.models.starter.evaluate import ARTEFACT, Artefact, Making, evaluate
from personal_ai.models.starter.export import write_hugging_face_folder
from personal_ai.models.starter.trained import Start, new, trained
from personal_ai.models.starter.vocabulary import VOCABULARY_SIZE, ChatEncoder

NAME = "starter"
LABEL = "Starter guide (knows only this app)"
DESCRIPTION = (
    "A very small guide to Personal AI, trained on texts about this app alone. It knows nothing else, says so when "
    "asked, and can be wrong."
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the result. Counted in steps, not in time: a slower computer trains the same model."""

    shape: llama.Shape = field(default_factory=lambda: llama.Shape(VOCABULARY_SIZE))
    strength: Strength = field(default_factory=Strength)
    mix: Mix = field(default_factory=Mix)
    steps: int = 2000
    openings_per_step: int = 96
    conversations_per_step: int = 5
    peak_learning_rate: float = 1.5e-3
    warm_up_steps: int = 50
    weight_decay: float = 0.1
    dropout: float = 0.1
    averaging: float = 0.998  # of the weights, exponentially: what is exported is the average
    seed: int = 1


# Steps a third as large as the first time: most is known already.
SECOND_STAGE = Recipe(
    steps=600,
    peak_learning_rate=5e-4,
    warm_up_steps=30,
    averaging=0.99,
    seed=2,
)


class Trainer:
    """One training run, step by step. `weights` change in place; `averaged` is what to export; `unknown` are the
    intents that weights which were trained before do not know yet.
    """

    def __init__(self, corpus: Corpus, recipe: Recipe, start: Start | None = None) -> None:
        """start: what to go on from; the recipe's shape, new, if not given."""
        torch.manual_seed(recipe.seed)
        start = start or new(corpus, recipe.shape, recipe.seed)
        self.recipe, self.start = recipe, start
        self.encoder = ChatEncoder(start.tokenizer)
        self.weights = {name: weight.clone() for name, weight in start.weights.items()}
        trained_before = start.package_sha256 is not None
        self.unknown = [intent for intent in corpus.intents if trained_before and not self._knows(intent)]
        self._batches = Batches(
            corpus,
            self.encoder,
            rules=load_rules(),
            strength=recipe.strength,
            mix=recipe.mix,
            seed=recipe.seed,
            unknown=self.unknown,
        )
        self.averaged = {name: weight.clone() for name, weight in self.weights.items()}
        self._optimiser = _optimiser(self.weights, recipe)
        self._done = 0

    def step(self) -> float:
        """One update of the weights; returns the loss (nats per scored token)."""
        recipe = self.recipe
        self._set_learning_rate()
        losses = [
            self._loss(self._batches.openings(recipe.openings_per_step)),
            self._loss(self._batches.conversations(recipe.conversations_per_step)),
        ]
        loss = sum(losses, start=torch.zeros(()))
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.weights.values(), 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._done += 1
        self._average()
        return float(loss.detach())

    def _loss(self, batch: Batch) -> Tensor:
        scores, wanted = self._scores(batch, self.recipe.dropout)
        return fn.cross_entropy(scores, wanted)

    def _scores(self, batch: Batch, dropout: float = 0.0) -> tuple[Tensor, Tensor]:
        """Logits [scored, vocabulary] and the right tokens [scored]. In f32: processors that have no bfloat16 take
        fifteen times as long with it, and those that have some would train another model.
        """
        hidden = llama.hidden_states(self.weights, self.start.shape, batch.tokens, dropout)
        scored = batch.targets != IGNORED
        return llama.logits(self.weights, hidden[scored]), batch.targets[scored]

    def _knows(self, intent: Intent) -> bool:
        """Whether the weights would say the answer to the intent's first wording."""
        with torch.no_grad():
            scores, wanted = self._scores(whole_answer(self.encoder, intent))
        return bool(torch.equal(scores.argmax(dim=-1), wanted))

    def _set_learning_rate(self) -> None:
        for group in self._optimiser.param_groups:
            group["lr"] = self._learning_rate()

    def _learning_rate(self) -> float:
        """Linear warm-up, then a cosine down to a twentieth."""
        recipe = self.recipe
        if self._done < recipe.warm_up_steps:
            return recipe.peak_learning_rate * (self._done + 1) / recipe.warm_up_steps
        part = (self._done - recipe.warm_up_steps) / max(1, recipe.steps - recipe.warm_up_steps)
        return recipe.peak_learning_rate * (0.05 + 0.95 * (1 + math.cos(math.pi * part)) / 2)

    def _average(self) -> None:
        keep = min(self.recipe.averaging, (1 + self._done) / (10 + self._done))
        with torch.no_grad():
            for name, weight in self.weights.items():
                self.averaged[name].lerp_(weight, 1 - keep)


def train(
    corpus: Corpus,
    recipe: Recipe,
    start: Start | None = None,
    *,
    on_progress: ProgressCallback = ignore_progress,
    cancel: Cancel | None = None,
) -> Trainer:
    """Runs the whole recipe. Raises Cancelled."""
    trainer = Trainer(corpus, recipe, start)
    meter = Meter("Training", recipe.steps, "steps", on_progress)
    for _ in range(recipe.steps):
        if cancel:
            cancel.raise_if_cancelled()
        trainer.step()
        meter.advance()
    return trainer


def _optimiser(weights: llama.Weights, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW; norms do not decay."""
    for weight in weights.values():
        weight.requires_grad_()
    matrices = [weight for weight in weights.values() if weight.dim() == 2]
    vectors = [weight for weight in weights.values() if weight.dim() == 1]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.peak_learning_rate, betas=(0.9, 0.98))


def package_of(trainer: Trainer, out: Path) -> ModelPackage:
    """Writes `out`/starter-checkpoint (a Hugging Face folder) and imports it as the package `out`/starter."""
    checkpoint = out / "starter-checkpoint"
    write_hugging_face_folder(checkpoint, trainer.averaged, trainer.start.shape, trainer.start.tokenizer)
    return import_folder(checkpoint, Library(out), name=NAME, label=LABEL, description=DESCRIPTION)


def replace_bundled(package: ModelPackage, artefact: Artefact) -> None:
    """Makes `package` the one that comes with the program, and `artefact` its record."""
    target = resource("starter-model")
    aside = Path(tempfile.mkdtemp(dir=target.parent, prefix=".starter-model-"))
    shutil.copytree(package.folder, aside / "new")
    if target.exists():
        target.rename(aside / "old")
    (aside / "new").rename(target)
    shutil.rmtree(aside)
    write_atomically(ARTEFACT, artefact.to_text().encode(), mode=0o644)


def _print_progress(progress: Progress) -> None:
    if progress.done % 50 and progress.done != progress.total:
        return
    rate = f"{progress.rate_per_s:.2f} {progress.unit}/s" if progress.rate_per_s else ""
    left = f"{progress.remaining_s / 60:.0f} min left" if progress.remaining_s is not None else ""
    print(f"{progress.step} {progress.done}/{progress.total}  {rate}  {left}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m personal_ai.models.starter.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder for checkpoint and package")
    parser.add_argument("--from", type=Path, dest="package", help="a package to go on from, in a second stage")
    parser.add_argument("--steps", type=int, help="another number than the recipe's")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--replace-bundled", action="store_true", help="make it the model that comes with the program")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    corpus = load()
    start = None if arguments.package is None else trained(ModelPackage.open(arguments.package))
    recipe = Recipe() if start is None else SECOND_STAGE
    recipe = replace(recipe, steps=arguments.steps or recipe.steps)
    trainer = train(corpus, recipe, start, on_progress=_print_progress)
    package = package_of(trainer, arguments.out)
    score, outcomes = evaluate(package, corpus)
    print(asdict(score))
    if arguments.replace_bundled:
        made = Making(trainer.start.package_sha256, recipe.steps, recipe.seed, torch.__version__)
        replace_bundled(package, Artefact.of(package, score, outcomes, made))


if __name__ == "__main__":
    main()
