"""A canister's life from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from personal_ai.common.paths import Paths
from tests.cli.conftest import Run

pytestmark = pytest.mark.usefixtures("cheap_passwords")


Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def canister(run: Run, profile: Paths, password_file: str) -> Ask:
    """`canister` commands with JSON read back; `small` is deployed as Rowan."""
    unlock = ("--password-file", password_file)
    assert run("deploy", "--model", "small", *unlock).exit_code == 0

    def ask(*arguments: str) -> dict[str, Any]:
        result = run("canister", *arguments, *unlock, "--json")
        assert result.exit_code == 0, result.errors
        answer: dict[str, Any] = json.loads(result.output)
        return answer

    return ask


def test_from_its_first_status_to_its_end(run: Run, canister: Ask, password_file: str, tmp_path: Path) -> None:
    unlock = ("--password-file", password_file)
    [listed] = json.loads(run("canister", "list", "--json").output)["canisters"]
    assert (listed["name"], listed["state"]) == ("Rowan", "active")
    assert run("canister", "list").output == run("deployments").output
    status = canister("status", "Rowan")
    assert (status["state"], status["module_hash"]) == ("running", listed["module_hash"])
    shown = run("canister", "status", listed["canister_id"], *unlock).output
    assert "It is running." in shown and "a day" in shown and "Engine " in shown

    billed = {line["what"]: line for line in canister("bill", "Rowan")["bill"]}
    assert billed["upload"]["spent"] == pytest.approx(billed["upload"]["planned"], rel=0.05)
    assert "upload               planned" in run("canister", "bill", "Rowan", *unlock).output

    assert canister("stop", "Rowan")["state"] == "stopped"
    assert canister("start", "Rowan")["state"] == "running"
    assert run("canister", "logs", "Rowan", *unlock).output == ""
    settings = run("canister", "settings", "Rowan", "--freezing-days", "45", "--memory-limit", "2048", *unlock).output
    assert "less than 45 days" in settings and "at most 2048 MiB" in settings
    slip = run("canister", "settings", "Rowan", "--freezing-days", "-1", *unlock)
    assert slip.exit_code == 1 and "Nothing was changed" in slip.errors
    _status_says_how_cycles_are_held_back_again(run, unlock)

    taken = canister("snapshot", "take", "Rowan")["id"]
    assert [one["id"] for one in canister("snapshot", "list", "Rowan")["snapshots"]] == [taken]
    assert run("canister", "snapshot", "list", "Rowan", *unlock).output.startswith(f"{taken}  20")
    assert canister("snapshot", "restore", "Rowan", str(taken)[-8:])["model"] == "small"
    folder = tmp_path / "kept"
    assert canister("snapshot", "download", "Rowan", str(taken), "--out", str(folder))["folder"] == str(folder)
    assert (folder / "snapshot.json").exists()
    uploaded = canister("snapshot", "upload", "Rowan", "--from", str(folder))["id"]
    assert uploaded != taken and canister("snapshot", "restore", "Rowan", str(uploaded))["model"] == "small"
    assert canister("snapshot", "delete", "Rowan", str(uploaded))["id"] == uploaded
    assert canister("snapshot", "delete", "Rowan", str(taken))["id"] == taken

    assert canister("upgrade", "Rowan") == {"upgraded": False, "module_hash": listed["module_hash"]}
    guide = run("model", "list").output.split()[0]
    assert canister("replace", "Rowan", "--model", guide)["model"] == guide
    assert guide in run("canister", "list").output

    refused = run("canister", "delete", "Rowan", *unlock)
    assert refused.exit_code == 1 and "come back" in refused.errors and "Nothing was deleted" in refused.errors
    deleted = canister("delete", "Rowan", "--confirm", "Rowan")
    assert deleted["deleted"] == listed["id"] and deleted["lost"] is not None
    assert deleted["recovered_cycles"] > 0.9 * deleted["lost"]["cycles"]
    assert run("canister", "list").output == ""
    gone = run("canister", "status", "Rowan", *unlock)
    assert gone.exit_code == 1 and "no deployment Rowan" in gone.errors


def _status_says_how_cycles_are_held_back_again(run: Run, unlock: tuple[str, str]) -> None:
    assert run("canister", "settings", "Rowan", "--freezing-days", "0", *unlock).exit_code == 0
    shown = run("canister", "status", "Rowan", *unlock).output
    assert "run dry" in shown
    advice = next(line for line in shown.splitlines() if line.startswith("personal-ai "))
    assert run(*advice.split()[1:], *unlock).exit_code == 0
    assert "run dry" not in run("canister", "status", "Rowan", *unlock).output


def test_it_is_kept_alive_within_a_budget(run: Run, canister: Ask, password_file: str) -> None:
    unlock = ("--password-file", password_file)
    asked = run("canister", "topup", "Rowan", "1", *unlock)
    assert asked.exit_code == 1 and "Nothing was paid" in asked.errors
    assert canister("topup", "Rowan", "1", "--yes")["state"] == "done"
    runway = canister("runway", "Rowan", "--budget", "2", "--keep-days", "60")
    assert (runway["level"], runway["freezing_days"]) == ("fine", 90)
    assert canister("tend") == {"paid": [], "problems": {}, "elsewhere": False}
    shown = run("canister", "runway", "Rowan", *unlock).output
    assert "It lasts " in shown and "held back for 90 days" in shown and "up to 2.000 T cycles in 30 days" in shown
    canister("runway", "Rowan", "--budget", "0.5", "--keep-days", "3650")
    spent = run("canister", "tend", *unlock)
    assert spent.exit_code == 1 and "Rowan: Rowan needs cycles" in spent.errors
    assert canister("runway", "Rowan", "--no-budget")["budget"] is None


def test_a_canister_that_is_controlled_already_is_adopted(run: Run, profile: Paths, password_file: str) -> None:
    unlock = ("--password-file", password_file)
    assert run("deploy", "--model", "small", *unlock).exit_code == 0
    [before] = json.loads(run("canister", "list", "--json").output)["canisters"]
    for path in profile.home.glob("deployments.sqlite*"):
        path.unlink()
    adopted = run("canister", "adopt", before["canister_id"], *unlock)
    assert adopted.output == f"Rowan: small answers from canister {before['canister_id']}.\n"
