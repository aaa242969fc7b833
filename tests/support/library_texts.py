"""Python's own standard library as text: what every computer that runs the tests has, and enough of it to train a
small model with a large vocabulary.
"""

from __future__ import annotations

import hashlib
import sysconfig
from collections.abc import Iterator
from pathlib import Path

_HELD_OUT_SHARE = 40  # one file of so many


def learnt() -> str:
    """The files that models are trained on, one after the other."""
    return "".join(path.read_text("utf-8", "replace") for name, path in _files() if not _is_held_out(name))


def held_out() -> str:
    """The other ones: the same in every version of Python, as far as their names are."""
    return "".join(path.read_text("utf-8", "replace") for name, path in _files() if _is_held_out(name))


def _is_held_out(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] < 256 // _HELD_OUT_SHARE


def _files() -> Iterator[tuple[str, Path]]:
    library = Path(sysconfig.get_path("stdlib"))
    for path in sorted(library.rglob("*.py")):
        name = path.relative_to(library).as_posix()
        if "test" not in name and not name.startswith(("site-packages/", "dist-packages/")):
            yield name, path
