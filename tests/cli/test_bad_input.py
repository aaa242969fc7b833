"""What goes wrong is told in words, loses nothing and ends with an exit code that is not 0."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from personal_ai.common.paths import Paths
from tests.cli.conftest import Run


def _told(result_errors: str) -> list[str]:
    return [line for line in result_errors.splitlines() if line and "[#" not in line]


def test_a_wrong_vault_password(run: Run, profile: Paths, tmp_path: Path) -> None:
    before = profile.vault.read_bytes()
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password\n")
    refused = run("deploy", "--model", "small", "--password-file", str(wrong))
    assert refused.exit_code == 1 and "password" in refused.errors.lower()
    assert "not the password" not in refused.errors
    assert profile.vault.read_bytes() == before and not profile.journal.exists()


def test_a_damaged_vault(run: Run, profile: Paths, password_file: str) -> None:
    content = profile.vault.read_bytes()
    profile.vault.write_bytes(b"x" + content[1:])
    refused = run("vault", "identities", "--password-file", password_file)
    assert refused.exit_code == 1 and _told(refused.errors)


def test_no_vault_yet(run: Run, own_home: Path, password_file: str) -> None:
    refused = run("deploy", "--password-file", password_file)
    assert refused.exit_code == 1 and "personal-ai vault create" in refused.errors


def test_a_vault_is_never_overwritten(run: Run, profile: Paths, password_file: str) -> None:
    before = profile.vault.read_bytes()
    assert run("vault", "create", "--password-file", password_file).exit_code == 1
    assert profile.vault.read_bytes() == before


def test_a_damaged_model_file_is_found_before_anything_is_paid(run: Run, profile: Paths, password_file: str) -> None:
    weights = max((profile.models / "small").iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    refused = run("deploy", "--model", "small", "--password-file", password_file)
    assert refused.exit_code == 1 and weights.name in refused.errors
    assert '"create_canister"' not in run("network", "calls").output


def test_a_truncated_model_file(run: Run, profile: Paths) -> None:
    weights = max((profile.models / "small").iterdir(), key=lambda path: path.stat().st_size)
    weights.write_bytes(weights.read_bytes()[:-1])
    refused = run("chat", "--local", "--model", "small", "Hello")
    assert refused.exit_code == 1 and weights.name in refused.errors


def test_an_unknown_operator_is_named_with_its_node_and_the_reason(run: Run, profile: Paths, tmp_path: Path) -> None:
    package = profile.models / "small"
    _replace_logits_by_det(package / "model.onnx")
    _renew_hash(package, "model.onnx")
    program = tmp_path / "program"
    refused = run("compile", "small", "--out", str(program))
    assert refused.exit_code == 1
    assert "Det" in refused.errors and "the-unknown-one" in refused.errors
    assert not program.exists()


def _replace_logits_by_det(path: Path) -> None:
    """Puts an operator that no engine of ours has before the logits."""
    model = onnx.load(path, load_external_data=False)
    graph = model.graph
    logits = graph.output[0].name
    for node in graph.node:
        for index, name in enumerate(node.output):
            if name == logits:
                node.output[index] = "logits-before"
    square = numpy_helper.from_array(np.eye(2, dtype=np.float32), "square")
    graph.initializer.append(square)
    graph.node.append(helper.make_node("Det", ["square"], ["determinant"], name="the-unknown-one"))
    graph.node.append(helper.make_node("Add", ["logits-before", "determinant"], [logits], name="sum"))
    assert square.data_type == TensorProto.FLOAT
    path.write_bytes(model.SerializeToString())


def _renew_hash(package: Path, name: str) -> None:
    path = package / "manifest.json"
    manifest = json.loads(path.read_text())
    content = (package / name).read_bytes()
    manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    path.write_text(json.dumps(manifest))


def test_a_stopped_network_has_no_calls_to_show(run: Run, own_home: Path) -> None:
    refused = run("network", "calls")
    assert refused.exit_code == 1 and "not running" in refused.errors


def test_a_full_disk_while_importing(run: Run, profile: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    refused = run("model", "import", str(tmp_path / "checkpoint"), "--name", "another")
    assert refused.exit_code == 1 and "the disk is full" in refused.errors
    assert [path.name for path in profile.models.iterdir()] == ["small"]


def test_a_folder_that_is_no_model(run: Run, own_home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused = run("model", "import", str(tmp_path / "empty"))
    assert refused.exit_code == 1 and _told(refused.errors)


def test_a_network_that_nobody_described(run: Run, profile: Paths, password_file: str) -> None:
    refused = run("deploy", "--model", "small", "--network", "moon", "--password-file", password_file)
    assert refused.exit_code == 1 and _told(refused.errors) and "moon" in refused.errors
