"""Products of a package's quantised matrices, as an operator for onnxruntime written in Zig (`src`).

It multiplies by the integers as they lie in the package's file, in the arithmetic of the canister's engine.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from personal_ai.common.paths import resource

DOMAIN: Final = "personal_ai"
OPERATOR: Final = "BlockProducts"


@dataclass(frozen=True, slots=True)
class Target:
    """A kind of computer that there is a library for. zig: what it is built for, in Zig's words."""

    system: str
    machine: str
    zig: tuple[str, ...]
    can_run: Callable[[], bool]

    @property
    def library(self) -> Path:
        return resource(f"block-products-{self.machine}-{self.system}.so")


def _has_avx2() -> bool:
    """Whether Linux says that all of the processor's cores have it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return bool(flags) and all("avx2" in words for words in flags)


# Those that it is tested on.
TARGETS: Final = (Target("linux", "x86_64", ("-target", "x86_64-linux", "-mcpu", "x86_64+avx2"), _has_avx2),)


@cache
def library() -> Path | None:
    """The library for this computer, or None where there is none."""
    for target in TARGETS:
        if (target.system, target.machine) == (sys.platform, platform.machine()) and target.can_run():
            return target.library if target.library.exists() else None
    return None
