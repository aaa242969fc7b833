"""The Zig tests of the canister, compiled for this computer."""

from __future__ import annotations

from personal_ai.canister import build
from personal_ai.common.zig import zig


def test_zig_tests_pass() -> None:
    result = zig("test", "tests.zig", cwd=build.SOURCES)
    assert result.returncode == 0, result.stderr
    assert "All" in result.stderr and "tests passed" in result.stderr


def test_sources_are_formatted() -> None:
    result = zig("fmt", "--check", ".", cwd=build.SOURCES)
    assert result.returncode == 0, result.stdout
