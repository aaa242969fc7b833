"""How soon the first word of a reply can be read at the pace that the `ic` profile assumes of the network.

    python -m tests.benchmarks.first_word [--shape smollm2-135m] [--weights int8] [--json]

The whole model, with random weights that went through the importer's ONNX writer and the compiler, runs in the shipped
module on the practice network's executor; the app's own answerer talks to it. Instructions are counted exactly, page
touches included. The time is a model, not a measurement: a call takes the profile's `ingress_latency_s` and a `round_s`
for each `slice_instructions` that it used.

One chat's system prompt is computed ahead, and its question asked; another chat with the same system prompt is opened;
and a chat of which nothing was computed ahead asks with a prompt of PROMPT tokens. `first_word_s` is when the first
call of the reply ends: it brings the first words.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from personal_ai.canister.build import WASM
from personal_ai.canister.upload import Upload
from personal_ai.chat.answerers import CanisterAnswerer, Question
from personal_ai.chat.conversation import Place
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import resource
from personal_ai.ic.profile import IC
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.sampling import Sampling
from tests.benchmarks.engine import PROMPT, compile_shape
from tests.benchmarks.shapes import SHAPES
from tests.canister.installed import Installed, Network
from tests.canister.models import forget, load

SYSTEM: Final = 100  # tokens of the system prompt
QUESTION: Final = 30
REPLY: Final = 128
_CHAT, _OTHER_CHAT, _LONG_CHAT = "01" * 16, "02" * 16, "03" * 16


@dataclass(frozen=True, slots=True)
class Call:
    """One call of `generate`: what it used, and how many tokens it brought."""

    instructions: int
    tokens: int

    @property
    def seconds(self) -> float:
        """What the profile's pace makes of it."""
        rounds = max(1, math.ceil(self.instructions / IC.pacing.slice_instructions))
        return IC.pacing.ingress_latency_s + rounds * IC.pacing.round_s


class _Calls:
    """Hears the answerer, and keeps how many tokens each call brought."""

    def __init__(self) -> None:
        self.tokens: list[int] = []

    def token(self, token: int) -> None:
        self.tokens[-1] += 1

    def call(self, instructions: int, cycles: int) -> None:
        self.tokens.append(0)

    def pause(self) -> None:
        """Nothing is kept."""


def measure(decoder: Decoder, weights: Quantisation) -> dict[str, Any]:
    """The figures of one model."""
    with tempfile.TemporaryDirectory() as scratch:
        program = compile_shape(Path(scratch), decoder, weights)
        canister = Network(Path(scratch) / "network").canister()
        load(canister.client, Upload.of("Benchmark", [("program", program.path)]))
        prompt = [7 * at % decoder.vocabulary_size for at in range(PROMPT)]
        ahead = _prepare(canister, _CHAT, prompt[:SYSTEM])
        reply = _ask(canister, _CHAT, prompt[: SYSTEM + QUESTION])
        shared = _prepare(canister, _OTHER_CHAT, prompt[:SYSTEM])
        forget(canister.client)
        uncached = _ask(canister, _LONG_CHAT, prompt)
    first = reply[0]
    return {
        "first_word_s": round(first.seconds, 1),
        "first_call_instructions": first.instructions,
        "first_call_tokens": first.tokens,
        "reply_tokens_per_second": round(REPLY / sum(call.seconds for call in reply), 1),
        "system_prompt_instructions": sum(call.instructions for call in ahead),
        "system_prompt_of_another_chat_instructions": sum(call.instructions for call in shared),
        f"first_word_of_{PROMPT}_tokens_s": round(uncached[0].seconds, 1),
        f"first_call_of_{PROMPT}_tokens_instructions": uncached[0].instructions,
        f"first_call_of_{PROMPT}_tokens_tokens": uncached[0].tokens,
    }


def _prepare(canister: Installed, chat: str, tokens: list[int]) -> list[Call]:
    """The calls that compute tokens ahead."""
    canister.calls.clear()
    CanisterAnswerer(canister.client, Place.CANISTER, IC.costs).prepare(chat, tokens, Cancel())
    return [Call(outcome.instructions, 0) for _, outcome in canister.calls]


def _ask(canister: Installed, chat: str, prompt: list[int]) -> list[Call]:
    """The calls of a reply of REPLY tokens; the first one's tokens are the first words."""
    canister.calls.clear()
    heard = _Calls()
    question = Question(chat, tuple(prompt), REPLY, Sampling())
    answerer = CanisterAnswerer(canister.client, Place.CANISTER, IC.costs)
    answerer.answer(question, heard, Cancel())
    outcomes = [outcome for method, outcome in canister.calls if method == "generate" and outcome.reply is not None]
    assert heard.tokens[0] > 0, "the first call brings the first word"
    return [
        Call(outcome.instructions, tokens)
        for outcome, tokens in zip(outcomes[-len(heard.tokens) :], heard.tokens, strict=True)
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.first_word", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    figures = {
        "module_hash": hashlib.sha256(resource(WASM).read_bytes()).hexdigest(),
        "shape": chosen.shape,
        "weights": chosen.weights,
        "assumed_pace": asdict(IC.pacing),
        "system_tokens": SYSTEM,
        "question_tokens": QUESTION,
        **measure(SHAPES[chosen.shape], chosen.weights),
    }
    print(json.dumps(figures) if chosen.json else "\n".join(f"{key:44} {figures[key]!s:>16}" for key in figures))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
