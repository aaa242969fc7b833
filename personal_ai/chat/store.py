"""Conversations at rest: one SQLite file, encrypted with a key from the vault (docs/formats/conversations.md)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from personal_ai.chat import turn_fields
from personal_ai.chat.conversation import Conversation, Place, Turn, branch_to
from personal_ai.chat.presets import Preset
from personal_ai.chat.store_schema import bring_up_to_date, forget_copies
from personal_ai.common.errors import DamagedFileError, StorageError
from personal_ai.common.files import storage_errors

_CIPHER = "chacha20"
_INDEXED_FROM = 3  # letters: what is shorter is looked for without the index


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A line of the list of conversations."""

    id: str
    title: str
    updated_at_ns: int
    starred: bool = False


class ConversationStore:
    """Every conversation of one vault. One connection; call it from one thread at a time.

    path: the SQLite file. key: 32 bytes from `Vault.database_key`.
    Raises DamagedFileError (wrong key or damage: indistinguishable by design), UnknownVersionError, StorageError.
    """

    def __init__(self, path: Path, key: bytes) -> None:
        with storage_errors("open the conversations"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        self._path = path
        self._db = apsw.Connection(str(path))
        try:
            self._open(key)
        except apsw.Error as error:
            self._db.close()
            raise _damaged(path) from error
        except BaseException:
            self._db.close()
            raise

    def _open(self, key: bytes) -> None:
        self._db.pragma("cipher", _CIPHER)
        self._db.pragma("hexkey", key.hex())
        self._db.pragma("user_version")  # the first page is read: a wrong key shows itself here
        if self._db.pragma("quick_check") != "ok":
            raise _damaged(self._path)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("secure_delete", True)
        bring_up_to_date(self._db, self._path)
        self._db.pragma("foreign_keys", True)
        self._take_unfinished()

    # Reading

    def list(self) -> Sequence[ConversationSummary]:
        """All conversations: the starred ones first, of each kind the one in which something was said last first."""
        return self._summaries("", ())

    def search(self, text: str) -> Sequence[ConversationSummary]:
        """The conversations with `text` in their title or in anything that was said in them, in the order of `list`."""
        wanted = text.strip()
        in_title = "title LIKE ? ESCAPE '\\'"
        if len(wanted) < _INDEXED_FROM:
            said, looked_for = "SELECT conversation FROM turn WHERE text LIKE ? ESCAPE '\\'", _like(wanted)
        else:
            said = "SELECT conversation FROM words JOIN turn ON number = words.rowid WHERE words MATCH ?"
            looked_for = '"' + wanted.replace('"', '""') + '"'
        return self._summaries(f"WHERE {in_title} OR id IN ({said})", (_like(wanted), looked_for))

    def get(self, conversation_id: str) -> Conversation | None:
        """One conversation whole, or None."""
        row = self._db.execute(
            "SELECT model, deployment, pinned, title, tip, starred, instructions, sampling "
            "FROM conversation WHERE id = ?",
            (conversation_id,),
        ).fetchone()
        if row is None:
            return None
        model, deployment, pinned, title, tip, starred, instructions, sampling = row
        rows = self._db.execute(
            "SELECT role, text, facts, id, created_at_ns, parent FROM turn WHERE conversation = ? ORDER BY number",
            (conversation_id,),
        )
        turns = {turn.id: turn for turn in map(turn_fields.turn_from_row, rows)}
        shown = branch_to(tip, turns)
        for turn in shown:
            del turns[turn.id]
        return Conversation(
            model,
            deployment,
            Place(pinned) if pinned else None,
            title,
            shown,
            conversation_id,
            tuple(turns.values()),
            bool(starred),
            instructions,
            turn_fields.sampling_from_text(sampling),
        )

    def draft(self, conversation_id: str) -> str:
        """What was written and not sent; "" stands for the chat that has no turn yet."""
        row = self._db.execute("SELECT text FROM draft WHERE conversation = ?", (conversation_id,)).fetchone()
        return row[0] if row else ""

    def presets(self) -> Sequence[Preset]:
        """The ways to talk that were kept, by name."""
        rows = self._db.execute("SELECT name, instructions, sampling FROM preset ORDER BY name")
        return [Preset(name, told, turn_fields.sampling_from_text(sampling)) for name, told, sampling in rows]

    # Writing

    def save(self, conversation: Conversation) -> None:
        """Writes the conversation. Turns never change: those that are new are added, those that are gone are erased.

        Its place in the list is that of what was said last: to rename or star it does not bring it to the front.
        """
        said_ns = max((turn.created_at_ns for turn in conversation.everything), default=time.time_ns())
        with self._writing("save the conversation"):
            self._db.execute(
                "INSERT INTO conversation "
                "(id, title, model, deployment, pinned, updated_at_ns, tip, starred, instructions, sampling) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET title = excluded.title, "
                "model = excluded.model, deployment = excluded.deployment, pinned = excluded.pinned, "
                "updated_at_ns = excluded.updated_at_ns, tip = excluded.tip, starred = excluded.starred, "
                "instructions = excluded.instructions, sampling = excluded.sampling",
                (
                    conversation.id,
                    conversation.title,
                    conversation.model,
                    conversation.deployment,
                    conversation.pinned,
                    said_ns,
                    conversation.turns[-1].id if conversation.turns else None,
                    conversation.starred,
                    conversation.instructions,
                    turn_fields.sampling_text(conversation.sampling),
                ),
            )
            erased = self._save_turns(conversation)
            self._db.execute(
                "DELETE FROM unfinished WHERE id IN (SELECT id FROM turn WHERE conversation = ?)", (conversation.id,)
            )
        if erased:
            self._forget_log()

    def _save_turns(self, conversation: Conversation) -> bool:
        """Whether turns were erased."""
        stored = self._db.execute("SELECT id FROM turn WHERE conversation = ?", (conversation.id,))
        known = {turn_id for (turn_id,) in stored}
        turns = {turn.id: turn for turn in conversation.everything}
        gone = known - turns.keys()
        self._db.executemany(
            "DELETE FROM turn WHERE conversation = ? AND id = ?", [(conversation.id, turn_id) for turn_id in gone]
        )
        self._db.executemany(
            "INSERT INTO turn (conversation, role, text, facts, id, created_at_ns, parent) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            [(conversation.id, *turn_fields.row(turn)) for turn in turns.values() if turn.id not in known],
        )
        return bool(gone)

    def save_unfinished(self, conversation_id: str, turn: Turn | None) -> None:
        """Keeps a reply as far as it has come, in place of what was kept of it before; None keeps nothing.

        It is no turn before the store is opened anew, and gives way to the turn of the same id.
        """
        with self._writing("save the reply"):
            self._db.execute("DELETE FROM unfinished WHERE conversation = ?", (conversation_id,))
            if turn is not None:
                self._db.execute(
                    "INSERT INTO unfinished (conversation, role, text, facts, id, created_at_ns, parent) "
                    "SELECT id, ?, ?, ?, ?, ?, ? FROM conversation WHERE id = ?",  # it may have been deleted meanwhile
                    (*turn_fields.row(turn), conversation_id),
                )

    def _take_unfinished(self) -> None:
        """What a program that ended half way has heard of a reply becomes its turn."""
        if not self._db.execute("SELECT 1 FROM unfinished").fetchall():
            return
        with self._writing("keep the replies that broke off"):
            fields = "conversation, role, text, facts, id, created_at_ns, parent"
            self._db.execute(
                f"INSERT INTO turn ({fields}) SELECT {fields} FROM unfinished "  # noqa: S608 - our own words
                "WHERE parent IN (SELECT id FROM turn WHERE conversation = unfinished.conversation)"
            )
            self._db.execute(
                "UPDATE conversation SET tip = unfinished.id FROM unfinished JOIN turn USING (conversation, id) "
                "WHERE conversation.id = unfinished.conversation"
            )
            self._db.execute("DELETE FROM unfinished")

    def save_draft(self, conversation_id: str, text: str) -> None:
        """Keeps what is written and not sent; an empty text keeps nothing."""
        with self._writing("save the draft"):
            self._db.execute("DELETE FROM draft WHERE conversation = ?", (conversation_id,))
            if text:
                self._db.execute("INSERT INTO draft VALUES (?, ?)", (conversation_id, text))
        if not text:
            self._forget_log()

    def save_preset(self, preset: Preset) -> None:
        """Keeps a preset, in place of the one of the same name."""
        with self._writing("save the preset"):
            self._db.execute(
                "INSERT OR REPLACE INTO preset VALUES (?, ?, ?)",
                (preset.name, preset.instructions, turn_fields.sampling_text(preset.sampling)),
            )

    def delete_preset(self, name: str) -> None:
        with self._writing("remove the preset"):
            self._db.execute("DELETE FROM preset WHERE name = ?", (name,))
        self._forget_log()

    def merge(self, conversation: Conversation) -> None:
        """Adds a conversation from elsewhere; where it is known, only the turns that it lacks, as versions."""
        known = self.get(conversation.id)
        self.save(known.merged(conversation) if known else conversation)

    def delete(self, conversation_id: str) -> None:
        """Removes a conversation and overwrites its pages, so that deleted words are not left on disk."""
        with self._writing("delete the conversation"):
            self._db.execute("DELETE FROM conversation WHERE id = ?", (conversation_id,))
            self._db.execute("DELETE FROM draft WHERE conversation = ?", (conversation_id,))
        self._forget_log()
        with storage_errors("erase older copies of the conversations"):
            forget_copies(self._path)

    def close(self) -> None:
        self._db.close()

    def _forget_log(self) -> None:
        """SQLite's log would hold erased words for as long as the program runs."""
        self._db.pragma("wal_checkpoint", "TRUNCATE")

    def _summaries(self, where: str, parameters: tuple[str, ...]) -> Sequence[ConversationSummary]:
        rows = self._db.execute(
            f"SELECT id, title, updated_at_ns, starred FROM conversation {where} "  # noqa: S608 - our own words
            "ORDER BY starred DESC, updated_at_ns DESC, id",
            parameters,
        )
        return [ConversationSummary(one, title, at_ns, bool(starred)) for one, title, at_ns, starred in rows]

    @contextmanager
    def _writing(self, doing: str) -> Iterator[None]:
        """One transaction; what the disk refuses is a StorageError and changes nothing."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except (apsw.FullError, apsw.IOError, apsw.ReadOnlyError, apsw.CantOpenError) as error:
            raise StorageError(
                f"Could not {doing}: {error}.",
                not_lost="What was saved before is unchanged.",
                next_step="Make room on the disk, then try again.",
            ) from error
        finally:
            if self._db.in_transaction:  # SQLite itself rolls back when the disk is full
                self._db.execute("ROLLBACK")


def _like(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _damaged(path: Path) -> DamagedFileError:
    return DamagedFileError(
        "The stored conversations cannot be read with this vault.",
        not_lost="Your vault, models and canisters are not affected.",
        next_step=f"Put a backup of {path.name} in its place, or move the file away to start afresh.",
    )
