"""From an empty home to a canister that answers, and on when the network is gone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from personal_ai.common.paths import Paths
from tests.cli.conftest import PASSWORD, Run
from tests.faults.needles import needles_of_text, search_file
from tests.support.checkpoints import Shape, write_checkpoint

pytestmark = pytest.mark.usefixtures("cheap_passwords")  # each of many commands opens the vault

SHAPES = {
    "Llama, grouped queries": Shape(),
    "GPT-2, tied": Shape(architecture="gpt2", tied=True, key_value_heads=4),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_deploy_chat_and_go_on_offline(run: Run, profile: Paths, password_file: str) -> None:
    unlock = ("--password-file", password_file)
    deployed = run("deploy", "--model", "small", *unlock)
    assert deployed.exit_code == 0 and deployed.output.startswith("Rowan: small runs in canister ")
    for step in ("Compiling the model", "Creating the canister", "Installing the engine", "Uploading the weights"):
        assert step in deployed.errors
    assert "Rowan  active  small  practice" in run("deployments").output

    asked = run("chat", *unlock, "Hello", "there")
    assert asked.exit_code == 0
    assert "your canister on the practice network" in asked.output and "instructions per new token" in asked.output

    controllers = json.loads(run("canister", "controllers", "Rowan", *unlock, "--json").output)
    assert [one["label"] for one in controllers["controllers"]] == ["Rowan"] and "Only Rowan" in controllers["worry"]
    assert run("identity", "create", "spare", *unlock).exit_code == 0
    linking = run("canister", "controllers", "Rowan", "--add", "spare", *unlock)
    assert linking.exit_code == 1 and "ties spare and Rowan together" in linking.errors
    added = run("canister", "controllers", "Rowan", "--add", "spare", "--linked", *unlock)
    assert added.exit_code == 0 and "spare" in added.output and "Only" not in added.output
    assert run("canister", "controllers", "Rowan", "--verify", "spare", *unlock).exit_code == 0
    assert run("canister", "controllers", "Rowan", "--remove", "spare", *unlock).exit_code == 0

    assert run("network", "status").output.startswith("http://127.0.0.1:")
    assert run("network", "stop").exit_code == 0
    assert run("network", "status").output == "not running\n"
    assert json.loads(run("network", "status", "--json").output) == {"running": False, "url": None}
    offline = run("chat", *unlock, "Hello", "there")
    assert offline.exit_code == 0
    assert "This computer answers instead" in offline.output and "[this computer, " in offline.output

    identities = run("vault", "identities", *unlock).output
    assert [line.split()[-1] for line in identities.splitlines()] == ["Rowan", "spare"]
    secret_files = [path for path in profile.home.rglob("*") if path.is_file()]
    assert secret_files and not any(search_file(path, needles_of_text("password", PASSWORD)) for path in secret_files)


def test_a_finished_model_is_deployed_anew_under_another_name_and_identity(
    run: Run, profile: Paths, password_file: str
) -> None:
    unlock = ("--password-file", password_file)
    assert run("deploy", "--model", "small", *unlock).output.startswith("Rowan")
    birch = json.loads(run("deploy", "--model", "small", *unlock, "--json").output)
    assert (birch["name"], birch["state"], birch["network"]) == ("Birch", "active", "practice")
    principals = {line.split()[0] for line in run("vault", "identities", *unlock).output.splitlines()}
    assert len(principals) == 2
    calls = run("network", "calls").output
    assert calls.count('"method": "install_code"') == 2 and calls.count('"method": "create_canister"') == 2

    assert run("network", "reset").exit_code == 1, "it is not asked for"
    assert json.loads(run("network", "reset", "--yes", "--json").output) == {"deleted": ["Birch", "Rowan"]}
    assert run("deployments").output == "" and not profile.practice_network.exists()
    assert len(run("vault", "identities", *unlock).output.splitlines()) == 2, "identities stay"
    started = json.loads(run("network", "start", "--pace", "ic", "--json").output)
    assert started["running"] and run("network", "calls").output == ""


def test_lines_are_answered_one_after_the_other(run: Run, profile: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("What are you?\n\nWho controls you?\n"))
    asked = run("chat", "--local")
    assert asked.exit_code == 0 and asked.output.count("[this computer, ") == 2
    told = json.loads(run("chat", "--local", "--json", "What are you?").output)
    assert told["text"] and (told["place"], told["calls"]) == ("local", 0) and told["tokens"] > 0


def test_local_chat_needs_no_vault_and_no_network(run: Run, own_home: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", Shape(architecture="gpt2"))
    assert run("model", "import", str(checkpoint), "--name", "small").exit_code == 0
    asked = run("chat", "--local", "--model", "small", "Hello")
    assert asked.exit_code == 0 and "[this computer, " in asked.output
    assert not (own_home / "vault").exists() and not (own_home / "practice-network").exists()


def test_models_come_and_go(run: Run, profile: Paths, tmp_path: Path) -> None:
    program = tmp_path / "small.program"
    assert run("compile", "small", "--out", str(program)).exit_code == 0
    assert program.stat().st_size > 10_000
    assert run("model", "remove", "small").output == "Removed small.\n"
    assert run("compile", "small", "--out", str(program)).exit_code == 1


def test_usage_errors_are_told_by_exit_code_2(run: Run) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("chat", "--unknown")
    with pytest.raises(SystemExit, match="2"):
        run()
