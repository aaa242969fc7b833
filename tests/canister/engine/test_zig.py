"""The engine's own tests, natively."""

from __future__ import annotations

from personal_ai.canister import build


def test_the_engines_zig_tests_pass() -> None:
    result = build.zig("test", "engine/engine.zig", cwd=build.SOURCES)
    assert result.returncode == 0, result.stderr
