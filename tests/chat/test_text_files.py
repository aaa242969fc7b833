"""Text files as part of a question: quoted whole, or refused in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.chat.text_files import SIZE_BYTES_MAX, quoted
from personal_ai.common.errors import BadInputError, StorageError


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"one\ntwo", "a.txt:\n```\none\ntwo\n```\n"),
        (b"\xef\xbb\xbfone\n", "a.txt:\n```\none\n```\n"),
        (b"", "a.txt:\n```\n```\n"),
        (b"```py\nx\n```\n", "a.txt:\n````\n```py\nx\n```\n````\n"),
    ],
)
def test_a_text_is_quoted_whole(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert quoted(tmp_path / "a.txt") == expected


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a\0b", b"a" * (SIZE_BYTES_MAX + 1)])
def test_what_is_no_text_or_too_long_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(BadInputError, match=r"a\.txt"):
        quoted(tmp_path / "a.txt")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        quoted(tmp_path)
