"""A lock keeps others out while it is held, and only then."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from personal_ai.common.errors import StorageError
from personal_ai.common.locks import holding

_HOLD = """
import sys
from pathlib import Path
from personal_ai.common.locks import holding
with holding(Path(sys.argv[1])) as alone:
    print(alone, flush=True)
    sys.stdin.read()
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    with holding(tmp_path / "new" / "lock") as first, holding(tmp_path / "new" / "lock") as second:
        assert first and not second
    with holding(tmp_path / "new" / "lock") as third:
        assert third


def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", _HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "True\n"
        with holding(lock) as alone:
            assert not alone
        process.kill()
        process.wait()
        with holding(lock) as alone:
            assert alone


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError), holding(tmp_path / "file" / "lock"):
        pass
