"""The README's first command, whole, as its own process in an empty home."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from personal_ai.common.paths import resource

KEYS = {
    "principal", "canister_id", "module_hash", "model", "upload_bytes", "upload_seconds", "deploy_seconds",
    "canister_reply", "local_reply", "same_reply", "prompts", "tokens", "tokens_per_call", "instructions_per_token",
    "cycles", "offline_reply", "offline_answered_by", "offline_reason",
}  # fmt: skip


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def demo(temporary: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ui", "demo", "--json"]
    environment = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_the_last_line_holds_the_figures(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stderr
    figures = json.loads(demo.stdout.splitlines()[-1])
    assert set(figures) >= KEYS
    assert figures["module_hash"] == hashlib.sha256(resource("canister.wasm").read_bytes()).hexdigest()
    assert figures["prompts"] >= 5
    assert figures["same_reply"] is True and figures["canister_reply"] == figures["local_reply"] != ""
    assert figures["offline_answered_by"] == "local" and figures["offline_reason"]
    assert figures["offline_reply"] == figures["canister_reply"]
    assert figures["upload_bytes"] > 1_000_000 and figures["tokens_per_call"] > 1
    assert set(figures["cycles"]) == {"create", "upload", "reply"} and min(figures["cycles"].values()) > 0


def test_each_step_is_told_with_progress(demo: subprocess.CompletedProcess[str]) -> None:
    for step in ("Compiling the model", "Creating the canister", "Installing the engine", "Activating the model"):
        assert step in demo.stderr
    (upload,) = [line for line in demo.stderr.splitlines() if line.startswith("Uploading the weights")]
    assert "MB of" in upload and "/s" in upload


def test_nothing_is_left_behind(demo: subprocess.CompletedProcess[str], temporary: Path, own_home: Path) -> None:
    assert demo.returncode == 0
    assert list(temporary.iterdir()) == [] and not own_home.exists()
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            assert str(temporary).encode() not in command_line.read_bytes(), "the practice network still runs"
