"""Scores the starter model on questions it never saw: `python -m personal_ai.models.starter.evaluate --json`.

A reply is right when it is the intent's own answer, word for word but for case and punctuation; a question about
anything else is refused when the reply is the refusal. Greedy, through the package that comes with the program.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from personal_ai.common.files import sha256_of_file
from personal_ai.common.jobs import Cancel
from personal_ai.models.library import starter
from personal_ai.models.local import LocalModel
from personal_ai.models.manifest import MANIFEST_FILE
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling
from personal_ai.models.starter.corpus import Corpus, largest_overlap, load, normalised
from personal_ai.models.tokenizer import ChatTokenizer

ARTEFACT = Path(__file__).resolve().parent / "artefact.json"
LONGEST_REPLY_TOKENS = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """One question asked: `right` says whether the reply is the answer of `intent`."""

    intent: str
    question: str
    reply: str
    right: bool


@dataclass(frozen=True, slots=True)
class Score:
    """Parts between 0 and 1 of the counted questions."""

    held_out_accuracy: float
    held_out_total: int
    off_topic_refused: float
    off_topic_total: int
    largest_overlap: float


@dataclass(frozen=True, slots=True)
class Making:
    """How a model was trained: see `train`, whose recipes are told apart by `begun_from`."""

    begun_from: str | None  # SHA-256 of the manifest of the package that it went on from
    steps: int
    seed: int
    torch: str  # version


@dataclass(frozen=True, slots=True)
class Artefact:
    """Which files the committed model consists of, how it was made, and what it scored when it was committed."""

    files: dict[str, str]  # SHA-256 by name
    score: Score
    missed: tuple[str, ...]  # the held-out questions that it answered wrongly
    made: Making

    @classmethod
    def recorded(cls) -> Self:
        """What artefact.json says."""
        document = json.loads(ARTEFACT.read_text(encoding="utf-8"))
        score, made = Score(**document["score"]), Making(**document["made"])
        return cls(document["files"], score, tuple(document["missed"]), made)

    @classmethod
    def of(cls, package: ModelPackage, score: Score, outcomes: Iterable[Outcome], made: Making) -> Self:
        """The record of a package with what `evaluate` found."""
        missed = tuple(outcome.question for outcome in outcomes if not outcome.right)
        return cls(hashes(package), score, missed, made)

    def to_text(self) -> str:
        """The content of artefact.json."""
        return json.dumps(asdict(self), indent=2) + "\n"


def hashes(package: ModelPackage) -> dict[str, str]:
    """SHA-256 of each file of a package, its manifest too."""
    return {name: sha256_of_file(package.folder / name) for name in (*package.manifest.files, MANIFEST_FILE)}


class Guide:
    """The starter model, asked one question at a time, each in a conversation of its own."""

    def __init__(self, package: ModelPackage, *, threads: int | None = None) -> None:
        """Raises DamagedFileError."""
        self._tokenizer = ChatTokenizer(package)
        self._model = LocalModel(package, threads=threads)

    def reply(self, question: str) -> str:
        """The greedy reply."""
        decoder = self._tokenizer.decoder()
        pieces: list[str] = []
        self._model.generate(
            self._tokenizer.encode_chat([Message("user", question)]),
            max_tokens=LONGEST_REPLY_TOKENS,
            sampling=Sampling(temperature=0.0),
            on_token=lambda token: pieces.append(decoder.push(token)),
            cancel=Cancel(),
        )
        return "".join(pieces) + decoder.flush()

    def close(self) -> None:
        """Gives the model's memory back."""
        self._model.close()


def held_out(corpus: Corpus) -> Iterator[tuple[str, str, str]]:
    """Every question kept from training: the intent's name, the question, the right answer."""
    for intent in corpus.all_intents:
        for question in intent.held_out:
            yield intent.name, question, intent.answer


def ask_all(guide: Guide, questions: Iterable[tuple[str, str, str]]) -> list[Outcome]:
    """Asks each (intent, question, right answer)."""
    return [
        Outcome(name, question, reply := guide.reply(question), normalised(reply) == normalised(answer))
        for name, question, answer in questions
    ]


def score(corpus: Corpus, outcomes: Iterable[Outcome]) -> Score:
    """The score of outcomes, of which some are of intents and some off topic."""
    on_topic: list[bool] = []
    off_topic: list[bool] = []
    for outcome in outcomes:
        (off_topic if outcome.intent == corpus.off_topic.name else on_topic).append(outcome.right)
    return Score(
        held_out_accuracy=round(sum(on_topic) / len(on_topic), 4),
        held_out_total=len(on_topic),
        off_topic_refused=round(sum(off_topic) / len(off_topic), 4),
        off_topic_total=len(off_topic),
        largest_overlap=round(largest_overlap(corpus), 4),
    )


def evaluate(package: ModelPackage, corpus: Corpus) -> tuple[Score, list[Outcome]]:
    """Asks everything that was held out."""
    guide = Guide(package)
    try:
        outcomes = ask_all(guide, held_out(corpus))
    finally:
        guide.close()
    return score(corpus, outcomes), outcomes


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m personal_ai.models.starter.evaluate", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the score as one JSON object")
    parser.add_argument("--package", type=Path, help="another package folder than the one that comes with the program")
    parser.add_argument("--misses", action="store_true", help="print every question that was answered wrongly")
    arguments = parser.parse_args()
    package = ModelPackage.open(arguments.package) if arguments.package else starter()
    package.verify()
    result, outcomes = evaluate(package, load())
    if arguments.misses:
        for outcome in outcomes:
            if not outcome.right:
                print(f"{outcome.intent}: {outcome.question}\n    {outcome.reply}")
    if arguments.json:
        print(json.dumps(asdict(result)))
    else:
        print(f"{result.held_out_accuracy:.1%} of {result.held_out_total} held-out questions answered rightly,")
        print(f"{result.off_topic_refused:.1%} of {result.off_topic_total} questions about anything else refused,")
        print(f"largest overlap of a held-out question with a training question {result.largest_overlap:.2f}.")


if __name__ == "__main__":
    main()
