"""The committed module is what its sources give, in any folder, and is what the network accepts."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from personal_ai.canister import build
from personal_ai.common.paths import resource
from personal_ai.common.zig import BuildError
from personal_ai.replica.execution import InstallMode
from tests.canister.installed import Installed, Network

SOURCES = build.SOURCES


def test_the_committed_modules_are_built_from_these_sources_in_any_folder(tmp_path: Path) -> None:
    elsewhere = shutil.copytree(SOURCES, tmp_path / "some" / "where" / "src")
    assert build.build(elsewhere) == resource(build.WASM).read_bytes()
    drain = shutil.copytree(build.DRAIN_SOURCES, tmp_path / "drain")
    assert build.build_drain(drain) == resource(build.DRAIN_WASM).read_bytes()


def test_a_module_that_is_not_the_committed_one_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    committed = resource(build.WASM).read_bytes()
    monkeypatch.setattr(build, "build_drain", resource(build.DRAIN_WASM).read_bytes)
    for built, exit_code in ((committed, 0), (committed[:-1], 1)):
        monkeypatch.setattr(build, "build", lambda built=built: built)
        assert build.main(["--check"]) == exit_code
    assert "canister.wasm is not what its sources give" in capsys.readouterr().err
    assert resource(build.WASM).read_bytes() == committed


def test_a_source_that_does_not_compile_is_told(tmp_path: Path) -> None:
    elsewhere = shutil.copytree(SOURCES, tmp_path / "src")
    (elsewhere / "access.zig").write_text("not zig")
    with pytest.raises(BuildError, match=r"access\.zig"):
        build.build(elsewhere)


def test_interface_and_version_are_public_metadata(canister: Installed) -> None:
    interface = canister.executor.interface(canister.id.bytes)
    assert interface is not None
    assert interface.metadata["candid:service"].content == resource("canister.did").read_bytes()
    assert interface.metadata["personal-ai:version"].content == (SOURCES / "version.txt").read_bytes()
    assert canister.client.status().engine_version == (SOURCES / "version.txt").read_text()


def test_it_does_not_start_on_another_programs_stable_memory(network: Network) -> None:
    canister = network.canister(_module_with_stable_memory())
    outcome = canister.install(InstallMode.UPGRADE, resource("canister.wasm").read_bytes())
    assert outcome.reject is not None and "belongs to another program" in outcome.reject.message


def _module_with_stable_memory() -> bytes:
    """A module whose canister_init grows stable memory by one page."""
    import wasmtime

    return bytes(
        wasmtime.wat2wasm(
            """(module
              (import "ic0" "stable64_grow" (func $grow (param i64) (result i64)))
              (func (export "canister_init") (drop (call $grow (i64.const 1))))
              (memory 1))"""
        )
    )
