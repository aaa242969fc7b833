"""Which computer there is a library for."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.models.local import kernel

CPUINFO = "processor\t: 0\nflags\t\t: fpu sse2 avx2\n\nprocessor\t: 1\nflags\t\t: fpu sse2{}\n"


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    kernel.library.cache_clear()
    yield
    kernel.library.cache_clear()


@pytest.mark.parametrize(
    ("system", "machine", "flags", "found"),
    [
        ("linux", "x86_64", " avx2", True),
        ("linux", "x86_64", "", False),
        ("linux", "aarch64", " avx2", False),
        ("darwin", "x86_64", " avx2", False),
        ("win32", "AMD64", " avx2", False),
    ],
)
def test_only_what_was_tested_and_can_run_is_taken(
    system: str, machine: str, flags: str, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(Path, "read_text", lambda path: CPUINFO.format(flags))
    assert (kernel.library() is not None) == found


def test_nothing_that_cannot_be_read_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError

    monkeypatch.setattr(Path, "read_text", refuse)
    assert kernel.library() is None
