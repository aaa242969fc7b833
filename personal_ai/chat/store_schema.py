"""The tables of the conversation store and the way from version to version (docs/formats/conversations.md)."""

from __future__ import annotations

import shutil
from pathlib import Path

import apsw

from personal_ai.common.errors import UnknownVersionError
from personal_ai.common.files import storage_errors

FORMAT_VERSION = 3

_TABLES_1 = """
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

# Turns become a tree with an index of every three letters; what belonged to one line of turns is carried over.
_TABLES_2 = """
ALTER TABLE conversation ADD COLUMN tip TEXT;
ALTER TABLE conversation ADD COLUMN starred INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN instructions TEXT NOT NULL DEFAULT '';
ALTER TABLE conversation ADD COLUMN sampling TEXT;
ALTER TABLE turn RENAME TO turn_1;
CREATE TABLE turn (
    number INTEGER PRIMARY KEY, conversation TEXT NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
    id TEXT NOT NULL, parent TEXT, role TEXT NOT NULL, text TEXT NOT NULL, created_at_ns INTEGER NOT NULL, facts TEXT,
    UNIQUE (conversation, id)
) STRICT;
CREATE TABLE draft (conversation TEXT PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE preset (name TEXT PRIMARY KEY, instructions TEXT NOT NULL, sampling TEXT) STRICT;
CREATE VIRTUAL TABLE words USING fts5(text, content=turn, content_rowid=number, tokenize='trigram remove_diacritics 1');
INSERT INTO words(words, rank) VALUES ('secure-delete', 1);
CREATE TRIGGER turn_said AFTER INSERT ON turn BEGIN
    INSERT INTO words(rowid, text) VALUES (new.number, new.text);
END;
CREATE TRIGGER turn_gone AFTER DELETE ON turn BEGIN
    INSERT INTO words(words, rowid, text) VALUES ('delete', old.number, old.text);
END;
INSERT INTO turn (conversation, id, parent, role, text, created_at_ns, facts)
    SELECT conversation, id, lag(id) OVER (PARTITION BY conversation ORDER BY position), role, text, created_at_ns,
    facts FROM turn_1 ORDER BY conversation, position;
UPDATE conversation SET tip = (
    SELECT id FROM turn_1 WHERE conversation = conversation.id ORDER BY position DESC LIMIT 1
);
DROP TABLE turn_1;
"""
# A reply as far as it has come: it becomes a turn when the store is next opened, or goes when the whole one is saved.
_TABLES_3 = """
CREATE TABLE unfinished (
    conversation TEXT PRIMARY KEY REFERENCES conversation(id) ON DELETE CASCADE, role TEXT NOT NULL, text TEXT NOT NULL,
    facts TEXT, id TEXT NOT NULL, created_at_ns INTEGER NOT NULL, parent TEXT NOT NULL
) STRICT;
"""
_MIGRATIONS = {0: _TABLES_1, 1: _TABLES_2, 2: _TABLES_3}


def bring_up_to_date(db: apsw.Connection, path: Path) -> None:
    """Makes the tables of a new file, or brings an older one to this version, copied aside before each step.

    Raises UnknownVersionError for a newer file, StorageError, apsw.Error.
    """
    version: int = db.pragma("user_version")
    if version > FORMAT_VERSION:
        raise UnknownVersionError(
            f"The conversations were written by a newer version of this program (format {version}).",
            not_lost="They are unchanged.",
            next_step="Update the program to read them.",
        )
    new = version == 0
    while version < FORMAT_VERSION:
        if not new:
            _copy_aside(db, path, version)
        with db:
            db.execute(_MIGRATIONS[version])
            version += 1
            db.pragma("user_version", version)


def forget_copies(path: Path) -> None:
    """Removes what was kept of older versions: what has been deleted since must not live on in them."""
    for copy in path.parent.glob(f"{path.stem}-before-*{path.suffix}"):
        copy.unlink()


def _copy_aside(db: apsw.Connection, path: Path, version: int) -> None:
    db.pragma("wal_checkpoint", "TRUNCATE")
    with storage_errors("keep a copy of the conversations"):
        copy = path.with_name(f"{path.stem}-before-{version + 1}{path.suffix}")
        shutil.copyfile(path, copy)
        copy.chmod(0o600)
