"""The library's files on the command line: what is damaged is named, and what it all takes is told."""

from __future__ import annotations

from pathlib import Path

from personal_ai.common.paths import Paths
from tests.cli.conftest import Run
from tests.support.checkpoints import Shape, write_checkpoint


def test_verify_and_usage(run: Run, own_home: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", Shape())
    for name in ("small", "other"):
        assert run("model", "import", str(checkpoint), "--name", name).exit_code == 0
    assert run("model", "verify").output == "3 of 3 models are whole.\n"
    usage = run("model", "usage").output
    assert usage.startswith("other  ") and "2 models: " in usage and "free on this disk" in usage

    folder = Paths(own_home).models / "small"
    content = bytearray((folder / "model.onnx.data").read_bytes())
    content[10] ^= 1
    (folder / "model.onnx.data").write_bytes(content)
    (Paths(own_home).models / "other" / "tokenizer.json").unlink()
    found = run("model", "verify")
    assert found.exit_code == 1
    assert "model.onnx.data of the model small" in found.errors and "tokenizer.json of the model other" in found.errors
    assert "model small" in run("model", "verify", "small").errors
    assert run("model", "remove", "small").exit_code == 0
    assert not any(path.name.startswith(".") for path in Paths(own_home).models.iterdir()), (
        "removed for good at the end"
    )


def test_the_library_moves_and_is_missed_when_its_drive_is_away(run: Run, own_home: Path, tmp_path: Path) -> None:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", Shape())
    assert run("model", "import", str(checkpoint), "--name", "small", "--no-measure").exit_code == 0
    drive = tmp_path / "drive"
    assert str(drive) in run("model", "move", str(drive)).output
    assert "small" in run("model", "list").output
    drive.rename(tmp_path / "unplugged")
    away = run("model", "list")
    assert "starter" in away.output and "not there now" in away.errors
    for command in (("verify",), ("usage",), ("devices", "small")):
        assert "Connect the drive" in run("model", *command).errors
