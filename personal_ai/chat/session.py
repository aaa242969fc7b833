"""One chat: from the user's words to the reply's, and to which side they go.

The canister is asked first where there is one. When it cannot answer, this computer does, with the reason shown;
a reply broken off on the way goes on here from the tokens that arrived. A failed certificate or signature is never
answered around: it is a security error.
"""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from personal_ai.chat import cuts
from personal_ai.chat.answerers import Answerer, LocalAnswerer, Question
from personal_ai.chat.conversation import Conversation, Finish, Place, ReplyFacts, Turn
from personal_ai.chat.stop_texts import StopTexts
from personal_ai.common.errors import Cancelled, NetworkError, SecurityError, UserFacingError
from personal_ai.common.jobs import Cancel
from personal_ai.models.messages import Message
from personal_ai.models.sampling import Sampling
from personal_ai.models.tokenizer import ChatTokenizer

TextCallback = Callable[[str], None]
PlaceCallback = Callable[[Place, str | None], None]
TurnCallback = Callable[[Turn], None]

REPLY_TOKENS_MAX = 512
_LIVELY_TEMPERATURE = 0.7
_UNFINISHED_EVERY_S = 0.5  # so that a crash takes less than a second's words
_SUMMARY_TOKENS_MAX = 160


class ContextFullError(UserFacingError):
    """The conversation no longer fits the model's context.

    can_be_cut: whether leaving out what was said first makes room (`ChatSession.leave_out` and its siblings).
    """

    def __init__(self, tokens: int, context_length: int, *, can_be_cut: bool) -> None:
        super().__init__(
            f"This conversation has {tokens} tokens; the model can follow {context_length}.",
            not_lost="Everything said so far is kept, and nothing was left out.",
            next_step="Leave out what was said first, have it summarised, or carry on in a new conversation."
            if can_be_cut
            else "Ask in fewer words.",
        )
        self.can_be_cut = can_be_cut


@dataclass(frozen=True, slots=True)
class ContextUse:
    """How many of the context's tokens a conversation takes, before the words of the next question."""

    tokens: int
    context_length: int


@dataclass(frozen=True, slots=True)
class ChatModel:
    """What a chat needs to know of a model besides the sides that run it."""

    tokenizer: ChatTokenizer
    context_length: int
    stop_texts: tuple[str, ...] = ()


