"""New computer, phrase and canister id: the first answer comes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personal_ai.app.workspace import Workspace
from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.models.manifest import MANIFEST_FILE
from tests.cli.conftest import PASSWORD, Run


@pytest.mark.usefixtures("cheap_passwords")
def test_from_phrase_and_canister_id_to_the_first_answer(
    run: Run, profile: Paths, password_file: str, tmp_path: Path
) -> None:
    unlock = ("--password-file", password_file)
    assert run("identity", "create", "unused", *unlock).exit_code == 0
    assert run("deploy", "--model", "small", *unlock).exit_code == 0
    old = Workspace(profile)
    old.unlock(PASSWORD)
    (tmp_path / "paper").write_text(old.vault.reveal_phrase())
    [deployment] = old.deployments()
    old.close()
    manifest = (profile.models / "small" / MANIFEST_FILE).read_bytes()
    assert run("network", "stop").exit_code == 0

    new = Paths(tmp_path / "new")
    new.home.mkdir()
    profile.practice_network.rename(new.practice_network)  # the network is everywhere
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERSONAL_AI_HOME", str(new.home))
        try:
            assert run("vault", "create", "--phrase-file", str(tmp_path / "paper"), *unlock).exit_code == 0
            stranger = run("recover", "aaaaa-aa", *unlock)
            assert stranger.exit_code == 1
            recovered = run("recover", str(deployment.canister_id), *unlock, "--json")
            assert recovered.exit_code == 0, recovered.errors
            assert json.loads(recovered.output) == {
                "name": "Rowan",
                "canister": deployment.canister_id,
                "model": "small",
            }
            assert (new.models / "small" / MANIFEST_FILE).read_bytes() == manifest
            listed = json.loads(run("identity", "list", *unlock, "--json").output)["identities"]
            assert [(one["index"], one["principal"]) for one in listed] == [(1, deployment.principal)]
            asked = run("chat", *unlock, "Hello")
            assert asked.exit_code == 0 and "your canister on the practice network" in asked.output
            again = run("recover", str(deployment.canister_id), *unlock)
            assert again.exit_code == 0 and len(run("deployments").output.splitlines()) == 1
            assert run("vault", "create", *unlock).exit_code == 1
        finally:
            PracticeNetwork(new.practice_network).stop()
