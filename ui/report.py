"""What a bug leaves behind, fit to be shared: where it happened, never what was said.

Messages of exceptions can quote anything, a prompt or a key among it. So a report has the types of the exceptions
and our own places in the code, and no message, no value and no path of this computer.
"""

from __future__ import annotations

import platform
import traceback
from importlib.metadata import version
from pathlib import Path

_FRAMES_MAX = 30
_CHAIN_MAX = 5
_ROOTS = ("personal_ai", "ui", "site-packages", "lib")


def report(error: BaseException) -> str:
    """The report of one exception and those that led to it, as plain text."""
    lines = [versions()]
    for depth, link in enumerate(_chain(error)):
        lines.append("" if depth == 0 else "\nwhich came from")
        lines.append(f"{type(link).__module__}.{type(link).__qualname__} (its message is left out)")
        lines += [
            f"  {_place(frame.filename)}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(link.__traceback__)[-_FRAMES_MAX:]
        ]
    return "\n".join(lines)


def versions() -> str:
    """What runs on what, in one line."""
    return (
        f"Personal AI {version('personal-ai')}, Python {platform.python_version()}, "
        f"Qt bindings {version('PySide6-Essentials')}, {platform.system()} {platform.machine()}"
    )


def _chain(error: BaseException) -> list[BaseException]:
    chain = [error]
    while len(chain) < _CHAIN_MAX and (before := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(before)
    return chain


def _place(filename: str) -> str:
    """The file below the package it belongs to: folders above it may name a person."""
    parts = Path(filename).parts
    for root in _ROOTS:
        if root in parts[:-1]:
            return "/".join(parts[len(parts) - 1 - parts[::-1].index(root) :])
    return parts[-1] if parts else filename
