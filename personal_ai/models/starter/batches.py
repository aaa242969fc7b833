"""Training batches: conversations drawn evenly over the intents, with the loss on answer tokens alone."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from personal_ai.models.starter.augment import Estranger, Rules, Strength, filled, varied
from personal_ai.models.starter.corpus import Corpus, Intent
from personal_ai.models.starter.vocabulary import ChatEncoder

IGNORED = -100


@dataclass(frozen=True, slots=True)
class Mix:
    """What a batch is made of."""

    unknown: int = 3  # times as often as others are intents drawn whose answers are yet to be learned
    off_topic: float = 0.35  # share of questions about anything else
    from_patterns: float = 0.3  # share of those that are drawn from patterns
    estranged: float = 0.35  # share of those that are made out of questions about the app
    split_word: float = 0.08  # share of words that are cut in two before encoding, as rare words are
    opening_tokens: int = 6  # of an answer: which answer to give is decided there
    longest_conversation: int = 3  # turns of a whole conversation


@dataclass(frozen=True, slots=True)
class Batch:
    """`tokens` and `targets`, both [batch, sequence]: the target at a place is the token after it, or IGNORED."""

    tokens: Tensor
    targets: Tensor


class Batches:
    """Draws batches; the same seed draws the same ones."""

    def __init__(
        self,
        corpus: Corpus,
        encoder: ChatEncoder,
        *,
        rules: Rules,
        strength: Strength,
        mix: Mix,
        seed: int,
        unknown: Sequence[Intent] = (),
    ) -> None:
        """unknown: intents that the weights do not know, where weights that know the others go on."""
        self._corpus, self._encoder = corpus, encoder
        self._rules, self._strength, self._mix = rules, strength, mix
        self._drawn = (*corpus.intents, *(mix.unknown - 1) * tuple(unknown))
        self._rng = random.Random(seed)  # noqa: S311 -- repeatable, not secret
        self._estranger = Estranger(corpus)
        self._answers = {i.name: encoder.answer(encoder.text(i.answer)) for i in corpus.all_intents}

    def openings(self, count: int) -> Batch:
        """Single questions with the first tokens of their answers: short, so many decisions fit into little work."""
        return _padded([self._opening() for _ in range(count)])

    def conversations(self, count: int) -> Batch:
        """Whole conversations of one to a few turns."""
        return _padded([self._conversation() for _ in range(count)])

    def _opening(self) -> tuple[list[int], list[int]]:
        intent = self._intent()
        return _with_targets(self._question(intent), self._answers[intent.name][: self._mix.opening_tokens])

    def _conversation(self) -> tuple[list[int], list[int]]:
        tokens: list[int] = []
        targets: list[int] = []
        for turn in range(self._rng.randint(1, self._mix.longest_conversation)):
            intent = self._intent()
            question = [*(self._encoder.next_message() if turn else ()), *self._question(intent)]
            turn_tokens, turn_targets = _with_targets(question, self._answers[intent.name])
            tokens += turn_tokens
            targets += turn_targets
        return tokens, targets

    def _intent(self) -> Intent:
        if self._rng.random() < self._mix.off_topic:
            return self._corpus.off_topic
        return self._rng.choice(self._drawn)

    def _question(self, intent: Intent) -> list[int]:
        text = self._off_topic() if intent is self._corpus.off_topic else self._rng.choice(intent.wordings)
        return self._encoder.question(self._encoded(varied(text, self._rules, self._strength, self._rng)))

    def _off_topic(self) -> str:
        drawn = self._rng.random()
        if drawn < self._mix.from_patterns:
            return filled(self._corpus, self._rng)
        if drawn < self._mix.from_patterns + self._mix.estranged:
            return self._estranger.question(self._rng)
        return self._rng.choice(self._corpus.off_topic.wordings)

    def _encoded(self, text: str) -> list[int]:
        """Tokens of a text in which some words are cut: the model learns what the pieces of a word have in common."""
        pieces = [""]
        for number, word in enumerate(text.split(" ")):
            spaced = f" {word}" if number else word
            if len(word) > 3 and self._rng.random() < self._mix.split_word:
                at = self._rng.randint(2, len(spaced) - 1)
                pieces[-1] += spaced[:at]
                pieces.append(spaced[at:])
            else:
                pieces[-1] += spaced
        return [token for piece in pieces for token in self._encoder.text(piece)]


def whole_answer(encoder: ChatEncoder, intent: Intent) -> Batch:
    """The first wording of an intent as it is written, with the whole answer: a batch of one."""
    question = encoder.question(encoder.text(intent.wordings[0]))
    return _padded([_with_targets(question, encoder.answer(encoder.text(intent.answer)))])


def _with_targets(question: Sequence[int], answer: Sequence[int]) -> tuple[list[int], list[int]]:
    tokens = [*question, *answer]
    unscored = [IGNORED] * (len(question) - 1)
    return tokens, [*unscored, *answer, IGNORED]


def _padded(rows: Sequence[tuple[list[int], list[int]]]) -> Batch:
    length = max(len(tokens) for tokens, _ in rows)
    tokens = torch.zeros(len(rows), length, dtype=torch.long)
    targets = torch.full((len(rows), length), IGNORED)
    for row, (row_tokens, row_targets) in enumerate(rows):
        tokens[row, : len(row_tokens)] = torch.tensor(row_tokens)
        targets[row, : len(row_targets)] = torch.tensor(row_targets)
    return Batch(tokens, targets)
