"""A model by its id: what is told before, what the package says of itself, and that stopping loses nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.cli.console import amount
from personal_ai.common.paths import Paths
from personal_ai.models.library import Library
from tests.cli.conftest import Run
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.hub import Fault, LoopbackHub

MODEL = "maker/Tiny-1M"
WEIGHTS = "model.safetensors"
TOKEN = "hf_secret"  # a word to look for, no secret


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = write_checkpoint(tmp_path_factory.mktemp("checkpoint"), Shape())
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Iterator[LoopbackHub]:
    with LoopbackHub() as made:
        made.add(MODEL, files, cardData={"license": "mit"})
        yield made


def test_a_model_by_its_id(run: Run, own_home: Path, hub: LoopbackHub, files: dict[str, bytes]) -> None:
    commit = hub.add(MODEL, files, cardData={"license": "mit"})
    done = run("model", "import", f"{MODEL}@main", "--endpoint", hub.endpoint)
    assert done.exit_code == 0, done.errors
    size = amount(sum(map(len, files.values())), "bytes")
    first = f"{MODEL} at {commit[:12]} from 127.0.0.1: {size} in {len(files)} files, licence: mit"
    assert done.output.splitlines()[0] == first
    manifest = Library(Paths(own_home).models).get("tiny-1m").manifest
    assert (manifest.source, manifest.revision, manifest.licence) == (MODEL, commit, "mit")
    assert manifest.label == "Tiny-1M"
    assert [path.name for path in Paths(own_home).downloads.iterdir()] == ["maker--Tiny-1M.lock"]


def test_a_taken_name_is_told_before_the_download(run: Run, own_home: Path, hub: LoopbackHub) -> None:
    assert run("model", "import", MODEL, "--endpoint", hub.endpoint).exit_code == 0
    fetched = len(hub.starts(WEIGHTS))
    refused = run("model", "import", MODEL, "--endpoint", hub.endpoint)
    assert refused.exit_code == 1 and "already" in refused.errors
    assert len(hub.starts(WEIGHTS)) == fetched
    assert run("model", "import", MODEL, "--endpoint", hub.endpoint, "--name", "two").exit_code == 0


def test_a_gated_model_and_its_token(run: Run, own_home: Path, hub: LoopbackHub, tmp_path: Path) -> None:
    hub.facts(MODEL)["gated"] = "manual"
    hub.tokens[MODEL] = TOKEN
    refused = run("model", "import", MODEL, "--endpoint", hub.endpoint)
    assert refused.exit_code == 1 and "accept their terms" in refused.errors
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n")
    done = run("model", "import", MODEL, "--endpoint", hub.endpoint, "--token-file", str(token_file))
    assert done.exit_code == 0 and "gated" in done.output
    assert TOKEN not in done.output + done.errors
    assert not any(TOKEN in path.read_text(errors="replace") for path in own_home.rglob("*") if path.is_file())


def test_the_hub_is_chosen_once(run: Run, hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("model", "hub").output == "https://huggingface.co\n"
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.example")
    assert run("model", "hub").output == "https://hub.example\n"
    refused = run("model", "hub", "http://hub.example")
    assert refused.exit_code == 1 and "without encryption" in refused.errors
    assert run("model", "hub", hub.endpoint).output == f"{hub.endpoint}\n"
    assert run("model", "import", MODEL, "--no-measure").exit_code == 0
    assert run("model", "hub", "none").output == "https://hub.example\n"


def test_the_vault_keeps_a_token(
    run: Run, own_home: Path, hub: LoopbackHub, password_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.facts(MODEL)["gated"] = "manual"
    hub.tokens[MODEL] = TOKEN
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    vault = ("--password-file", password_file)
    assert run("vault", "create", *vault).exit_code == 0
    none = run("model", "import", MODEL, "--kept-token", *vault)
    assert none.exit_code == 1 and "keeps no access token" in none.errors
    token_file = Path(password_file).with_name("token")
    token_file.write_text(f"{TOKEN}\n")
    assert run("model", "token", "--token-file", str(token_file), *vault).exit_code == 0
    done = run("model", "import", MODEL, "--kept-token", *vault)
    assert done.exit_code == 0 and TOKEN not in done.output + done.errors, done.errors
    assert not any(TOKEN in path.read_text(errors="replace") for path in own_home.rglob("*") if path.is_file())
    assert run("model", "token", "--forget", *vault).exit_code == 0
    assert run("model", "import", MODEL, "--kept-token", "--name", "two", *vault).exit_code == 1


def test_killed_and_gone_on_with(run: Run, own_home: Path, hub: LoopbackHub, files: dict[str, bytes]) -> None:
    hub.faults[WEIGHTS].append(Fault(hold_at=100_000))
    command = [sys.executable, "-m", "ui", "model", "import", MODEL, "--endpoint", hub.endpoint]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert hub.holding.wait(60)
        process.kill()
    hub.release()
    assert run("model", "list").output.count("\n") == 1  # the starter model alone
    (part,) = Paths(own_home).downloads.rglob("*.part")
    left = part.stat().st_size
    assert run("model", "import", MODEL, "--endpoint", hub.endpoint).exit_code == 0
    assert hub.starts(WEIGHTS) == [0, left]


def test_what_is_no_model_here_is_not_kept(run: Run, own_home: Path, hub: LoopbackHub, files: dict[str, bytes]) -> None:
    hub.add(MODEL, files | {"tokenizer.json": b"{}"})
    assert run("model", "import", MODEL, "--endpoint", hub.endpoint).exit_code == 1
    assert not list(Paths(own_home).downloads.rglob(WEIGHTS)) and not list(Paths(own_home).models.glob("*"))


def test_a_path_is_told_to_nobody(
    run: Run, own_home: Path, hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maker").mkdir()
    for path in (MODEL, "./maker/x", str(tmp_path / "x"), "folder"):
        refused = run("model", "import", path, "--endpoint", hub.endpoint)
        assert refused.exit_code == 1 and "no model folder" in refused.errors
    assert not hub.seen


def test_no_such_model(run: Run, own_home: Path, hub: LoopbackHub) -> None:
    refused = run("model", "import", "maker/other", "--endpoint", hub.endpoint)
    assert refused.exit_code == 1 and "there is none of this name" in refused.errors
    assert not refused.output
