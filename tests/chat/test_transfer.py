"""Exported conversations come back whole; foreign files are refused in words and with nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.cuts import with_cut
from personal_ai.chat.store import ConversationStore
from personal_ai.chat.transfer import from_json, to_json, to_markdown
from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.models.sampling import Sampling

FACTS = ReplyFacts(Place.CANISTER, 3, 0.5, "end", calls=2, instructions=10**12)


def _talk() -> Conversation:
    empty = Conversation("guide", pinned=Place.LOCAL, starred=True, instructions="Be brief.", sampling=Sampling(0.5))
    talk = empty.with_turn(Turn("user", "Wer?", created_at_ns=1)).with_turn(Turn("assistant", "Du. 你", FACTS))
    return talk.before(talk.turns[0].id).with_turn(Turn("user", "Was?", created_at_ns=3))


def _changed(**fields: Any) -> bytes:
    read = json.loads(to_json([_talk()]))
    read["conversations"][0].update(fields)
    return json.dumps(read).encode()


def test_json_brings_everything_back() -> None:
    talk = _talk()
    assert from_json(to_json([talk, Conversation("guide")]))[0] == talk


def test_markdown_shows_what_is_shown() -> None:
    assert to_markdown(replace(_talk(), title="Names")) == "# Names\n\n## Instructions\n\nBe brief.\n\n## You\n\nWas?\n"


def test_markdown_marks_where_the_model_stopped_being_told() -> None:
    talk = with_cut(Conversation("guide", title="T").with_turn(Turn("user", "A")).with_turn(Turn("assistant", "B")), 2)
    assert to_markdown(talk).endswith("## Reply\n\nB\n\n---\n\n*The model is no longer told what stands above.*\n")


def test_importing_merges(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", bytes(32))
    talk = _talk()
    store.save(talk)
    elsewhere = talk.with_turn(Turn("assistant", "Das."))
    for conversation in from_json(to_json([elsewhere, Conversation("guide", title="New")])):
        store.merge(conversation)
    merged = store.get(talk.id)
    assert merged is not None
    assert merged.turns == talk.turns and elsewhere.turns[-1] in merged.aside
    assert {one.title for one in store.list()} == {"Wer?", "New"}
    store.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"format": "personal-ai-conversations", "version": 2}',
        _changed(turns=[{"id": "a"}]),
        _changed(shown="nobody"),
        _changed(title=5),
        _changed(title="\ud800"),
        _changed(pinned="moon"),
        _changed(sampling={"temperature": -1}),
        _changed(sampling={"heat": 1}),
    ],
)
def test_a_foreign_file_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(FormatError, match="no conversations that this program can read"):
        from_json(content)


def test_another_version_is_refused() -> None:
    with pytest.raises(UnknownVersionError, match="version 3"):
        from_json(b'{"format": "personal-ai-conversations", "version": 3}')


def test_version_1_is_read() -> None:
    talk = _talk()
    read = json.loads(to_json([talk]))
    assert read["version"] == 2
    assert from_json(json.dumps({**read, "version": 1}).encode()) == [talk]


def test_turns_that_follow_each_other_in_a_circle_are_refused() -> None:
    read = json.loads(to_json([_talk()]))
    turns = read["conversations"][0]["turns"]
    turns[1]["parent"], turns[2]["parent"] = turns[2]["id"], turns[1]["id"]
    with pytest.raises(FormatError):
        from_json(json.dumps(read).encode())


@given(st.data())
def test_a_damaged_file_gives_conversations_or_a_format_error(data: st.DataObject) -> None:
    content = bytearray(to_json([_talk()]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    try:
        conversations = from_json(bytes(content))
    except FormatError:
        return
    for conversation in conversations:
        for turn in conversation.everything:
            assert conversation.showing(turn.id).turns
