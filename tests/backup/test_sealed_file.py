from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.backup import sealed_file
from personal_ai.backup.sealed_file import PIECE_SIZE_BYTES, Writer, records
from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.identities.errors import WrongPasswordError
from personal_ai.identities.vault_file import ScryptCost

CHEAP = ScryptCost(n=1 << 4)
PASSWORD = "correct horse"
GOLDEN = Path(__file__).parent / "golden" / "backup-v1.bin"


def sealed(*written: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    writer = Writer(file, PASSWORD, CHEAP)
    for kind, content in written:
        writer.add(kind, content)
    writer.finish()
    return file.getvalue()


def read(data: bytes, password: str = PASSWORD) -> list[tuple[str, bytes]]:
    return list(records(io.BytesIO(data), password))


SMALL = sealed(("vault", b"secret words"), ("settings", b""))
LARGE = sealed(("a", bytes(PIECE_SIZE_BYTES)), ("b", b"x" * (PIECE_SIZE_BYTES + 5)))


@pytest.mark.parametrize("size_bytes", [0, 1, PIECE_SIZE_BYTES - 24, PIECE_SIZE_BYTES - 23, 3 * PIECE_SIZE_BYTES])
def test_what_is_written_is_read(size_bytes: int) -> None:
    content = bytes(range(256)) * (size_bytes // 256 + 1)
    written = [("one", content[:size_bytes]), ("two", b"2")]
    assert read(sealed(*written)) == written
    assert read(sealed()) == []


def test_nothing_is_in_clear() -> None:
    assert b"secret" not in SMALL and b"vault" not in SMALL
    assert sealed(("vault", b"secret words")) != sealed(("vault", b"secret words"))


def test_the_golden_backup_opens() -> None:
    """Written by version 1; it must open for ever."""
    kinds = [kind for kind, _ in read(GOLDEN.read_bytes(), "golden password")]
    assert kinds == ["vault", "deployments", "network", "models", "conversation"]


def test_a_wrong_password_is_told() -> None:
    with pytest.raises(WrongPasswordError) as raised:
        read(SMALL, "another word")
    assert "another word" not in str(raised.value)


@given(st.integers(0, len(SMALL) - 1), st.integers(0, 7))
def test_any_changed_bit_is_seen(place: int, bit: int) -> None:
    changed = bytearray(SMALL)
    changed[place] ^= 1 << bit
    with pytest.raises((FormatError, WrongPasswordError)):
        read(bytes(changed))


@pytest.mark.parametrize("cut", [0, 5, 8, 11, 20, len(SMALL) - 1])
def test_a_short_file_is_seen(cut: int) -> None:
    with pytest.raises((FormatError, WrongPasswordError)):
        read(SMALL[:cut])


def test_pieces_left_out_exchanged_or_added_are_seen() -> None:
    piece = PIECE_SIZE_BYTES + 16
    head = len(LARGE) % piece - (2 * 24 + 5) - 16
    pieces = [LARGE[head + start : head + start + piece] for start in range(0, len(LARGE) - head, piece)]
    assert len(pieces) == 3 and read(LARGE[:head] + b"".join(pieces)) == read(LARGE)
    first, second, last = pieces
    for wrong in ((first, second), (first, last), (second, first, last), (first, second, last, last), (first,)):
        with pytest.raises((FormatError, WrongPasswordError)):
            read(LARGE[:head] + b"".join(wrong))


def test_other_files_and_versions_are_told_apart() -> None:
    with pytest.raises(FormatError, match="no backup"):
        read(b"PAIVAULT" + SMALL[8:])
    with pytest.raises(UnknownVersionError, match="version 2"):
        read(SMALL[:8] + b"\x02" + SMALL[9:])


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for candidate in (data, b"PAIBACKP\x01" + data, SMALL[:60] + data):
        with pytest.raises((FormatError, WrongPasswordError)):
            read(candidate)


def test_records_that_no_reader_takes_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed_file, "RECORD_SIZE_MAX_BYTES", 10)
    with pytest.raises(FormatError, match="conversation"):
        sealed(("conversation", bytes(11)))


def test_a_record_that_claims_too_much_or_ends_early_is_refused() -> None:
    for claimed in (sealed_file.RECORD_SIZE_MAX_BYTES + 1, 100):
        file = io.BytesIO()
        writer = Writer(file, PASSWORD, CHEAP)
        writer._write(b"vault".ljust(16, b"\0") + claimed.to_bytes(8, "big") + b"short")
        writer.finish()
        with pytest.raises(FormatError, match="damaged"):
            read(file.getvalue())


def test_a_stranger_cannot_make_this_computer_work_for_hours() -> None:
    dear = SMALL.replace(b"an\x10", b"an\x1a" + (1 << 30).to_bytes(4, "big"))
    assert dear != SMALL
    with pytest.raises((FormatError, WrongPasswordError)):
        read(dear)
