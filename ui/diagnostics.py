"""A picture of the program for whoever helps with a problem: counts, states and sizes; no name, no word, no key.

It is shown before it is saved, and nothing sends it anywhere.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from personal_ai.common.machine import memory_bytes
from personal_ai.common.paths import Paths
from ui.core import Core
from ui.report import versions
from ui.text import FIRM, size

_BLOCK_BYTES = 512  # POSIX's unit of st_blocks


def diagnostics(core: Core, paths: Paths) -> str:
    """Plain text. Raises what reading the profile raises."""
    states = Counter(str(one.state.value) for one in core.deployments())
    memory = memory_bytes()
    lines = [
        versions(),
        f"Processors: {os.cpu_count()}; memory: {size(memory) if memory else 'not known'}",
        f"Practice network: {'running' if core.practice_network.running else 'stopped'}",
        f"Vault: opens with {'a password' if core.door.wants_password else 'the keyring'}; "
        f"{len(core.vault.identities)} identities; phrase confirmed: {core.vault.phrase_confirmed}; "
        f"idle lock: {core.vault.notes.idle_lock_s} s; proxy: {'yes' if core.vault.notes.proxy else 'no'}",
        f"Deployments: {', '.join(f'{number} {state}' for state, number in sorted(states.items())) or 'none'}",
        f"Models: {', '.join(f'{one.quantisation}, {size(one.size_bytes)}' for one in core.models())}",
        "Files:",
        *(f"  {path.name}: {size(_size_bytes(path))}" for path in _known(paths) if path.exists()),
    ]
    return "\n".join((*lines, "")).replace(FIRM, " ")


def _known(paths: Paths) -> tuple[Path, ...]:
    return (
        paths.vault,
        paths.settings,
        paths.journal,
        paths.payments,
        paths.conversations,
        paths.practice_network,
        paths.models,
        paths.programs,
        paths.downloads,
    )


def _size_bytes(path: Path) -> int:
    """What is taken on the disk: the practice network's files are mostly holes."""
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(_taken_bytes(one.stat()) for one in files if one.is_file())


def _taken_bytes(found: os.stat_result) -> int:
    blocks: int | None = getattr(found, "st_blocks", None)  # Windows tells none
    return found.st_size if blocks is None else min(found.st_size, _BLOCK_BYTES * blocks)