class ChatSession:
    """Asks one model: in the canister if `canister` is given, on this computer otherwise or as the fallback."""

    def __init__(
        self,
        model: ChatModel,
        local: LocalAnswerer,
        canister: Answerer | None,
        *,
        sampling: Sampling | None = None,
        max_tokens: int = REPLY_TOKENS_MAX,
    ) -> None:
        self._model = model
        self._local = local
        self._canister = canister
        self._sampling = sampling or Sampling()
        self._max_tokens = max_tokens

    def place(self, pinned: Place | None = None) -> Place:
        """Where the next words would go."""
        return self._first(pinned).place

    def reply(
        self,
        conversation: Conversation,
        user_text: str,
        *,
        on_text: TextCallback,
        on_place: PlaceCallback,
        cancel: Cancel,
    ) -> Conversation:
        """The conversation with the user's turn and the reply at its end.

        on_text gets the reply piece by piece; on_place the place, and again with the reason when it changes.
        Cancelling keeps what was said so far (finish "cancelled").
        Raises ContextFullError, and UserFacingError when no side can answer.
        """
        asked = conversation.with_turn(Turn("user", user_text))
        return self.answer(asked, on_text=on_text, on_place=on_place, cancel=cancel)

    def answer(
        self,
        asked: Conversation,
        *,
        other_words: bool = False,
        on_text: TextCallback,
        on_place: PlaceCallback,
        on_unfinished: TurnCallback = lambda _: None,
        cancel: Cancel,
    ) -> Conversation:
        """As `reply`, for a conversation that ends with a question, or with a reply to be carried on.

        other_words: the question has been answered before, and should be answered differently.
        on_unfinished gets the reply as far as it has come, every now and then, as the turn that it would be if the
        program ended there; the turn of the whole reply has the same id.
        """
        sampling = _livelier(self._sampling_of(asked)) if other_words else self._sampling_of(asked)
        begun = asked.turns[-1] if asked.turns[-1].role == "assistant" else None
        before = asked.before(begun.id) if begun else asked
        said, facts = (begun.text, begun.facts) if begun else ("", None)
        question = self._question(before, said, sampling)
        beginning = Turn("assistant", said, facts, parent=before.turns[-1].id)
        reply = _Reply(self._model, on_text, lambda: on_unfinished(reply.as_turn(beginning, "interrupted")))
        first = self._first(asked.pinned)
        on_place(first.place, None)
        try:
            finish = reply.ask(first, question, cancel)
        except NetworkError as error:
            if first.place is Place.LOCAL or asked.pinned is not None:
                raise
            on_place(Place.LOCAL, error.what)
            finish = reply.ask(self._local, question, cancel, instead_because=error.what)
        return before.with_turn(reply.as_turn(beginning, finish))

    def prepare(self, conversation: Conversation, cancel: Cancel) -> None:
        """Has what the next question will follow computed ahead, while the user writes it.

        Only its instructions and words that were there before go to a canister. What keeps a side from answering is no
        error yet: the reply will tell. Raises SecurityError, Cancelled.
        """
        side = self._first(conversation.pinned)
        if side.place is not Place.LOCAL and not _all_said_at(side.place, conversation):
            return
        try:
            if tokens := self._beginning(conversation):
                side.prepare(conversation.id, tokens, cancel)
        except SecurityError:
            raise
        except UserFacingError:
            return

    # When the context is full

    def context_use(self, conversation: Conversation) -> ContextUse:
        """What the model would be told before the next question, beside what it can follow."""
        told = bool(conversation.messages())
        return ContextUse(
            self._length(conversation.with_turn(Turn("user", ""))) if told else 0, self._model.context_length
        )

    def leave_out(self, conversation: Conversation, question: str) -> Conversation:
        """The conversation with a cut that leaves `question` half of the context. Raises ContextFullError."""
        return cuts.with_cut(conversation, self._required_beginning(conversation, question))

    def summarise(self, conversation: Conversation, question: str, cancel: Cancel) -> Conversation:
        """As `leave_out`, and the model's own summary of what is left out stands in its place.

        Raises ContextFullError, Cancelled, and UserFacingError when the side that is asked first cannot answer.
        """
        position = self._required_beginning(conversation, question)
        asked = cuts.summary_question(conversation, position)
        tokens = tuple(self._model.tokenizer.encode_chat(asked))
        room = min(_SUMMARY_TOKENS_MAX, self._model.context_length - len(tokens))
        if room <= 0:
            raise ContextFullError(len(tokens), self._model.context_length, can_be_cut=True)
        reply = _Reply(self._model, lambda _: None, lambda: None)
        finish = reply.ask(
            self._first(conversation.pinned), Question(uuid.uuid4().hex, tokens, room, self._sampling), cancel
        )
        if finish == "cancelled":
            raise Cancelled
        return cuts.with_cut(conversation, position, reply.text.strip())

    def carry_on(self, conversation: Conversation, question: str, title: str) -> Conversation:
        """A new conversation with the newest turns of this one that leave `question` room. Raises ContextFullError."""
        return cuts.carried_on(conversation, self._required_beginning(conversation, question), title)

    def _required_beginning(self, conversation: Conversation, question: str) -> int:
        position = self._fitting_beginning(conversation, question)
        if position is None:
            tokens = self._length(conversation.with_turn(Turn("user", question)))
            raise ContextFullError(tokens, self._model.context_length, can_be_cut=False)
        return position

    def _fitting_beginning(self, conversation: Conversation, question: str) -> int | None:
        """The earliest place for a cut with which all fits into half of the context, else the last one if it fits."""
        lengths = {
            position: self._length(cuts.with_cut(conversation, position).with_turn(Turn("user", question)))
            for position in cuts.beginnings(conversation)
        }
        for share in (2, 1):
            for position, length in lengths.items():
                if length < self._model.context_length // share:
                    return position
        return None

    def _length(self, conversation: Conversation) -> int:
        return len(self._model.tokenizer.encode_chat(conversation.messages()))

    def close(self) -> None:
        self._local.close()

    def _beginning(self, conversation: Conversation) -> list[int]:
        """The tokens that stand before the next question, whatever it is; none where they leave it no room."""
        questions = ("?", "a")  # which no tokenizer begins alike
        this, other = (
            self._model.tokenizer.encode_chat([*conversation.messages(), Message("user", question)])
            for question in questions
        )
        count = next(at for at, (left, right) in enumerate(zip(this, other, strict=False)) if left != right)
        return this[:count] if count < self._model.context_length else []

    def _first(self, pinned: Place | None) -> Answerer:
        return self._local if self._canister is None or pinned is Place.LOCAL else self._canister

    def _sampling_of(self, conversation: Conversation) -> Sampling:
        return conversation.sampling or self._sampling

    def _question(self, conversation: Conversation, begun: str, sampling: Sampling) -> Question:
        tokenizer = self._model.tokenizer
        tokens = (*tokenizer.encode_chat(conversation.messages()), *(tokenizer.encode_text(begun) if begun else ()))
        room = self._model.context_length - len(tokens)
        if room <= 0:
            can_be_cut = self._fitting_beginning(conversation.without_last(), conversation.turns[-1].text) is not None
            raise ContextFullError(len(tokens), self._model.context_length, can_be_cut=can_be_cut)
        return Question(conversation.id, tokens, min(self._max_tokens, room), sampling)


