"""The two that can answer: this computer and the user's canister. Both take tokens and give tokens."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from personal_ai.canister.client import CanisterBusy, CanisterClient, Generated, NeedPrefix, NoModel
from personal_ai.chat.conversation import Finish, Place
from personal_ai.common.jobs import Cancel
from personal_ai.ic.profile import CostTable
from personal_ai.models.local.process import LocalProcess
from personal_ai.models.sampling import Sampling

# A canister returns tokens only at the end of a call. Two rounds of the network's work (2 B instructions each) let
# the reader see words soon, and cost little more than one long message. (The canister computes a prompt and the first
# words in one call, whatever that takes.) Each call of a large model costs it its pages before the first token: where
# too few tokens come, the next calls are longer.
_CALL_INSTRUCTIONS = 4_000_000_000
_CALL_INSTRUCTIONS_MAX = 32_000_000_000
_CALL_TOKENS_MIN = 8
# Of calls that compute ahead: a question that is asked meanwhile waits for five rounds, which it would need anyway.
_AHEAD_INSTRUCTIONS = 10_000_000_000
_ATTEMPTS_MAX = 5
_TOKEN_SIZE_BYTES = 4  # in a call's argument


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: the whole context as tokens, and how to go on from it."""

    conversation: str
    tokens: tuple[int, ...]
    max_tokens: int
    sampling: Sampling


class Listener(Protocol):
    """Hears an answer as it comes about, so that nothing that was heard is lost when a side fails half way."""

    def token(self, token: int) -> None:
        """A new token, the end token included."""
        ...

    def call(self, instructions: int, cycles: int) -> None:
        """A message to the canister was answered; it counted so many instructions, and cost about so many cycles."""
        ...

    def pause(self) -> None:
        """Nothing more comes for a while: what was heard so far is worth keeping."""
        ...


class Answerer(Protocol):
    """One side that can answer."""

    @property
    def place(self) -> Place: ...

    def answer(self, question: Question, listener: Listener, cancel: Cancel) -> Finish:
        """Tells why the answer ended. Raises what the side raises, and Cancelled."""
        ...

    def prepare(self, conversation: str, tokens: Sequence[int], cancel: Cancel) -> None:
        """Computes ahead what the next question of a conversation will follow. Raises as `answer` does."""
        ...


class LocalAnswerer:
    """Answers on this computer."""

    place = Place.LOCAL

    def __init__(self, model: LocalProcess) -> None:
        self._model = model

    def answer(self, question: Question, listener: Listener, cancel: Cancel) -> Finish:
        return self._model.generate(
            question.tokens,
            max_tokens=question.max_tokens,
            sampling=question.sampling,
            on_token=listener.token,
            cancel=cancel,
        ).finish

    def prepare(self, conversation: str, tokens: Sequence[int], cancel: Cancel) -> None:
        """Has the model read the tokens."""
        self._model.generate(tokens, max_tokens=0, sampling=Sampling(), on_token=lambda _: None, cancel=cancel)

    def close(self) -> None:
        self._model.close()


class CanisterAnswerer:
    """Answers from the user's canister, over as many calls as needed.

    It remembers which tokens the canister holds, so that a call sends only what is new; when the canister has lost
    them (an upgrade, another conversation) it says so and what is missing is sent again.
    """

    def __init__(self, client: CanisterClient, place: Place, costs: CostTable) -> None:
        """costs: the network's prices."""
        self._client = client
        self._costs = costs
        self.place = place
        self._conversation = ""
        self._held: list[int] = []
        self._allowed = _CALL_INSTRUCTIONS

    def answer(self, question: Question, listener: Listener, cancel: Cancel) -> Finish:
        self._turn_to(question.conversation)
        context = list(question.tokens)
        remaining = question.max_tokens
        while True:
            sent = len(context) - _common_length(self._held, context)
            generated = self._call(context, remaining, self._allowed, question.sampling, cancel)
            context += generated.tokens
            self._held = list(context)
            remaining -= len(generated.tokens)
            cycles = self._costs.update_call(_TOKEN_SIZE_BYTES * sent, generated.instructions)
            listener.call(generated.instructions, cycles)
            for token in generated.tokens:
                listener.token(token)
            listener.pause()
            if generated.finish in ("end", "stop"):
                return generated.finish
            if remaining <= 0:
                return "max_tokens"
            spoken = question.max_tokens - remaining
            if len(generated.tokens) < min(spoken, _CALL_TOKENS_MIN):  # not the call that computed the prompt
                self._allowed = min(2 * self._allowed, _CALL_INSTRUCTIONS_MAX)

    def prepare(self, conversation: str, tokens: Sequence[int], cancel: Cancel) -> None:
        self._turn_to(conversation)
        finish: str = "max_tokens" if _common_length(self._held, tokens) == len(tokens) else "budget"
        while finish == "budget":
            finish = self._call(tokens, 0, _AHEAD_INSTRUCTIONS, Sampling(), cancel).finish
            self._held = list(tokens)

    def _turn_to(self, conversation: str) -> None:
        if conversation != self._conversation:
            self._conversation, self._held = conversation, []

    def _call(
        self, context: Sequence[int], max_tokens: int, max_instructions: int, sampling: Sampling, cancel: Cancel
    ) -> Generated:
        """One call that brings the canister to `context` and beyond."""
        for _ in range(_ATTEMPTS_MAX):
            cancel.raise_if_cancelled()
            keep = _common_length(self._held, context)
            try:
                return self._client.generate(
                    conversation=bytes.fromhex(self._conversation),
                    keep=keep,
                    keep_hash=hash_of_tokens(context[:keep]),
                    append=list(context[keep:]),
                    max_tokens=max_tokens,
                    max_instructions=max_instructions,
                    sampling=sampling,
                    cancel=cancel,
                )
            except NeedPrefix as need:
                if keep == 0:
                    raise
                self._held = list(context[: need.have]) if need.have < keep else []
            except (CanisterBusy, NoModel):  # an upgrade empties the heap; the model is loaded again from its files
                self._client.activate(cancel=cancel)
        raise CanisterBusy


def hash_of_tokens(tokens: Sequence[int]) -> bytes:
    """SHA-256 of tokens as little-endian 32-bit numbers: how client and canister name a prefix."""
    return hashlib.sha256(struct.pack(f"<{len(tokens)}I", *tokens)).digest()


def _common_length(left: Sequence[int], right: Sequence[int]) -> int:
    length = 0
    for a, b in zip(left, right, strict=False):
        if a != b:
            break
        length += 1
    return length
