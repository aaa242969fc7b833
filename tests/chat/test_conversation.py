"""A conversation is a tree of turns of which one branch is shown; nothing that was said gets lost on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn, branch_to


def _talk(*texts: str) -> Conversation:
    talk = Conversation("guide")
    for at, text in enumerate(texts):
        talk = talk.with_turn(Turn("assistant" if at % 2 else "user", text, created_at_ns=at))
    return talk


def _texts(conversation: Conversation) -> list[str]:
    return [turn.text for turn in conversation.turns]


def test_an_edited_question_is_a_version_and_the_old_branch_can_be_shown_again() -> None:
    talk = _talk("Who?", "You.", "Why?", "Because.")
    edited = talk.before(talk.turns[2].id).with_turn(Turn("user", "Since when?", created_at_ns=9))
    assert _texts(edited) == ["Who?", "You.", "Since when?"]
    first, second = edited.versions(edited.turns[-1].id)
    assert (first.text, second.text) == ("Why?", "Since when?")
    assert _texts(edited.showing(first.id)) == ["Who?", "You.", "Why?", "Because."]
    assert _texts(edited.showing(first.id).showing(second.id)) == ["Who?", "You.", "Since when?"]


def test_the_first_question_has_versions_too() -> None:
    talk = _talk("Who?", "You.")
    edited = talk.before(talk.turns[0].id).with_turn(Turn("user", "What?", created_at_ns=5))
    assert [turn.text for turn in edited.versions(edited.turns[0].id)] == ["Who?", "What?"]
    assert _texts(edited.showing(talk.turns[0].id)) == ["Who?", "You."]


def test_a_branch_ends_where_it_was_made_and_leaves_the_original() -> None:
    talk = _talk("Who?", "You.", "Why?", "Because.")
    branch = talk.branch(talk.turns[1].id, "Another way")
    assert _texts(branch) == ["Who?", "You."] and branch.title == "Another way" and branch.id != talk.id
    assert talk.duplicate("Copy").everything == talk.everything
    with pytest.raises(KeyError):
        talk.branch("nobody", "")


def test_merging_a_copy_brings_what_is_missing_and_shows_what_was_shown() -> None:
    talk = _talk("Who?", "You.")
    elsewhere = talk.with_turn(Turn("user", "Why?", created_at_ns=7))
    merged = talk.merged(elsewhere)
    assert merged.turns == talk.turns
    assert _texts(merged.showing(elsewhere.turns[-1].id)) == ["Who?", "You.", "Why?"]
    assert merged.merged(elsewhere) == merged


def test_a_question_without_a_reply_is_taken_back_unless_it_was_answered_once() -> None:
    talk = _talk("Who?", "You.", "Why?")
    assert _texts(talk.settled()) == ["Who?", "You."]
    answered = _talk("Who?", "You.")
    assert answered.before(answered.turns[1].id).settled().turns == answered.turns
    assert answered.up_to(answered.turns[0].id).turns == answered.turns[:1]


def test_instructions_come_before_all_else() -> None:
    talk = Conversation("guide", instructions="Be brief.").with_turn(Turn("user", "Who?"))
    assert [(message.role, message.content) for message in talk.messages()] == [
        ("system", "Be brief."),
        ("user", "Who?"),
    ]


def test_facts_of_a_reply_that_was_carried_on_are_sums() -> None:
    begun = ReplyFacts(Place.CANISTER, 3, 1.0, "cancelled", calls=1, instructions=10, cycles=30)
    rest = ReplyFacts(Place.LOCAL, 2, 0.5, "end", fallback_reason="away")
    assert begun.followed_by(rest) == ReplyFacts(
        Place.LOCAL, 5, 1.5, "end", calls=1, instructions=10, cycles=30, fallback_reason="away", continued_locally_at=3
    )
    assert begun.followed_by(begun).continued_locally_at is None


def test_turns_in_a_circle_have_no_branch() -> None:
    turns = {"a": Turn("user", "", id="a", parent="b"), "b": Turn("user", "", id="b", parent="a")}
    with pytest.raises(ValueError, match="circle"):
        branch_to("a", turns)


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=30))
def test_no_act_loses_a_turn(acts: list[tuple[int, bool]]) -> None:
    """Whatever is edited and whichever version is shown, every turn that was said can still be shown."""
    talk, said = _talk("Who?", "You."), set()
    for number, (at, edit) in enumerate(acts):
        if edit:
            talk = talk.before(talk.turns[at % len(talk.turns)].id).with_turn(
                Turn("user", str(number), created_at_ns=number)
            )
        else:
            talk = talk.showing(talk.everything[at % len(talk.everything)].id)
        said |= {turn.id for turn in talk.everything}
        assert {turn.id for turn in talk.everything} == said
        assert len(talk.everything) == len(said)
        assert [turn.parent for turn in talk.turns] == [None, *(turn.id for turn in talk.turns[:-1])]
        assert all(talk.showing(turn_id).turns for turn_id in said)
