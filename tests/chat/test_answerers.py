"""The canister's answerer sends only what the canister lacks, and finds its way back when the canister lost it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from personal_ai.canister.client import CanisterBusy, Finish, Generated, NeedPrefix, NoModel
from personal_ai.chat.answerers import CanisterAnswerer, Question, hash_of_tokens
from personal_ai.chat.conversation import Place
from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel
from personal_ai.ic.profile import CostTable
from personal_ai.models.sampling import Sampling

END = 99
CONVERSATION = "ab" * 16


@dataclass
class _Canister:
    """Counts up to `length` and says END; `kept` is what it holds of its one conversation.

    A call brings as many tokens as it may use instructions for (16 at most), and one in any case.
    """

    length: int
    token_instructions: int = 250_000_000
    kept: list[int] = field(default_factory=list)
    conversation: bytes = b""
    appended: list[list[int]] = field(default_factory=list)
    busy: int = 0
    prefill_calls: int = 0
    loaded: bool = True
    allowed: list[int] = field(default_factory=list)

    def activate(self, *, cancel: Cancel) -> None:
        self.loaded = True

    def generate(
        self,
        *,
        conversation: bytes,
        keep: int,
        keep_hash: bytes,
        append: list[int],
        max_tokens: int,
        max_instructions: int,
        sampling: Sampling,
        cancel: Cancel,
    ) -> Generated:
        if not self.loaded:
            raise NoModel
        if self.busy:
            self.busy -= 1
            raise CanisterBusy
        if conversation != self.conversation:
            self.conversation, self.kept = conversation, []
        if keep > len(self.kept) or hash_of_tokens(self.kept[:keep]) != keep_hash:
            raise NeedPrefix(0)
        self.appended.append(append)
        self.kept = self.kept[:keep] + append
        self.allowed.append(max_instructions)
        if self.prefill_calls:
            self.prefill_calls -= 1
            return Generated([], len(self.kept), "budget", max_instructions)
        tokens: list[int] = []
        finish: Finish = "budget"
        if max_tokens == 0:
            return Generated([], len(self.kept), "max_tokens", max_instructions)
        count = max(1, min(max_tokens, 16, max_instructions // self.token_instructions))
        while len(tokens) < count and finish != "end":
            said = len(self.kept) >= self.length
            tokens.append(END if said else len(self.kept))
            self.kept.append(tokens[-1])
            finish = "end" if said else "max_tokens" if len(tokens) == max_tokens else "budget"
        return Generated(tokens, len(self.kept), finish, max_instructions)


class _Listener:
    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.instructions = self.cycles = 0
        self.pauses: list[int] = []

    def token(self, token: int) -> None:
        self.tokens.append(token)

    def call(self, instructions: int, cycles: int) -> None:
        self.instructions += instructions
        self.cycles += cycles

    def pause(self) -> None:
        self.pauses.append(len(self.tokens))


def _answerer(canister: _Canister) -> CanisterAnswerer:
    return CanisterAnswerer(canister, Place.PRACTICE, CostTable())  # type: ignore[arg-type]


def _ask(answerer: CanisterAnswerer, tokens: list[int], max_tokens: int = 1000) -> tuple[str, _Listener]:
    listener = _Listener()
    question = Question(CONVERSATION, tuple(tokens), max_tokens, Sampling())
    return answerer.answer(question, listener, Cancel()), listener


def test_a_reply_takes_as_many_calls_as_it_needs_and_repeats_nothing() -> None:
    canister = _Canister(length=40)
    finish, listener = _ask(_answerer(canister), [7, 8, 9])
    assert finish == "end"
    assert listener.tokens == [*range(3, 40), END]
    assert canister.appended == [[7, 8, 9], [], []], "16 tokens, 16 and the last 6"
    assert listener.pauses == [16, 32, 38]
    assert listener.instructions == sum(canister.allowed) == 3 * 4_000_000_000
    prices = CostTable()
    asked_and_carried_on = prices.update_call(4 * 3, 4_000_000_000) + 2 * prices.update_call(0, 4_000_000_000)
    assert listener.cycles == asked_and_carried_on > listener.instructions


def test_the_next_turn_sends_only_what_is_new() -> None:
    canister = _Canister(length=12)
    answerer = _answerer(canister)
    _, first = _ask(answerer, [7, 8])
    canister.length = 30
    held = [7, 8, *first.tokens]
    _ask(answerer, [*held, 5, 6])
    assert [5, 6] in canister.appended
    _ask(answerer, [*held[:4], 1])
    assert [1] in canister.appended, "an edited turn keeps the common beginning"


def test_what_the_canister_lost_is_sent_again() -> None:
    canister = _Canister(length=12)
    answerer = _answerer(canister)
    _, first = _ask(answerer, [7, 8])
    canister.kept = []
    canister.length = 20
    context = [7, 8, *first.tokens, 5]
    finish, _ = _ask(answerer, context)
    assert finish == "end" and context in canister.appended


def test_a_prompt_too_long_for_one_message_goes_on_in_the_next() -> None:
    canister = _Canister(length=6, prefill_calls=3)
    finish, listener = _ask(_answerer(canister), [1, 2, 3])
    assert (finish, listener.tokens) == ("end", [3, 4, 5, END])
    assert canister.appended == [[1, 2, 3], [], [], []]


def test_calls_grow_until_they_bring_enough_tokens() -> None:
    canister = _Canister(length=60, token_instructions=1_500_000_000)
    answerer = _answerer(canister)
    finish, listener = _ask(answerer, [1, 2])
    assert (finish, listener.tokens) == ("end", [*range(2, 60), END])
    billions = [allowed // 1_000_000_000 for allowed in canister.allowed]
    assert billions == [4, 4, 8, 16, 16, 16, 16, 16], "the first one says nothing: it has the prompt to compute"
    _ask(answerer, [1, 2, 3])
    assert canister.allowed[-1] == 16_000_000_000, "the next reply knows"


def test_calls_of_a_model_larger_than_any_stop_growing() -> None:
    canister = _Canister(length=20, token_instructions=50_000_000_000)
    finish, listener = _ask(_answerer(canister), [1])
    assert (finish, len(listener.tokens)) == ("end", 20)
    assert max(canister.allowed) == 32_000_000_000


def test_what_a_question_will_follow_is_computed_ahead() -> None:
    canister = _Canister(length=9, prefill_calls=2)
    answerer = _answerer(canister)
    answerer.prepare(CONVERSATION, [1, 2, 3], Cancel())
    assert canister.appended == [[1, 2, 3], [], []], "over as many calls as it takes"
    answerer.prepare(CONVERSATION, [1, 2], Cancel())
    assert len(canister.appended) == 3, "nothing is there to be computed"
    _ask(answerer, [1, 2, 3, 4, 5])
    assert canister.appended[3] == [4, 5]


def test_max_tokens_is_kept_over_calls() -> None:
    finish, listener = _ask(_answerer(_Canister(length=10**6)), [1], 100)
    assert (finish, len(listener.tokens)) == ("max_tokens", 100)


def test_a_canister_that_stays_busy_is_not_asked_for_ever() -> None:
    with pytest.raises(CanisterBusy):
        _ask(_answerer(_Canister(length=5, busy=10**6)), [1])


@pytest.mark.parametrize("state", [{"loaded": False}, {"busy": 3}])
def test_a_canister_without_its_model_loads_it_again(state: dict[str, Any]) -> None:
    canister = _Canister(length=5, **state)
    assert _ask(_answerer(canister), [1])[0] == "end"
    assert canister.loaded and not canister.busy


def test_cancelling_stops_between_calls() -> None:
    cancel, listener = Cancel(), _Listener()
    cancel.cancel()
    question = Question(CONVERSATION, (1,), 10, Sampling())
    with pytest.raises(Cancelled):
        _answerer(_Canister(length=5)).answer(question, listener, cancel)
    assert listener.tokens == []
    with pytest.raises(Cancelled):
        _answerer(_Canister(length=5)).prepare(CONVERSATION, [1], cancel)


def test_after_stop_at_most_the_slice_under_way_is_paid() -> None:
    cancel = Cancel()

    class _StopsAtOnce(_Listener):
        def token(self, token: int) -> None:
            super().token(token)
            cancel.cancel()

    canister, listener = _Canister(length=40), _StopsAtOnce()
    with pytest.raises(Cancelled):
        _answerer(canister).answer(Question(CONVERSATION, (7,), 1000, Sampling()), listener, cancel)
    assert len(canister.allowed) == 1
    assert len(listener.tokens) == 16, "what was paid is kept"


def test_the_hash_of_a_prefix_is_of_little_endian_words() -> None:
    assert hash_of_tokens([]).hex().startswith("e3b0c442")
    assert hash_of_tokens([1, 258]) == hashlib.sha256(bytes([1, 0, 0, 0, 2, 1, 0, 0])).digest()
