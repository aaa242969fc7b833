"""Which side answers, what happens when it fails, and what the reply then says of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from personal_ai.chat import conversation as conversations
from personal_ai.chat import cuts
from personal_ai.chat.answerers import Listener, Question
from personal_ai.chat.conversation import Conversation, Finish, Place, Turn
from personal_ai.chat.session import ChatModel, ChatSession, ContextFullError, ContextUse
from personal_ai.common.errors import NetworkUnreachableError, SecurityError
from personal_ai.common.jobs import Cancel
from personal_ai.models.messages import Message
from personal_ai.models.sampling import Sampling

END = 0


class _Decoder:
    def push(self, token: int) -> str:
        return chr(token)

    def flush(self) -> str:
        return ""


class _Tokenizer:
    """One token a character, END after each message."""

    end_tokens = frozenset({END})

    def encode_chat(self, messages: Sequence[Message], add_generation_prompt: bool = True) -> list[int]:
        return [token for message in messages for token in (*map(ord, message.content), END)]

    def encode_text(self, text: str) -> list[int]:
        return list(map(ord, text))

    def decoder(self) -> _Decoder:
        return _Decoder()


class _Side:
    """Says `text` and ends; `fail` is called before the token at `fail_at`."""

    def __init__(self, place: Place, text: str, fail: Callable[[], None] | None = None, fail_at: int = 0) -> None:
        self.place, self.text, self.fail, self.fail_at = place, text, fail, fail_at
        self.questions: list[Question] = []
        self.prepared: list[tuple[str, str]] = []

    def answer(self, question: Question, listener: Listener, cancel: Cancel) -> Finish:
        self.questions.append(question)
        listener.call(100, 107)
        for position, character in enumerate(self.text):
            if position == self.fail_at and self.fail is not None:
                listener.pause()
                self.fail()
            cancel.raise_if_cancelled()
            listener.token(ord(character))
        listener.token(END)
        listener.pause()
        return "end"

    def prepare(self, conversation: str, tokens: Sequence[int], cancel: Cancel) -> None:
        if self.fail is not None:
            self.fail()
        self.prepared.append((conversation, "".join(map(chr, tokens))))

    def close(self) -> None: ...


def _away() -> None:
    raise NetworkUnreachableError("The network is away.")


def _session(local: _Side, canister: _Side | None = None, context_length: int = 100) -> ChatSession:
    return ChatSession(ChatModel(_Tokenizer(), context_length), local, canister, max_tokens=50)  # type: ignore[arg-type]


class _Heard:
    def __init__(self) -> None:
        self.text = ""
        self.places: list[tuple[Place, str | None]] = []

    def on_text(self, piece: str) -> None:
        self.text += piece

    def on_place(self, place: Place, reason: str | None) -> None:
        self.places.append((place, reason))


def _reply(session: ChatSession, conversation: Conversation, heard: _Heard) -> Conversation:
    return session.reply(conversation, "hi", on_text=heard.on_text, on_place=heard.on_place, cancel=Cancel())


def test_the_canister_is_asked_first_and_the_reply_says_so() -> None:
    local, canister, heard = _Side(Place.LOCAL, "no"), _Side(Place.PRACTICE, "yes"), _Heard()
    session = _session(local, canister)
    assert session.place() is Place.PRACTICE
    replied = _reply(session, Conversation("guide"), heard)
    assert [(turn.role, turn.text) for turn in replied.turns] == [("user", "hi"), ("assistant", "yes")]
    facts = replied.turns[-1].facts
    assert facts is not None
    assert facts.cycles == 107 * facts.calls
    assert (facts.place, facts.tokens, facts.calls, facts.instructions, facts.finish) == (
        Place.PRACTICE,
        4,
        1,
        100,
        "end",
    )
    assert heard.text == "yes" and heard.places == [(Place.PRACTICE, None)] and not local.questions


def test_a_reply_is_told_as_a_turn_while_it_comes() -> None:
    """With all that is known of it by then, under the id that it will have."""
    told: list[Turn] = []
    asked = Conversation("guide").with_turn(Turn("user", "hi"))
    session = _session(_Side(Place.LOCAL, "here"), _Side(Place.PRACTICE, "now and", _away, fail_at=3))
    replied = session.answer(
        asked, on_text=lambda _: None, on_place=lambda _, __: None, on_unfinished=told.append, cancel=Cancel()
    )
    assert [turn.text for turn in told] == ["now", "nowhere"]
    first, last = (turn.facts for turn in told)
    assert first is not None and last is not None
    assert (first.place, first.finish, first.tokens, first.cycles) == (Place.PRACTICE, "interrupted", 3, 107)
    assert (last.place, last.fallback_reason, last.continued_locally_at) == (Place.LOCAL, "The network is away.", 3)
    assert {turn.id for turn in (*told, replied.turns[-1])} == {replied.turns[-1].id}
    assert {turn.parent for turn in told} == {asked.turns[-1].id}
    carried_on = session.answer(
        asked.with_turn(told[0]),
        on_text=lambda _: None,
        on_place=lambda _, __: None,
        on_unfinished=told.append,
        cancel=Cancel(),
    )
    assert told[2].text == "nownow"
    assert (told[2].id, told[2].parent) == (carried_on.turns[-1].id, asked.turns[-1].id)


def test_an_unreachable_canister_falls_back_with_the_reason() -> None:
    heard = _Heard()
    replied = _reply(_session(_Side(Place.LOCAL, "here"), _Side(Place.PRACTICE, "x", _away)), Conversation("g"), heard)
    facts = replied.turns[-1].facts
    assert facts is not None and facts.place is Place.LOCAL
    assert (facts.fallback_reason, facts.continued_locally_at) == ("The network is away.", None)
    assert heard.places == [(Place.PRACTICE, None), (Place.LOCAL, "The network is away.")]
    assert replied.turns[-1].text == "here"


def test_a_reply_broken_off_goes_on_here_from_the_tokens_that_arrived() -> None:
    local, canister, heard = _Side(Place.LOCAL, " world"), _Side(Place.PRACTICE, "hello!", _away, 5), _Heard()
    replied = _reply(_session(local, canister), Conversation("g"), heard)
    assert replied.turns[-1].text == heard.text == "hello world"
    assert local.questions[0].tokens == (*map(ord, "hi"), END, *map(ord, "hello"))
    assert local.questions[0].max_tokens == 45
    facts = replied.turns[-1].facts
    assert facts is not None and facts.continued_locally_at == 5
    assert (facts.calls, facts.tokens) == (2, 12), "what the canister did is counted too"


def test_a_forged_answer_is_never_answered_around() -> None:
    def forged() -> None:
        raise SecurityError("The certificate does not hold.")

    local = _Side(Place.LOCAL, "here")
    with pytest.raises(SecurityError):
        _reply(_session(local, _Side(Place.PRACTICE, "x", forged)), Conversation("g"), _Heard())
    assert not local.questions


def test_a_pinned_chat_stays_on_its_side() -> None:
    local, canister = _Side(Place.LOCAL, "here"), _Side(Place.PRACTICE, "there", _away)
    _reply(_session(local, canister), Conversation("g", pinned=Place.LOCAL), _Heard())
    assert not canister.questions
    with pytest.raises(NetworkUnreachableError):
        _reply(_session(local, canister), Conversation("g", pinned=Place.PRACTICE), _Heard())
    assert len(local.questions) == 1


def test_cancelling_keeps_what_was_said() -> None:
    cancel = Cancel()
    session = _session(_Side(Place.LOCAL, "hello", cancel.cancel, 2))
    heard = _Heard()
    replied = session.reply(Conversation("g"), "hi", on_text=heard.on_text, on_place=heard.on_place, cancel=cancel)
    facts = replied.turns[-1].facts
    assert facts is not None and facts.finish == "cancelled"
    assert replied.turns[-1].text == "he"


def test_a_full_context_is_told_before_anything_is_asked() -> None:
    local = _Side(Place.LOCAL, "here")
    with pytest.raises(ContextFullError, match="3 tokens; the model can follow 3"):
        _reply(_session(local, context_length=3), Conversation("g"), _Heard())
    assert not local.questions
    _reply(_session(local, context_length=5), Conversation("g"), _Heard())
    assert local.questions[0].max_tokens == 2, "a reply never outgrows the context"


def _long(session: ChatSession, questions: int) -> Conversation:
    """Each question and its reply take twelve tokens."""
    conversation = Conversation("g", instructions="Be brief")
    for number in range(questions):
        heard = _Heard()
        conversation = session.reply(
            conversation, f"what {number}", on_text=heard.on_text, on_place=heard.on_place, cancel=Cancel()
        )
    return conversation


def _full() -> tuple[ChatSession, _Side, Conversation]:
    side = _Side(Place.LOCAL, "here")
    session = _session(side, context_length=64)
    conversation = _long(session, 4)
    with pytest.raises(ContextFullError) as caught:
        session.reply(conversation, "and now?", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    assert caught.value.can_be_cut and "nothing was left out" in caught.value.not_lost
    return session, side, conversation


def _told(side: _Side) -> str:
    return "".join(map(chr, side.questions[-1].tokens))


def test_what_was_said_first_is_left_out_with_a_mark_and_can_be_shown_again() -> None:
    session, side, conversation = _full()
    shorter = session.leave_out(conversation, "and now?")
    marks = [at for at, turn in enumerate(shorter.turns) if turn.role == "system"]
    assert marks == [6] and [turn.text for turn in shorter.turns[:6]] == [turn.text for turn in conversation.turns[:6]]
    replied = session.reply(shorter, "and now?", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    assert "what 3" in _told(side) and "what 2" not in _told(side) and _told(side).startswith("Be brief")
    versions = replied.versions(shorter.turns[6].id)
    assert [turn.text for turn in versions] == ["what 3", ""]
    assert replied.showing(versions[0].id).messages() == conversation.messages(), (
        "the cut is undone by showing it uncut"
    )


def test_a_summary_stands_in_for_what_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "SUMMARY_REQUEST", "Sum up")  # a token a letter is dear
    monkeypatch.setattr(conversations, "SUMMARY_HEAD", "So far:")
    session, side, conversation = _full()
    shorter = session.summarise(conversation, "and now?", Cancel())
    assert shorter.turns[6].text == "here", "the model was asked"
    session.reply(shorter, "and now?", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    assert "So far: here" in _told(side) and "what 0" not in _told(side)


def test_a_new_conversation_carries_on_with_the_newest_turns() -> None:
    session, side, conversation = _full()
    other = session.carry_on(conversation, "and now?", "Later")
    assert other.id != conversation.id and other.title == "Later" and other.turns[0].text == "what 3"
    assert other.turns[0].parent is None and other.instructions == "Be brief"
    session.reply(other, "and now?", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    assert "what 3" in _told(side)


def test_a_question_that_is_too_long_by_itself_is_told_apart() -> None:
    session, _, conversation = _full()
    with pytest.raises(ContextFullError, match="fewer words") as caught:
        session.leave_out(conversation, "x" * 70)
    assert not caught.value.can_be_cut


def test_a_second_cut_leaves_out_more() -> None:
    session, side, conversation = _full()
    shorter = session.leave_out(conversation, "and now?")
    for _ in range(2):
        shorter = session.reply(shorter, "what next", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    again = session.leave_out(shorter, "a last question of length")
    assert [turn.role for turn in again.turns].count("system") == 2
    session.reply(again, "a last question of length", on_text=print, on_place=lambda *_: None, cancel=Cancel())
    assert "what 3" not in _told(side)


def test_a_stop_text_ends_the_reply_before_it() -> None:
    local, heard = _Side(Place.LOCAL, "fine.\nUs it.\nUser: and"), _Heard()
    model = ChatModel(_Tokenizer(), 100, ("\nUser:",))  # type: ignore[arg-type]
    session = ChatSession(model, local, None, max_tokens=50)  # type: ignore[arg-type]
    turn = _reply(session, Conversation("g"), heard).turns[-1]
    assert turn.text == heard.text == "fine.\nUs it."
    assert turn.facts is not None and turn.facts.finish == "stop"


def test_the_beginning_of_a_stop_text_is_shown_when_nothing_follows() -> None:
    model = ChatModel(_Tokenizer(), 100, ("\nUser:",))  # type: ignore[arg-type]
    session = ChatSession(model, _Side(Place.LOCAL, "fine.\nUs"), None, max_tokens=50)  # type: ignore[arg-type]
    assert _reply(session, Conversation("g"), _Heard()).turns[-1].text == "fine.\nUs"


# ---- computed ahead


def test_what_the_next_question_follows_is_computed_where_it_will_be_asked() -> None:
    local, canister, heard = _Side(Place.LOCAL, "here"), _Side(Place.PRACTICE, "yes"), _Heard()
    session = _session(local, canister)
    system = Conversation("g", instructions="Be kind.")
    session.prepare(system, Cancel())
    assert canister.prepared == [(system.id, "Be kind.\0")] and not canister.questions
    replied = _reply(session, system, heard)
    session.prepare(replied, Cancel())
    assert canister.prepared[-1] == (system.id, "Be kind.\0hi\0yes\0") and not local.prepared
    session.prepare(replace(replied, pinned=Place.LOCAL), Cancel())
    assert local.prepared == [(system.id, "Be kind.\0hi\0yes\0")]


def test_words_that_were_answered_here_do_not_leave_before_they_must() -> None:
    canister = _Side(Place.PRACTICE, "x", _away)
    session = _session(_Side(Place.LOCAL, "here"), canister)
    replied = _reply(session, Conversation("g"), _Heard())
    canister.fail = None
    session.prepare(replied, Cancel())
    assert not canister.prepared


def test_nothing_is_computed_ahead_where_there_is_nothing_or_no_room() -> None:
    local = _Side(Place.LOCAL, "here")
    session = _session(local, context_length=9)
    session.prepare(Conversation("g"), Cancel())
    session.prepare(Conversation("g", instructions="too long"), Cancel())
    assert not local.prepared


def test_a_side_that_is_away_is_told_with_the_reply_but_a_forged_answer_at_once() -> None:
    def forged() -> None:
        raise SecurityError("The certificate does not hold.")

    system = Conversation("g", instructions="Be kind.")
    _session(_Side(Place.LOCAL, ""), _Side(Place.PRACTICE, "x", _away)).prepare(system, Cancel())
    with pytest.raises(SecurityError):
        _session(_Side(Place.LOCAL, ""), _Side(Place.PRACTICE, "x", forged)).prepare(system, Cancel())


def _answer(session: ChatSession, asked: Conversation, heard: _Heard, *, other_words: bool = False) -> Conversation:
    return session.answer(
        asked, other_words=other_words, on_text=heard.on_text, on_place=heard.on_place, cancel=Cancel()
    )


def test_another_version_of_a_reply_is_asked_for_with_other_luck_and_keeps_the_first() -> None:
    local = _Side(Place.LOCAL, "yes")
    session = _session(local)
    talk = _reply(session, Conversation("g"), _Heard())
    for _ in range(2):
        talk = _answer(session, talk.before(talk.turns[1].id), _Heard(), other_words=True)
    assert len(talk.versions(talk.turns[1].id)) == 3
    first, second, third = local.questions
    assert first.tokens == second.tokens == third.tokens
    assert first.sampling.temperature == 0 and second.sampling.temperature > 0
    assert second.sampling.seed != third.sampling.seed


def test_a_reply_is_carried_on_from_where_it_ends() -> None:
    local, heard = _Side(Place.LOCAL, " more"), _Heard()
    session = _session(local)
    carried_on = _answer(session, _reply(session, Conversation("g"), _Heard()), heard)
    assert [turn.text for turn in carried_on.turns] == ["hi", " more more"]
    assert [turn.text for turn in carried_on.versions(carried_on.turns[1].id)] == [" more", " more more"]
    assert heard.text == " more"
    assert local.questions[1].tokens == (*map(ord, "hi"), END, *map(ord, " more"))
    facts = carried_on.turns[-1].facts
    assert facts is not None and facts.tokens == 12


def test_instructions_and_sampling_of_the_conversation_are_used() -> None:
    local = _Side(Place.LOCAL, "yes")
    _reply(_session(local), Conversation("g", instructions="Be brief.", sampling=Sampling(0.3)), _Heard())
    (question,) = local.questions
    assert question.tokens[:9] == tuple(map(ord, "Be brief."))
    assert question.sampling == Sampling(0.3)


def test_the_context_in_use_counts_what_the_model_is_told() -> None:
    session = ChatSession(ChatModel(_Tokenizer(), 40), _Side(Place.LOCAL, "yes"), None)  # type: ignore[arg-type]
    talk = Conversation("m")
    assert session.context_use(talk) == ContextUse(0, 40)
    talk = talk.with_turn(Turn("user", "abc")).with_turn(Turn("assistant", "yes"))
    assert session.context_use(talk) == ContextUse(len("abc") + len("yes") + 3, 40)
    assert session.context_use(cuts.with_cut(talk, 2)).tokens < session.context_use(talk).tokens
