"""A journal on disk: one SQLite file whose every transaction is on the disk when it ends."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from personal_ai.common.errors import DamagedFileError, StorageError, UnknownVersionError
from personal_ai.common.files import storage_errors


class JournalFile:
    """What journals have in common. Safe to use from several threads: reading takes `_lock`, writing `_transaction`.

    name: what to call it in errors. safe: what is not lost with it. schema: statements that each end in a semicolon.
    upgrades: by an older version, the statement that makes the next one of it.
    """

    def __init__(
        self, path: Path, *, name: str, safe: str, version: int, schema: str, upgrades: Mapping[int, str] | None = None
    ) -> None:
        """Raises StorageError, DamagedFileError, UnknownVersionError."""
        self._name = name
        with storage_errors(f"open the {name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            self._prepare(version, schema, upgrades or {})
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise DamagedFileError(
                f"The {name} ({path.name}) is damaged.",
                not_lost=safe,
                next_step="Put a backup of the file in its place.",
            ) from error
        except UnknownVersionError:
            self._db.close()
            raise

    def _prepare(self, known_version: int, schema: str, upgrades: Mapping[int, str]) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in (0, known_version, *upgrades):
            raise UnknownVersionError(
                f"The {self._name} was written by a newer version of this program (format {version}).",
                not_lost="It is unchanged.",
                next_step="Update the program to go on.",
            )
        if version != known_version:
            statements = [upgrades[old] for old in range(version, known_version)] if version else schema.split(";")[:-1]
            with self._transaction():
                for statement in statements:
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version={known_version}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._roll_back()
                raise StorageError(
                    f"Could not write the {self._name}: {error}.",
                    not_lost="What was written before is unchanged; nothing was sent that it does not hold.",
                    next_step="Make room on the disk, then try again.",
                ) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        self._db.close()
