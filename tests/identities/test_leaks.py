"""Secrets go a short way through the app and lie nowhere in clear; and what looks for them does find them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.faults.leaks import look_for_leaks
from tests.faults.needles import needles_of_bytes, needles_of_phrase, needles_of_text, search_bytes, search_file

SECRET = bytes(range(100, 132))
PHRASE = "legal winner thank year wave sausage worth useful legal winner thank yellow"


def test_nothing_lies_in_clear_after_a_short_way(tmp_path: Path) -> None:
    findings = look_for_leaks(tmp_path, short=True)
    assert findings.found == []
    assert findings.canaries > 10 and findings.files > 10 and findings.processes >= 1


@pytest.mark.parametrize(
    "content",
    [
        b"xx" + SECRET + b"yy",
        f'"{SECRET.hex()}"'.encode(),
        SECRET.hex().upper().encode(),
        base64.b64encode(SECRET),
        base64.b64encode(b"a" + SECRET + b"b"),
        base64.b64encode(b"ab" + SECRET),
    ],
)
def test_a_key_is_found_in_every_form(content: bytes) -> None:
    assert search_bytes(content, needles_of_bytes("key", SECRET))
    assert not search_bytes(content[:-20], needles_of_bytes("key", SECRET))


@pytest.mark.parametrize(
    "content", [PHRASE, "wave sausage worth", "wave\nsausage\nworth", '["wave", "sausage", "worth"]']
)
def test_three_words_of_a_phrase_are_found(content: str) -> None:
    assert search_bytes(content.encode(), needles_of_phrase(PHRASE))
    assert not search_bytes(b"wave sausage useful", needles_of_phrase(PHRASE))


def test_text_is_found_in_a_large_file_with_holes(tmp_path: Path) -> None:
    needles = needles_of_text("prompt", "what nobody may read")
    for place in (0, (8 << 20) - 7, 3 << 30):
        path = tmp_path / str(place)
        with path.open("wb") as file:
            file.write(b"x" * min(place, 9 << 20))
            file.seek(place)
            file.write("what nobody may read".encode("utf-16-le"))
            file.truncate(place + (1 << 20))
        assert [needle.form for needle in search_file(path, needles)] == ["UTF-16"]
