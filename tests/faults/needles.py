"""Secrets in the forms in which they might lie in a file, and looking for them."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_WORDS_IN_A_ROW = 3
_PIECE_SIZE_BYTES = 8 << 20


@dataclass(frozen=True)
class Needle:
    """One form of one secret."""

    name: str
    form: str
    content: bytes


def needles_of_bytes(name: str, secret: bytes) -> list[Needle]:
    digits = secret.hex()
    return [
        Needle(name, "bytes", secret),
        Needle(name, "hex", digits.encode()),
        Needle(name, "HEX", digits.upper().encode()),
        *_in_base64(name, secret),
    ]


def needles_of_text(name: str, text: str) -> list[Needle]:
    return [
        Needle(name, "UTF-8", text.encode()),
        Needle(name, "UTF-16", text.encode("utf-16-le")),
        Needle(name, "hex", text.encode().hex().encode()),
        *_in_base64(name, text.encode()),
    ]


def needles_of_phrase(phrase: str) -> list[Needle]:
    """The whole phrase, and any three of its words in a row, on one line or on three."""
    words = phrase.split()
    found = needles_of_text("phrase", phrase)
    for start in range(len(words) - _WORDS_IN_A_ROW + 1):
        part = words[start : start + _WORDS_IN_A_ROW]
        found += [Needle("phrase", f"words between {gap!r}", gap.join(part).encode()) for gap in (" ", "\n", '", "')]
    return found


def _in_base64(name: str, secret: bytes) -> list[Needle]:
    """What base64 shows of the secret wherever in a longer text it stands."""
    found = []
    for lead in range(3):
        encoded = base64.b64encode(bytes(lead) + secret)
        sure = encoded[-(-lead * 4 // 3) if lead else 0 : len(encoded) - 4]
        found.append(Needle(name, "base64", sure))
    return found


def search_bytes(content: bytes, needles: Sequence[Needle]) -> list[Needle]:
    return [needle for needle in needles if needle.content in content]


def search_file(path: Path, needles: Sequence[Needle]) -> list[Needle]:
    """The needles in a file; holes of sparse files are passed over."""
    overlap = max(len(needle.content) for needle in needles) - 1
    found: set[Needle] = set()
    with path.open("rb") as file:
        for start, end in _data_ranges(path):
            file.seek(start)
            kept = b""
            while piece := file.read(min(_PIECE_SIZE_BYTES, end - file.tell())):
                found.update(search_bytes(kept + piece, needles))
                kept = piece[-overlap:]
    return sorted(found, key=lambda needle: (needle.name, needle.form))


def _data_ranges(path: Path) -> Iterator[tuple[int, int]]:
    size_bytes = path.stat().st_size
    descriptor = os.open(path, os.O_RDONLY)
    try:
        end = 0
        while end < size_bytes:
            try:
                start = os.lseek(descriptor, end, os.SEEK_DATA)
            except OSError:  # only a hole is left
                return
            end = os.lseek(descriptor, start, os.SEEK_HOLE)
            yield start, end
    finally:
        os.close(descriptor)
