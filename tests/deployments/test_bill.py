"""The plan beside the real bill, on the practice network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.canister.client import CanisterClient
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments import health
from personal_ai.deployments.bill import Line, bill
from personal_ai.deployments.deployer import UPLOAD
from personal_ai.deployments.journal import Journal
from tests.deployments.conftest import DEPLOYMENT_ID, Placed


def lines(placed: Placed, journal: Journal) -> dict[str, Line]:
    canister = placed.canister
    status = canister.status()
    found = bill(journal, DEPLOYMENT_ID, canister.agent.profile, status, canister.client.status())
    return {line.what: line for line in found}


def test_every_item_stands_beside_what_it_really_took(placed: Placed) -> None:
    health.ask(placed.canister.client, placed.deployer.package, Cancel())
    found = lines(placed, placed.journal)
    assert list(found) == ["create and install", "upload", "verify", "storage of a day", "answers so far"]
    for what in ("create and install", "upload", "storage of a day"):
        line = found[what]
        assert line.spent == pytest.approx(line.planned, rel=0.05), what
    assert all(line.spent is not None and line.spent > 0 < line.planned for line in found.values())
    assert found["storage of a day"].spent == placed.canister.status().idle_cycles_per_day


def test_cycles_that_came_in_meanwhile_leave_an_item_unknown(placed: Placed, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(placed.deployment)
    assert lines(placed, journal) == {}, "there was no plan"
    created = placed.journal.step(DEPLOYMENT_ID, "create")
    uploaded = placed.journal.step(DEPLOYMENT_ID, UPLOAD)
    assert created is not None and created.amount_cycles is not None
    assert uploaded is not None and uploaded.result is not None
    journal.intend(DEPLOYMENT_ID, "create", amount_cycles=created.amount_cycles // 2)
    journal.intend(DEPLOYMENT_ID, UPLOAD, result=uploaded.result)
    found = lines(placed, journal)
    assert found["create and install"].spent is None and found["verify"].spent is None
    assert found["upload"].spent
    journal.close()


def test_an_interrupted_upload_is_counted_from_its_first_byte(
    placed: Placed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "journal")
    journal.begin(replace(placed.deployment, canister_id=None, module_hash=None))
    deployer = replace(placed.deployer, journal=journal)

    def lost(*_: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(CanisterClient, "begin_upload", lost)
        with pytest.raises(KeyboardInterrupt):
            deployer.run(DEPLOYMENT_ID, ignore_progress, Cancel())
    begun = journal.step(DEPLOYMENT_ID, UPLOAD)
    deployer.run(DEPLOYMENT_ID, ignore_progress, Cancel())
    done = journal.step(DEPLOYMENT_ID, UPLOAD)
    assert begun is not None and begun.result is not None and done is not None and done.result is not None
    assert done.result.startswith(begun.result[:-1])
    journal.close()
