"""The committed library is what its sources give, in any folder, and its Zig tests pass."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from personal_ai.common.zig import BuildError, write_or_compare, zig
from personal_ai.models.local.kernel import TARGETS, Target, build


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.machine}-{target.system}")
def test_the_committed_library_is_built_from_these_sources(target: Target, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(build.SOURCES, tmp_path / "some" / "where" / "src")
    assert build.build(target, elsewhere) == target.library.read_bytes()


def test_another_library_is_told_and_not_written(tmp_path: Path) -> None:
    target = tmp_path / "library.so"
    target.write_bytes(b"old")
    with pytest.raises(BuildError, match="not what its sources give"):
        write_or_compare(target, b"new", check=True, command="build it")
    assert target.read_bytes() == b"old"
    write_or_compare(target, b"new", check=False, command="build it")
    write_or_compare(target, b"new", check=True, command="build it")


def test_zig_tests_pass() -> None:
    result = zig("test", "main.zig", cwd=build.SOURCES)
    assert result.returncode == 0, result.stderr
    assert "tests passed" in result.stderr
