"""The journal remembers what was intended and what was done."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, DamagedFileError, StorageError, UnknownVersionError
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.names import TREES, next_name

ROWAN = Deployment("aa" * 16, "Rowan", "practice", "2vxsx-fae", "guide", "00" * 32, DeploymentState.RUNNING, 1)


def test_the_golden_file_of_version_1_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    shutil.copy(Path(__file__).parent / "golden" / "journal-1.sqlite", path)
    journal = Journal(path)
    canister_id = "lxzze-o7777-77777-aaaaa-cai"
    (deployment,) = journal.deployments()
    assert deployment == replace(
        ROWAN, model_sha256="0f" * 32, created_at_ns=1_700_000_000_000_000_000, canister_id=canister_id
    )
    created, installing = journal.step(ROWAN.id, "create"), journal.step(ROWAN.id, "install")
    assert created is not None and created.done and created.result == canister_id
    assert (created.created_at_time_ns, created.amount_cycles) == (1_700_000_000_000_000_001, 10**20)
    assert installing is not None and not installing.done
    assert (installing.envelope, installing.expires_at_ns) == (b"signed bytes", 1_700_000_240_000_000_000)
    journal.close()


def test_survives_being_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "deployments.sqlite"
    journal = Journal(path)
    journal.begin(ROWAN)
    journal.begin(replace(ROWAN, id="bb" * 16, name="Birch", created_at_ns=2))
    journal.set_canister(ROWAN.id, "rrkah-fqaaa-aaaaa-aaaaq-cai")
    journal.set_module_hash(ROWAN.id, "ff" * 32)
    journal.set_state(ROWAN.id, DeploymentState.FAILED, "the disk is full")
    journal.close()
    assert path.stat().st_mode & 0o777 == 0o600

    journal = Journal(path)
    assert [deployment.name for deployment in journal.deployments()] == ["Birch", "Rowan"]
    assert journal.deployment(ROWAN.id) == replace(
        ROWAN,
        canister_id="rrkah-fqaaa-aaaaa-aaaaq-cai",
        module_hash="ff" * 32,
        state=DeploymentState.FAILED,
        failure="the disk is full",
    )
    with pytest.raises(BadInputError, match="no deployment"):
        journal.deployment("cc" * 16)
    journal.close()


def test_a_step_goes_from_unknown_to_intended_to_done(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(ROWAN)
    assert journal.step(ROWAN.id, "create") is None
    journal.intend(ROWAN.id, "create", created_at_time_ns=5, amount_cycles=10**20)
    intended = journal.step(ROWAN.id, "create")
    assert intended is not None and not intended.done
    assert (intended.created_at_time_ns, intended.amount_cycles, intended.result) == (5, 10**20, None)
    journal.finish(ROWAN.id, "create", result="canister", block_index=2**65)
    done = journal.step(ROWAN.id, "create")
    assert done is not None and done.done and done.result == "canister"
    journal.close()


def test_the_envelope_is_dropped_once_it_is_of_no_use(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(ROWAN)
    journal.intend(ROWAN.id, "install", request_id=b"r" * 32, envelope=b"signed", expires_at_ns=7)
    intended = journal.step(ROWAN.id, "install")
    assert intended is not None and (intended.envelope, intended.expires_at_ns) == (b"signed", 7)
    journal.finish(ROWAN.id, "install")
    done = journal.step(ROWAN.id, "install")
    assert done is not None and done.envelope is None
    journal.close()


def test_a_full_disk_is_told_and_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(ROWAN)
    journal._db.execute("PRAGMA max_page_count=1")  # SQLite's own words for a full disk
    with pytest.raises(StorageError, match="disk is full"):
        journal.intend(ROWAN.id, "install", envelope=bytes(1 << 20))
    assert journal.step(ROWAN.id, "install") is None
    assert journal.deployment(ROWAN.id) == ROWAN
    journal.close()


def test_an_unknown_version_and_a_damaged_file_are_refused(tmp_path: Path) -> None:
    newer = tmp_path / "newer"
    with sqlite3.connect(newer) as db:
        db.execute("PRAGMA user_version=2")
    db.close()
    with pytest.raises(UnknownVersionError, match="format 2"):
        Journal(newer)
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"this is not a database" * 100)
    with pytest.raises(DamagedFileError):
        Journal(damaged)


def test_names_are_trees_and_never_repeat() -> None:
    taken: list[str] = []
    for _ in range(2 * len(TREES) + 1):
        taken.append(next_name(taken))
    assert len(set(taken)) == len(taken)
    assert taken[0] == "Rowan" and taken[len(TREES)] == "Rowan 2"
