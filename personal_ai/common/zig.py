"""The pinned Zig, which builds what is committed as a binary: the same sources give the same bytes on any machine."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import platformdirs

from personal_ai.common.errors import UserFacingError
from personal_ai.common.files import write_atomically

VERSION = "0.15.2"  # another version gives other bytes


class BuildError(UserFacingError):
    """A binary could not be built, or is not what its sources give."""


def zig(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the pinned Zig with its caches outside of the source tree. Raises BuildError when it is not installed."""
    try:
        installed = importlib.metadata.version("ziglang")
    except importlib.metadata.PackageNotFoundError:
        installed = "none"
    if installed != VERSION:
        raise BuildError(
            f"This is built with ziglang {VERSION}; installed is {installed}.",
            next_step=f"pip install ziglang=={VERSION}",
        )
    cache = Path(os.environ.get("ZIG_GLOBAL_CACHE_DIR") or platformdirs.user_cache_path("personal-ai") / "zig")
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache)}
    command = (sys.executable, "-m", "ziglang", *arguments)
    return subprocess.run(command, cwd=cwd, env=environment, text=True, capture_output=True, check=False)  # noqa: S603


def write_or_compare(target: Path, built: bytes, *, check: bool, command: str) -> None:
    """Writes the binary, or with `check` raises BuildError where the one that is there differs; `command` mends it."""
    if not check:
        write_atomically(target, built, mode=0o644)
    elif not target.exists() or target.read_bytes() != built:
        raise BuildError(f"{target.name} is not what its sources give.", next_step=command)