def _livelier(sampling: Sampling) -> Sampling:
    """One that chooses other words: the likeliest ones alone would come out the same again."""
    return replace(sampling, temperature=sampling.temperature or _LIVELY_TEMPERATURE, seed=secrets.randbits(64))


def _all_said_at(place: Place, conversation: Conversation) -> bool:
    """Whether every reply so far came from there, and so all words have been there."""
    replies = [turn.facts for turn in conversation.turns if turn.role == "assistant"]
    return all(facts is not None and facts.place is place and not facts.fallback_reason for facts in replies)


class _StopTextReached(Exception):
    """Ends an answer from within; it never leaves `_Reply.ask`."""


class _Reply:
    """A reply in the making; it outlives a side that fails half way."""

    def __init__(self, model: ChatModel, on_text: TextCallback, on_progress: Callable[[], None]) -> None:
        """on_progress: called now and then while there is more of the reply than before."""
        self.tokens: list[int] = []
        self.text = ""
        self._end_tokens = model.tokenizer.end_tokens
        self._decoder = model.tokenizer.decoder()
        self._stop = StopTexts(model.stop_texts)
        self._on_text = on_text
        self._on_progress = on_progress
        self._place = Place.LOCAL
        self._fallback_reason: str | None = None
        self._continued_at: int | None = None
        self._calls = 0
        self._instructions = self._cycles = 0
        self._started_s = self._told_s = time.monotonic()

    def ask(
        self, answerer: Answerer, question: Question, cancel: Cancel, *, instead_because: str | None = None
    ) -> Finish:
        """Has the rest of the question answered; instead_because: why the side that was asked first could not."""
        self._place = answerer.place
        if instead_because is not None:
            self._fallback_reason, self._continued_at = instead_because, len(self.tokens) or None
        rest = replace(
            question,
            tokens=(*question.tokens, *self.tokens),
            max_tokens=question.max_tokens - len(self.tokens),
        )
        try:
            finish = answerer.answer(rest, self, cancel)
        except Cancelled:
            finish = "cancelled"
        except _StopTextReached:
            finish = "stop"
        self._say(self._stop.push(self._decoder.flush()) + self._stop.flush())
        return finish

    def as_turn(self, begun: Turn, finish: Finish) -> Turn:
        """What has been said, at the end of what `begun` has said already."""
        facts = ReplyFacts(
            place=self._place,
            tokens=len(self.tokens),
            seconds=time.monotonic() - self._started_s,
            finish=finish,
            calls=self._calls,
            instructions=self._instructions,
            fallback_reason=self._fallback_reason,
            continued_locally_at=self._continued_at,
            cycles=self._cycles,
        )
        return replace(
            begun, text=begun.text + self.text, facts=begun.facts.followed_by(facts) if begun.facts else facts
        )

    def token(self, token: int) -> None:
        self.tokens.append(token)
        if token not in self._end_tokens:
            self._say(self._stop.push(self._decoder.push(token)))
        if self._stop.reached:
            raise _StopTextReached
        if time.monotonic() - self._told_s >= _UNFINISHED_EVERY_S:
            self.pause()

    def pause(self) -> None:
        if self.text:
            self._told_s = time.monotonic()
            self._on_progress()

    def call(self, instructions: int, cycles: int) -> None:
        self._calls += 1
        self._instructions += instructions
        self._cycles += cycles

    def _say(self, piece: str) -> None:
        if piece:
            self.text += piece
            self._on_text(piece)
