"""The journal of deployments: every step is written down before it is taken and after it is done.

The tables and their meaning are in docs/formats/journal.md.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.common.journal_file import JournalFile
from personal_ai.common.sqlite_rows import insert_row, read_rows

FORMAT_VERSION = 1

_SCHEMA = """
CREATE TABLE deployment (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, network TEXT NOT NULL, principal TEXT NOT NULL,
    model TEXT NOT NULL, model_sha256 TEXT NOT NULL, state TEXT NOT NULL, created_at_ns INTEGER NOT NULL,
    canister_id TEXT, module_hash TEXT, failure TEXT
) STRICT;
CREATE TABLE step (
    deployment TEXT NOT NULL REFERENCES deployment(id), name TEXT NOT NULL, intended_at_ns INTEGER NOT NULL,
    created_at_time_ns INTEGER, amount_cycles TEXT, request_id BLOB, envelope BLOB, expires_at_ns INTEGER,
    block_index TEXT, result TEXT, done_at_ns INTEGER, PRIMARY KEY (deployment, name)
) STRICT;
"""


class DeploymentState(StrEnum):
    """RUNNING: begun and not yet finished, whether a process works on it or not."""

    RUNNING = "running"
    ACTIVE = "active"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model in one canister. `principal` controls it; `model_sha256` names the package's manifest."""

    id: str
    name: str
    network: str
    principal: str
    model: str
    model_sha256: str
    state: DeploymentState
    created_at_ns: int
    canister_id: str | None = None
    module_hash: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What the journal knows of one step.

    created_at_time_ns, amount_cycles: the ledger call's idempotency token and sum. envelope: the signed call, where
    the call has no token of its own; it may be sent again until expires_at_ns. result: what the step gave, when done;
    of some steps what it shall give, from the beginning (docs/formats/journal.md).
    """

    name: str
    intended_at_ns: int
    created_at_time_ns: int | None
    amount_cycles: int | None
    envelope: bytes | None
    expires_at_ns: int | None
    result: str | None
    done: bool


class Journal(JournalFile):
    """One SQLite file; every method is one transaction on disk when it returns. Safe to use from several threads."""

    def __init__(self, path: Path) -> None:
        """Raises StorageError, DamagedFileError, UnknownVersionError."""
        super().__init__(
            path,
            name="deployment journal",
            safe="Your canisters and cycles are on the network, untouched.",
            version=FORMAT_VERSION,
            schema=_SCHEMA,
        )
        self._db.row_factory = sqlite3.Row

    def begin(self, deployment: Deployment) -> None:
        """Writes down a new deployment."""
        with self._transaction():
            self._db.execute(
                "INSERT INTO deployment VALUES (:id, :name, :network, :principal, :model, :model_sha256, :state, "
                ":created_at_ns, :canister_id, :module_hash, :failure)",
                asdict(deployment),
            )

    def deployments(self) -> list[Deployment]:
        """All deployments, the newest first."""
        with self._lock:
            rows = self._db.execute("SELECT * FROM deployment ORDER BY created_at_ns DESC").fetchall()
        return [_deployment(row) for row in rows]

    def deployment(self, deployment_id: str) -> Deployment:
        """Raises BadInputError when there is none of this id."""
        with self._lock:
            row = self._db.execute("SELECT * FROM deployment WHERE id = ?", (deployment_id,)).fetchone()
        if row is None:
            raise BadInputError(f"There is no deployment {deployment_id}.")
        return _deployment(row)

    def set_state(self, deployment_id: str, state: DeploymentState, failure: str | None = None) -> None:
        with self._transaction():
            self._db.execute(
                "UPDATE deployment SET state = ?, failure = ? WHERE id = ?", (state, failure, deployment_id)
            )

    def set_canister(self, deployment_id: str, canister_id: str) -> None:
        with self._transaction():
            self._db.execute("UPDATE deployment SET canister_id = ? WHERE id = ?", (canister_id, deployment_id))

    def set_module_hash(self, deployment_id: str, module_hash: str) -> None:
        with self._transaction():
            self._db.execute("UPDATE deployment SET module_hash = ? WHERE id = ?", (module_hash, deployment_id))

    def set_model(self, deployment_id: str, model: str, model_sha256: str) -> None:
        """Another model is in the canister, or about to be activated there."""
        with self._transaction():
            self._db.execute(
                "UPDATE deployment SET model = ?, model_sha256 = ? WHERE id = ?", (model, model_sha256, deployment_id)
            )

    def forget(self, deployment_id: str) -> None:
        """Strikes out a deployment whose canister is gone."""
        with self._transaction():
            self._db.execute("DELETE FROM step WHERE deployment = ?", (deployment_id,))
            self._db.execute("DELETE FROM deployment WHERE id = ?", (deployment_id,))

    def step(self, deployment_id: str, name: str) -> StepRecord | None:
        """What is known of a step, or None if it was never intended."""
        return self.steps(deployment_id).get(name)

    def steps(self, deployment_id: str) -> dict[str, StepRecord]:
        """What is known of every step that was intended, by its name."""
        with self._lock:
            rows = self._db.execute(
                "SELECT name, intended_at_ns, created_at_time_ns, amount_cycles, envelope, expires_at_ns, result, "
                "done_at_ns FROM step WHERE deployment = ?",
                (deployment_id,),
            ).fetchall()
        return {record.name: record for record in map(_step_record, rows)}

    def intend(
        self,
        deployment_id: str,
        name: str,
        *,
        created_at_time_ns: int | None = None,
        amount_cycles: int | None = None,
        request_id: bytes | None = None,
        envelope: bytes | None = None,
        expires_at_ns: int | None = None,
        result: str | None = None,
    ) -> None:
        """Writes down that a step is about to be taken, with what makes it safe to repeat. Replaces an older intent.

        result: what it will give, where that is known and needed to go on.
        """
        amount = None if amount_cycles is None else str(amount_cycles)  # cycles outgrow SQLite's 64 bits
        with self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO step (deployment, name, intended_at_ns, created_at_time_ns, amount_cycles, "
                "request_id, envelope, expires_at_ns, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    deployment_id,
                    name,
                    time.time_ns(),
                    created_at_time_ns,
                    amount,
                    request_id,
                    envelope,
                    expires_at_ns,
                    result,
                ),
            )

    def drop_step(self, deployment_id: str, name: str) -> None:
        """Drops a step that has ended without anything: the next attempt is a new one."""
        with self._transaction():
            self._db.execute("DELETE FROM step WHERE deployment = ? AND name = ?", (deployment_id, name))

    def finish(self, deployment_id: str, name: str, *, result: str = "", block_index: int | None = None) -> None:
        """Writes down that an intended step is done. The envelope is no longer needed and is dropped."""
        block = None if block_index is None else str(block_index)
        with self._transaction():
            self._db.execute(
                "UPDATE step SET done_at_ns = ?, result = ?, block_index = ?, envelope = NULL "
                "WHERE deployment = ? AND name = ?",
                (time.time_ns(), result, block, deployment_id, name),
            )

    def drop_steps(self, deployment_id: str, *names: str) -> None:
        """Forgets steps, so that they can be taken anew."""
        with self._transaction():
            for name in names:
                self._db.execute("DELETE FROM step WHERE deployment = ? AND name = ?", (deployment_id, name))

    # Backup

    def to_records(self) -> list[dict[str, Any]]:
        """Everything as plain values, a deployment with its steps, for `merge`; signed messages are left out."""
        with self._lock:
            deployments, steps = read_rows(self._db, "deployment"), read_rows(self._db, "step")
        for step in steps:
            step.update(request_id=None, envelope=None, expires_at_ns=None)
        return [{**one, "steps": [step for step in steps if step["deployment"] == one["id"]]} for one in deployments]

    def merge(self, records: list[dict[str, Any]]) -> int:
        """Takes in the deployments that are not known here; gives their number. Raises FormatError, StorageError."""
        known = {deployment.id for deployment in self.deployments()}
        new = [record for record in records if record.get("id") not in known]
        try:
            with self._transaction():
                for record in new:
                    DeploymentState(record["state"])
                    own = {name: value for name, value in record.items() if name != "steps"}
                    insert_row(self._db, "deployment", own)
                    for step in record["steps"]:
                        insert_row(self._db, "step", {**step, "deployment": record["id"]})
        except (sqlite3.Error, KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise FormatError("The deployments in this file are malformed.", not_lost="Yours are unchanged.") from error
        return len(new)


def _step_record(row: sqlite3.Row) -> StepRecord:
    fields = dict(row)
    amount, done_at_ns = fields.pop("amount_cycles"), fields.pop("done_at_ns")
    return StepRecord(**fields, amount_cycles=None if amount is None else int(amount), done=done_at_ns is not None)


def _deployment(row: sqlite3.Row) -> Deployment:
    fields = dict(row)
    return Deployment(**{**fields, "state": DeploymentState(fields["state"])})
