"""The journal of payments: what is written is there after a crash, and other files are refused."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from personal_ai.common.errors import BadInputError, DamagedFileError, UnknownVersionError
from personal_ai.wallet.journal import Kind, Payment, PaymentJournal, State

GOLDEN = Path(__file__).parent / "golden" / "payments-1.sqlite"


def intend(journal: PaymentJournal, amount: int = 1 << 100) -> Payment:
    return journal.intend("practice", "aaaaa-aa", Kind.CONVERT, target="aaaaa-aa", amount=amount, fee=10_000)


def test_a_payment_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    journal = PaymentJournal(tmp_path / "payments.sqlite")
    first, second = intend(journal), intend(journal)
    assert second.created_at_time_ns > first.created_at_time_ns
    paid = journal.change(first.id, State.PAID, block_index=7)
    assert (paid.state.open, paid.block_index, paid.amount) == (True, 7, 1 << 100)
    journal.change(first.id, State.DONE, cycles=1 << 90)
    journal.close()
    again = PaymentJournal(tmp_path / "payments.sqlite")
    assert [one.id for one in again.payments("practice", "aaaaa-aa")] == [second.id, first.id]
    kept = again.payment(first.id)
    assert (kept.state, kept.block_index, kept.cycles) == (State.DONE, 7, 1 << 90)
    assert again.payments("ic", "aaaaa-aa") == []
    with pytest.raises(BadInputError):
        again.payment("none")
    again.close()
    assert (tmp_path / "payments.sqlite").stat().st_mode & 0o777 == 0o600


def test_a_file_of_this_format_is_read(tmp_path: Path) -> None:
    """The golden file was written by the first program with this format."""
    shutil.copy(GOLDEN, tmp_path / "payments.sqlite")
    journal = PaymentJournal(tmp_path / "payments.sqlite")
    (payment,) = journal.payments("practice", "2vxsx-fae")
    assert payment == Payment(
        "0123456789abcdef0123456789abcdef", "practice", "2vxsx-fae", Kind.CONVERT_TOP_UP, "aaaaa-aa", 150_000_000,
        10_000, 1_800_000_000_000_000_001, State.DONE, 12, 3_000_000_000_000, None,
    )  # fmt: skip
    journal.close()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "payments.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(UnknownVersionError, match="newer"):
        PaymentJournal(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(DamagedFileError):
        PaymentJournal(path)
