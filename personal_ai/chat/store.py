"""Conversations at rest: one SQLite file, encrypted with a key from the vault (docs/formats/conversations.md)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import apsw

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.common.errors import DamagedFileError, StorageError, UnknownVersionError
from personal_ai.common.files import storage_errors

FORMAT_VERSION = 1
_CIPHER = "chacha20"

_SCHEMA = """
CREATE TABLE conversation (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, model TEXT NOT NULL, deployment TEXT, pinned TEXT,
    updated_at_ns INTEGER NOT NULL
) STRICT;
CREATE TABLE turn (
    conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE, position INTEGER NOT NULL,
    id TEXT NOT NULL, role TEXT NOT NULL, text TEXT NOT NULL, created_at_ns INTEGER NOT NULL, facts TEXT,
    PRIMARY KEY (conversation, position)
) STRICT;
"""


@dataclass(frozen=True, slots=True)
class ConversationSummary:
    """A line of the list of conversations."""

    id: str
    title: str
    updated_at_ns: int


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
            raise DamagedFileError(
                "The stored conversations cannot be read with this vault.",
                not_lost="Your vault, models and canisters are not affected.",
                next_step=f"Put a backup of {path.name} in its place, or move the file away to start afresh.",
            ) from error

    def _open(self, key: bytes) -> None:
        self._db.pragma("cipher", _CIPHER)
        self._db.pragma("hexkey", key.hex())
        version = self._db.pragma("user_version")
        if version not in (0, FORMAT_VERSION):
            self._db.close()
            raise UnknownVersionError(
                f"The conversations were written by a newer version of this program (format {version}).",
                not_lost="They are unchanged.",
                next_step="Update the program to read them.",
            )
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("foreign_keys", True)
        if version == 0:
            with self._db:
                self._db.execute(_SCHEMA)
                self._db.pragma("user_version", FORMAT_VERSION)

    def list(self) -> list[ConversationSummary]:
        """All conversations, the one touched last first."""
        rows = self._db.execute("SELECT id, title, updated_at_ns FROM conversation ORDER BY updated_at_ns DESC, id")
        return [ConversationSummary(*row) for row in rows]

    def get(self, conversation_id: str) -> Conversation | None:
        """One conversation whole, or None."""
        row = self._db.execute(
            "SELECT model, deployment, pinned, title FROM conversation WHERE id = ?", (conversation_id,)
        ).fetchone()
        if row is None:
            return None
        model, deployment, pinned, title = row
        turns = self._db.execute(
            "SELECT role, text, facts, id, created_at_ns FROM turn WHERE conversation = ? ORDER BY position",
            (conversation_id,),
        )
        return Conversation(
            model, deployment, Place(pinned) if pinned else None, title, tuple(map(_turn, turns)), conversation_id
        )

    def save(self, conversation: Conversation) -> None:
        """Writes the conversation whole; the turns that stood there before are replaced in the same transaction."""
        with self._writing("save the conversation"):
            self._db.execute(
                "INSERT INTO conversation VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET "
                "title = excluded.title, model = excluded.model, deployment = excluded.deployment, "
                "pinned = excluded.pinned, updated_at_ns = excluded.updated_at_ns",
                (
                    conversation.id,
                    conversation.title,
                    conversation.model,
                    conversation.deployment,
                    conversation.pinned,
                    time.time_ns(),
                ),
            )
            self._db.execute("DELETE FROM turn WHERE conversation = ?", (conversation.id,))
            self._db.executemany(
                "INSERT INTO turn VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (conversation.id, position, turn.id, turn.role, turn.text, turn.created_at_ns, _facts_text(turn))
                    for position, turn in enumerate(conversation.turns)
                ],
            )

    def delete(self, conversation_id: str) -> None:
        """Removes a conversation and overwrites its pages, so that deleted words are not left on disk."""
        with self._writing("delete the conversation"):
            self._db.pragma("secure_delete", True)
            self._db.execute("DELETE FROM conversation WHERE id = ?", (conversation_id,))
        self._db.pragma("wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._db.close()

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


def _facts_text(turn: Turn) -> str | None:
    return None if turn.facts is None else json.dumps(asdict(turn.facts))


def _turn(row: tuple[Any, ...]) -> Turn:
    role, text, facts, turn_id, created_at_ns = row
    if facts is not None:
        values = json.loads(facts)
        facts = ReplyFacts(**{**values, "place": Place(values["place"])})
    return Turn(role, text, facts, turn_id, created_at_ns)
