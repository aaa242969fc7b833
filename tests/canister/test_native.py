"""The Zig tests of the canister, compiled for this computer."""

from __future__ import annotations

from personal_ai.canister import build


def test_zig_tests_pass() -> None:
    result = build.zig("test", "tests.zig", cwd=build.SOURCES)
    assert result.returncode == 0, result.stderr
    assert "All" in result.stderr and "tests passed" in result.stderr


def test_sources_are_formatted() -> None:
    result = build.zig("fmt", "--check", ".", cwd=build.SOURCES)
    assert result.returncode == 0, result.stdout
