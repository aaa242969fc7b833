"""Conversations come back as they were, and are unreadable without the key."""

import shutil
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.store import ConversationStore
from personal_ai.common.errors import DamagedFileError, StorageError, UnknownVersionError

KEY = bytes(range(32))
FACTS = ReplyFacts(Place.LOCAL, 3, 0.5, "end", calls=2, instructions=10**12, fallback_reason="away")


def _conversation() -> Conversation:
    empty = Conversation("guide", deployment="aa" * 16, pinned=Place.PRACTICE)
    return empty.with_turn(Turn("user", "What is a canister?")).with_turn(Turn("assistant", "A home.", FACTS))


def test_the_golden_file_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    shutil.copy(Path(__file__).parent / "golden" / "conversations-1.sqlite", path)
    store = ConversationStore(path, KEY)
    facts = replace(FACTS, continued_locally_at=1)
    turns = (
        Turn("user", "What is a canister?", None, "01" * 16, 5),
        Turn("assistant", "A home for your model.", facts, "02" * 16, 6),
    )
    expected = Conversation("guide", "aa" * 16, Place.PRACTICE, "What is a canister?", turns, "bb" * 16)
    assert store.get("bb" * 16) == expected
    store.close()


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    conversation = _conversation()
    store.save(conversation)
    store.save(conversation.with_turn(Turn("user", "Thanks")))
    store.close()

    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    (summary,) = store.list()
    assert summary.title == "What is a canister?"
    loaded = store.get(conversation.id)
    assert loaded is not None
    assert loaded.turns[:2] == conversation.turns and loaded.turns[2].text == "Thanks"
    assert (loaded.pinned, loaded.deployment, loaded.model) == (Place.PRACTICE, "aa" * 16, "guide")
    store.close()


def test_no_word_is_readable_on_disk_nor_left_after_deleting(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    conversation = _conversation()
    store.save(conversation)
    store.save(Conversation("guide", title="Other"))
    on_disk = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"canister" not in on_disk and b"SQLite format" not in on_disk
    store.delete(conversation.id)
    assert store.get(conversation.id) is None
    assert [summary.title for summary in store.list()] == ["Other"]
    store.close()


def test_a_wrong_key_is_told_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    store = ConversationStore(path, KEY)
    store.save(_conversation())
    store.close()
    before = path.read_bytes()
    with pytest.raises(DamagedFileError, match="cannot be read"):
        ConversationStore(path, bytes(32))
    assert path.read_bytes() == before


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    conversation = _conversation()
    store.save(conversation)
    store._db.pragma("max_page_count", 1)
    with pytest.raises(StorageError, match="full"):
        store.save(conversation.with_turn(Turn("user", "x" * 100_000)))
    assert store.get(conversation.id) == conversation
    store.close()


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    ConversationStore(path, KEY).close()
    db = apsw.Connection(str(path))
    db.pragma("cipher", "chacha20")
    db.pragma("hexkey", KEY.hex())
    db.pragma("user_version", 9)
    db.close()
    with pytest.raises(UnknownVersionError, match="format 9"):
        ConversationStore(path, KEY)


def test_a_long_first_question_is_cut_to_a_title() -> None:
    title = Conversation("guide").with_turn(Turn("user", "word " * 40)).title
    assert len(title) <= 48 and title.endswith("…")
