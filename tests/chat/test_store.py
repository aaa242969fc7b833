"""Conversations come back as they were, and are unreadable without the key."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.presets import Preset
from personal_ai.chat.store import ConversationStore
from personal_ai.common.errors import DamagedFileError, StorageError, UnknownVersionError
from personal_ai.models.sampling import Sampling

KEY = bytes(range(32))
FACTS = ReplyFacts(Place.LOCAL, 3, 0.5, "end", calls=2, instructions=10**12, fallback_reason="away")


def _conversation() -> Conversation:
    empty = Conversation("guide", deployment="aa" * 16, pinned=Place.PRACTICE)
    return empty.with_turn(Turn("user", "What is a canister?")).with_turn(Turn("assistant", "A home.", FACTS))


def _unlocked(path: Path) -> apsw.Connection:
    """The file without the store around it."""
    db = apsw.Connection(str(path))
    db.pragma("cipher", "chacha20")
    db.pragma("hexkey", KEY.hex())
    return db


def test_the_golden_file_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    shutil.copy(Path(__file__).parent / "golden" / "conversations-1.sqlite", path)
    store = ConversationStore(path, KEY)
    facts = replace(FACTS, continued_locally_at=1)
    turns = (
        Turn("user", "What is a canister?", None, "01" * 16, 5),
        Turn("assistant", "A home for your model.", facts, "02" * 16, 6, parent="01" * 16),
    )
    expected = Conversation("guide", "aa" * 16, Place.PRACTICE, "What is a canister?", turns, "bb" * 16)
    assert store.get("bb" * 16) == expected
    assert [one.id for one in store.search("for your mod")] == ["bb" * 16]
    store.close()

    kept = path.with_name("conversations-before-2.sqlite")
    copy = _unlocked(kept)
    assert copy.pragma("user_version") == 1
    assert copy.execute("SELECT text FROM turn WHERE position = 1").fetchall() == [("A home for your model.",)]
    copy.close()
    copy = _unlocked(path.with_name("conversations-before-3.sqlite"))
    assert copy.pragma("user_version") == 2
    copy.close()
    store = ConversationStore(path, KEY)
    store.delete("bb" * 16)
    store.close()
    assert [one.name for one in tmp_path.iterdir()] == ["conversations.sqlite"]


def test_the_copy_before_a_migration_holds_what_a_crash_left_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    shutil.copy(Path(__file__).parent / "golden" / "conversations-1.sqlite", path)
    crashed = _unlocked(path)
    crashed.pragma("journal_mode", "wal")
    crashed.execute("UPDATE conversation SET title = 'Written last'")
    ConversationStore(path, KEY).close()
    crashed.close()
    copy = _unlocked(path.with_name("conversations-before-2.sqlite"))
    assert copy.execute("SELECT title FROM conversation").fetchall() == [("Written last",)]
    copy.close()


def test_the_golden_file_of_version_2_is_read(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    shutil.copy(Path(__file__).parent / "golden" / "conversations-2.sqlite", path)
    store = ConversationStore(path, KEY)
    question = Turn("user", "What is a canister?", None, "01" * 16, 5)
    answer = Turn("assistant", "A home for your model.", FACTS, "02" * 16, 6, parent="01" * 16)
    other = Turn("assistant", "A kind of jar.", None, "03" * 16, 7, parent="01" * 16)
    expected = Conversation(
        "guide", None, None, "Jars", (question, answer), "cc" * 16, (other,), True, "Be brief.", Sampling(0.5, top_k=40)
    )
    assert store.get("cc" * 16) == expected
    assert store.draft("cc" * 16) == "And who"
    assert store.presets() == [Preset("Short", "Be brief.", None)]
    store.close()


def test_the_golden_file_of_version_3_is_read_and_its_unfinished_reply_is_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    shutil.copy(Path(__file__).parent / "golden" / "conversations-3.sqlite", path)
    store = ConversationStore(path, KEY)
    broken_off = store.get("cc" * 16)
    assert broken_off is not None
    facts = ReplyFacts(Place.PRACTICE, 4, 0.5, "interrupted", calls=1, instructions=10**9, cycles=11 * 10**8)
    assert broken_off.turns[-1] == Turn("assistant", "A home, and", facts, "04" * 16, 8, parent="01" * 16)
    assert [turn.text for turn in broken_off.aside] == ["A home for your model.", "A kind of jar."]
    assert [one.id for one in store.search("home, and")] == ["cc" * 16]
    store.close()
    assert [one.name for one in tmp_path.iterdir()] == ["conversations.sqlite"]


def _asked(store: ConversationStore) -> tuple[Conversation, Turn]:
    """A conversation that waits for a reply, and what is kept of the reply so far."""
    asked = Conversation("guide").with_turn(Turn("user", "Who?"))
    store.save(asked)
    unfinished = Turn("assistant", "Only", replace(FACTS, finish="interrupted"), parent=asked.turns[0].id)
    store.save_unfinished(asked.id, unfinished)
    return asked, unfinished


def test_a_whole_reply_takes_the_place_of_what_was_kept_of_it(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    asked, unfinished = _asked(store)
    store.save(replace(asked, title="Renamed meanwhile"))
    whole = asked.with_turn(replace(unfinished, text="Only you.", facts=FACTS))
    store.save(whole)
    store.close()
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    assert store.get(asked.id) == whole
    store.close()


@pytest.mark.parametrize("end", ["nothing came of it", "it was deleted", "its question went"])
def test_an_unfinished_reply_leaves_nothing_where_it_has_no_place(tmp_path: Path, end: str) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    asked, unfinished = _asked(store)
    if end == "nothing came of it":
        store.save_unfinished(asked.id, None)
    elif end == "it was deleted":
        store.delete(asked.id)
        store.save_unfinished(asked.id, unfinished)
    else:
        store.save(asked.without_last())
    store.close()
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    kept = store.get(asked.id)
    assert kept is None or unfinished not in kept.everything
    store.save(asked)
    store.close()
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    assert store.get(asked.id) == asked
    store.close()


def test_the_list_is_ordered_by_what_was_said_last(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    old, new = (
        Conversation("guide", title=title).with_turn(Turn("user", title, created_at_ns=at))
        for at, title in enumerate(("old", "new"))
    )
    for conversation in (new, old):  # as an import brings them
        store.save(conversation)
    assert [one.title for one in store.list()] == ["new", "old"]
    store.save(replace(old, title="renamed"))
    assert [one.title for one in store.list()] == ["new", "renamed"]
    store.save(old.with_turn(Turn("user", "again")))
    assert [one.title for one in store.list()] == ["old", "new"]
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


def _erase_conversation(store: ConversationStore, kept: Conversation) -> None:
    doomed = Conversation("guide", title="xqzvjk").with_turn(Turn("user", "xqzvjk " * 400))
    store.save(doomed)
    store.delete(doomed.id)


def _erase_version(store: ConversationStore, kept: Conversation) -> None:
    store.save(kept.with_turn(Turn("user", "xqzvjk " * 400)))
    store.save(kept)


def _erase_draft(store: ConversationStore, kept: Conversation) -> None:
    store.save_draft(kept.id, "xqzvjk")
    store.save_draft(kept.id, "")


def _erase_preset(store: ConversationStore, _: Conversation) -> None:
    store.save_preset(Preset("xqzvjk", "xqzvjk", None))
    store.delete_preset("xqzvjk")


def _erase_unfinished(store: ConversationStore, _: Conversation) -> None:
    doomed = Conversation("guide").with_turn(Turn("user", "Who?"))
    store.save(doomed)
    for words in range(1, 400, 100):
        turn = Turn("assistant", "xqzvjk " * words, parent=doomed.turns[0].id)
        store.save_unfinished(doomed.id, turn)
    store.delete(doomed.id)


@pytest.mark.parametrize("erase", [_erase_conversation, _erase_version, _erase_draft, _erase_preset, _erase_unfinished])
def test_deleted_means_deleted_even_for_whoever_has_the_key(
    tmp_path: Path, erase: Callable[[ConversationStore, Conversation], None]
) -> None:
    path = tmp_path / "conversations.sqlite"
    store = ConversationStore(path, KEY)
    kept = _conversation()
    store.save(kept)
    erase(store, kept)
    assert path.with_name(path.name + "-wal").stat().st_size == 0  # the program is still running
    copy = tmp_path / "copy.sqlite"
    shutil.copy(path, copy)
    store.close()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["conversations.sqlite", "copy.sqlite"]
    db = _unlocked(copy)
    db.pragma("journal_mode", "delete")
    db.pragma("rekey", "")  # every page as it is, unused ones too
    db.close()
    plain = copy.read_bytes()
    assert b"A home." in plain and b"xqz" not in plain


def test_damage_anywhere_is_found_when_the_file_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    store = ConversationStore(path, KEY)
    store.save(_conversation().with_turn(Turn("user", "word " * 20_000)))
    store.close()
    whole = path.read_bytes()
    for at in range(2000, len(whole), len(whole) // 12):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(DamagedFileError):
            ConversationStore(path, KEY)
    path.write_bytes(whole)
    ConversationStore(path, KEY).close()


def test_a_deleted_word_is_not_even_left_in_the_index(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    conversation = Conversation("guide").with_turn(Turn("user", "xqzvjk"))
    store.save(conversation)
    assert _index_holds(store, b"xqz")
    store.save(conversation.without_last())
    assert not _index_holds(store, b"xqz")
    store.close()


def _index_holds(store: ConversationStore, letters: bytes) -> bool:
    return any(letters in block for (block,) in store._db.execute("SELECT block FROM words_data"))


def test_search_finds_titles_and_words_of_any_length_and_script(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    for title, text in (
        ("Jars", "Ein Gefäß für GRÜNE Oliven"),
        ("100%", "你好吗 朋友"),
        ('Say "so"', 'He said "no" twice'),
    ):
        store.save(Conversation("guide", title=title).with_turn(Turn("user", text)))
    found = {
        text: [one.title for one in store.search(text)]
        for text in ("grüne oli", "Jar", "好", "你好吗", "0%", "%", 'said "no"', "fa", "nothing", '"', "a_b")
    }
    assert found == {
        "grüne oli": ["Jars"],
        "Jar": ["Jars"],
        "好": ["100%"],
        "你好吗": ["100%"],
        "0%": ["100%"],
        "%": ["100%"],
        'said "no"': ['Say "so"'],
        "fa": [],
        "nothing": [],
        '"': ['Say "so"'],
        "a_b": [],
    }
    store.close()


def test_versions_stars_settings_and_drafts_come_back(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    talk = replace(_conversation(), starred=True, instructions="Be brief.", sampling=Sampling(0.7, seed=3))
    talk = talk.before(talk.turns[1].id).with_turn(Turn("assistant", "A jar."))
    store.save(talk)
    store.save(Conversation("guide", title="Later"))
    store.save_draft(talk.id, "And who")
    store.save_draft("", "Never sent")
    assert store.get(talk.id) == talk
    assert [one.title for one in store.list()] == ["What is a canister?", "Later"]
    assert (store.draft(talk.id), store.draft(""), store.draft("nobody")) == ("And who", "Never sent", "")
    store.save_draft("", "")
    store.delete(talk.id)
    assert (store.draft(talk.id), store.draft("")) == ("", "")
    store.close()


def test_presets_are_kept_by_name(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    store.save_preset(Preset("Short", "Be brief.", None))
    store.save_preset(Preset("Short", "Be very brief.", Sampling(0.2)))
    store.save_preset(Preset("Bard", "Rhyme.", None))
    assert store.presets() == [Preset("Bard", "Rhyme.", None), Preset("Short", "Be very brief.", Sampling(0.2))]
    store.delete_preset("Bard")
    assert [preset.name for preset in store.presets()] == ["Short"]
    store.close()


def test_a_long_conversation_is_saved_by_what_is_new(tmp_path: Path) -> None:
    store = ConversationStore(tmp_path / "conversations.sqlite", KEY)
    talk = _conversation()
    store.save(talk)
    before = store._db.total_changes()
    store.save(talk.with_turn(Turn("user", "Thanks")))
    assert store._db.total_changes() - before <= 8  # the turn, its line in the index, the conversation
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
    db = _unlocked(path)
    db.pragma("user_version", 9)
    db.close()
    with pytest.raises(UnknownVersionError, match="format 9"):
        ConversationStore(path, KEY)


def test_a_long_first_question_is_cut_to_a_title() -> None:
    title = Conversation("guide").with_turn(Turn("user", "word " * 40)).title
    assert len(title) <= 48 and title.endswith("…")
