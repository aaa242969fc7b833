"""Builds the operator's libraries: `python -m personal_ai.models.local.kernel.build`, with `--check` only compares."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from personal_ai.common.errors import UserFacingError
from personal_ai.common.zig import BuildError, write_or_compare, zig
from personal_ai.models.local.kernel import TARGETS, Target

SOURCES = Path(__file__).parent / "src"

# Every pointer is checked before it is followed (main.zig), and the tests run with all of Zig's own checks.
_MODE = ("-dynamic", "-O", "ReleaseFast", "-fstrip")


def build(target: Target, sources: Path = SOURCES) -> bytes:
    """The finished library. Raises BuildError."""
    with tempfile.TemporaryDirectory(prefix="personal-ai-build-") as folder:
        linked = Path(folder) / target.library.name
        result = zig("build-lib", "main.zig", *target.zig, *_MODE, f"-femit-bin={linked}", cwd=sources)
        if result.returncode != 0 or not linked.exists():
            raise BuildError(f"The operator's sources do not compile:\n{result.stderr}")
        return linked.read_bytes()


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1: one was not built, or with --check is not the same."""
    parser = argparse.ArgumentParser(prog="python -m personal_ai.models.local.kernel.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the libraries in resources, write nothing")
    check: bool = parser.parse_args(arguments).check
    try:
        for target in TARGETS:
            built = build(target)
            write_or_compare(
                target.library, built, check=check, command="python -m personal_ai.models.local.kernel.build"
            )
            print(f"{target.library.name}: {len(built)} bytes")
    except UserFacingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
