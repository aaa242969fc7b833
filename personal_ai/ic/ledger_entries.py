"""What ledgers' blocks say, in one form for all of them.

Source: the ICRC-3 standard for blocks of the cycles ledger, the ICP index's published interface for those of ICP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic.principal import SUBACCOUNT_SIZE_BYTES, Principal

_MAX_DEPTH = 16


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One block. Amounts in the ledger's smallest unit, times in ns since 1970.

    operation: mint, burn, transfer, approve, or the ledger's own word for what it learned later. sender, receiver: the
    account as the ledger's users write it (account identifier, or principal), None where there is none.
    """

    index: int
    time_ns: int
    operation: str
    amount: int
    fee: int
    sender: str | None
    receiver: str | None
    memo: bytes | None = None
    created_at_ns: int | None = None


def from_icrc3(index: int, block: tuple[str, Any]) -> LedgerEntry:
    """A block of a ledger that follows ICRC-3, decoded with `ledger_types.VALUE`. Raises FormatError."""
    fields = _plain(block)
    match fields:
        case {"ts": int(time_ns), "tx": dict(done)}:
            operation = done.get("op", fields.get("btype"))
        case _:
            raise FormatError("A block of the ledger is malformed.")
    amount, fee = done.get("amt", 0), fields.get("fee", done.get("fee", 0))
    created_at_ns, memo = done.get("ts"), done.get("memo")
    good = isinstance(operation, str) and isinstance(amount, int) and isinstance(fee, int)
    if not good or not isinstance(created_at_ns, int | None) or not isinstance(memo, bytes | None):
        raise FormatError("A block of the ledger is malformed.")
    return LedgerEntry(
        index, time_ns, {"xfer": "transfer"}.get(operation, operation), amount, fee,
        _account(done.get("from")), _account(done.get("to")), memo, created_at_ns,
    )  # fmt: skip


def from_icp_index(index: int, transaction: Mapping[str, Any]) -> LedgerEntry:
    """A transaction as the ICP index shows it, decoded with `icp_types.INDEX_TRANSACTION`."""
    kind, details = transaction["operation"]
    memo, created_at, timestamp = transaction["memo"], transaction["created_at_time"], transaction["timestamp"]
    amount = details["allowance"] if kind == "Approve" else details["amount"]
    return LedgerEntry(
        index=index,
        time_ns=timestamp["timestamp_nanos"] if timestamp else 0,
        operation=kind.lower(),
        amount=amount["e8s"],
        fee=details["fee"]["e8s"] if "fee" in details else 0,
        sender=details.get("from"),
        receiver=details.get("to"),
        memo=transaction["icrc1_memo"] or (memo.to_bytes(8, "big") if memo else None),
        created_at_ns=created_at["timestamp_nanos"] if created_at else None,
    )


def _plain(value: tuple[str, Any], depth: int = 0) -> Any:
    """An ICRC-3 value as Python's own."""
    if depth > _MAX_DEPTH:
        raise FormatError("A block of the ledger is nested too deeply.")
    case, content = value
    if case == "Map":
        return {entry[0]: _plain(entry[1], depth + 1) for entry in content}
    return [_plain(item, depth + 1) for item in content] if case == "Array" else content


def _account(value: object) -> str | None:
    match value:
        case None:
            return None
        case [bytes(owner)]:
            return str(Principal(owner))
        case [bytes(owner), bytes(subaccount)] if len(subaccount) == SUBACCOUNT_SIZE_BYTES:
            return f"{Principal(owner)}.{subaccount.hex()}" if any(subaccount) else str(Principal(owner))
    raise FormatError("An account in a block of the ledger is malformed.")
