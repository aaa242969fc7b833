"""Clients of the ICP ledger, its index and cycles minting: what they send, and answers that they do not believe."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.common.errors import FormatError, NetworkTimeoutError, SecurityError
from personal_ai.ic import candid, cbor, hash_tree, icp_types
from personal_ai.ic import cycles_minting_types as minting_types
from personal_ai.ic import ledger_types as icrc
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.candid import Nat
from personal_ai.ic.cycles_minting import ConversionRate, CyclesMinting, Minted, PaymentRefundedError
from personal_ai.ic.icp_ledger import IcpIndex, IcpLedger, show_icp
from personal_ai.ic.ledger_entries import from_icrc3
from personal_ai.ic.ledger_refusals import InsufficientFundsError, LedgerError, LedgerWindowError
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT

ACCOUNT = AccountIdentifier.of(ANONYMOUS)
TIME_NS = 1_790_000_000 * 10**9


def answering(network: Any, method: str, type_: candid.Type, *values: Any) -> None:
    """Lets a method answer with one value after the other, the last one again and again."""
    left = list(values)
    network.handlers[method] = lambda _: candid.encode([type_], [left.pop(0) if len(left) > 1 else left[0]])


def transferring(network: Any, outcome: Any) -> IcpLedger:
    answering(network, "transfer", icp_types.TRANSFER_RESULT, outcome)
    return IcpLedger(network.agent())


def test_a_transfer_and_its_repeat_give_the_same_block(network: Any) -> None:
    assert transferring(network, ("Ok", 7)).transfer(ACCOUNT, 5, TIME_NS) == 7
    assert transferring(network, ("Err", ("TxDuplicate", {"duplicate_of": 7}))).transfer(ACCOUNT, 5, TIME_NS) == 7


def test_refusals_of_the_icp_ledger(network: Any) -> None:
    with pytest.raises(InsufficientFundsError, match=r"1\.5 ICP") as poor:
        transferring(network, ("Err", ("InsufficientFunds", {"balance": {"e8s": 150_000_000}}))).transfer(ACCOUNT, 5, 1)
    assert poor.value.balance == 150_000_000
    with pytest.raises(LedgerWindowError) as late:
        transferring(network, ("Err", ("TxTooOld", {"allowed_window_nanos": 1}))).transfer(ACCOUNT, 5, 1)
    assert late.value.too_old
    with pytest.raises(LedgerWindowError) as early:
        transferring(network, ("Err", ("TxCreatedInFuture", None))).transfer(ACCOUNT, 5, 1)
    assert not early.value.too_old
    with pytest.raises(LedgerError, match="BadFee"):
        transferring(network, ("Err", ("BadFee", {"expected_fee": {"e8s": 1}}))).transfer(ACCOUNT, 5, 1)


@pytest.mark.parametrize(
    ("e8s", "shown"), [(0, "0 ICP"), (1, "0.00000001 ICP"), (123_456_000_000_000, "1,234,560 ICP")]
)
def test_icp_as_people_write_them(e8s: int, shown: str) -> None:
    assert show_icp(e8s) == shown


def index_entry(index: int) -> dict[str, Any]:
    operation = ("Transfer", {"from": str(ACCOUNT), "to": str(ACCOUNT), "amount": {"e8s": 1}, "fee": {"e8s": 2}})
    return {"id": index, "transaction": {"memo": 7, "operation": operation, "timestamp": {"timestamp_nanos": 9}}}


def test_an_index_whose_entries_are_out_of_order_is_not_believed(network: Any) -> None:
    index = IcpIndex(network.agent())
    type_ = icp_types.ACCOUNT_TRANSACTIONS_RESULT
    page = lambda *ids: ("Ok", {"balance": 1, "transactions": [index_entry(one) for one in ids]})  # noqa: E731
    answering(network, "get_account_identifier_transactions", type_, page(5, 3))
    found = index.transactions(ACCOUNT, before=6)
    assert [(entry.index, entry.amount, entry.fee, entry.memo) for entry in found.entries] == [
        (5, 1, 2, (7).to_bytes(8, "big")), (3, 1, 2, (7).to_bytes(8, "big"))
    ]  # fmt: skip
    for ids, before in (((3, 5), None), ((5, 5), None), ((5, 3), 5)):
        answering(network, "get_account_identifier_transactions", type_, page(*ids))
        with pytest.raises(FormatError, match="out of order"):
            index.transactions(ACCOUNT, before=before)
    answering(network, "get_account_identifier_transactions", type_, ("Err", {"message": "not\ntoday"}))
    with pytest.raises(FormatError, match="not today"):
        index.transactions(ACCOUNT)


def test_notifications(network: Any, no_waiting: list[float]) -> None:
    minting = CyclesMinting(network.agent())
    processing = ("Err", ("Processing", None))
    result = {"block_index": 1, "minted": 2, "balance": 3}
    answering(network, "notify_mint_cycles", minting_types.NOTIFY_MINT_CYCLES_RESULT, processing, ("Ok", result))
    assert minting.notify_mint_cycles(5) == Minted(cycles=2, block_index=1, balance=3)
    assert no_waiting == [2.0]
    answering(network, "notify_create_canister", minting_types.NOTIFY_CREATE_CANISTER_RESULT, ("Ok", MANAGEMENT))
    assert minting.notify_create_canister(5, controllers=[ANONYMOUS]) == MANAGEMENT
    top_up = minting_types.NOTIFY_TOP_UP_RESULT
    answering(network, "notify_top_up", top_up, ("Err", ("Refunded", {"reason": "no", "block_index": 8})))
    with pytest.raises(PaymentRefundedError) as refunded:
        minting.notify_top_up(5, MANAGEMENT)
    assert refunded.value.block_index == 8
    for error, said in (
        (("InvalidTransaction", "bad\nblock"), "bad block"),
        (("Other", {"error_code": 1, "error_message": "sorry"}), "sorry"),
        (("TransactionTooOld", 3), "from 3 on"),
    ):
        answering(network, "notify_top_up", top_up, ("Err", error))
        with pytest.raises(LedgerError, match=said):
            minting.notify_top_up(5, MANAGEMENT)
    answering(network, "notify_top_up", top_up, processing)
    with pytest.raises(NetworkTimeoutError, match="busy"):
        minting.notify_top_up(5, MANAGEMENT)


def test_a_rate_is_believed_only_if_the_network_certified_it(network: Any) -> None:
    minting_id = network.profile().ledgers.cycles_minting
    rate = {"timestamp_seconds": 9, "xdr_permyriad_per_icp": 30_000}
    tree = hash_tree.build(
        {minting_types.CONVERSION_RATE_LABEL: candid.encode([minting_types.CONVERSION_RATE], [rate])}
    )
    network.state = {b"canister": {minting_id.bytes: {b"certified_data": hash_tree.root_hash(tree)}}}
    answer = {
        "data": {**rate, "xdr_permyriad_per_icp": 1},  # what is not certified is not looked at
        "hash_tree": cbor.encode(tree),
        "certificate": network.certificate([(b"canister", minting_id.bytes, b"certified_data")]),
    }
    answering(network, "get_icp_xdr_conversion_rate", minting_types.CONVERSION_RATE_RESPONSE, answer)
    minting = CyclesMinting(network.agent())
    found = minting.rate()
    assert found == ConversionRate(30_000, 9)
    assert (found.cycles(10**8), found.e8s(3 * 10**12), found.e8s(1)) == (3 * 10**12, 10**8, 1)
    forged = hash_tree.build({minting_types.CONVERSION_RATE_LABEL: b"other"})
    answering(
        network, "get_icp_xdr_conversion_rate", minting_types.CONVERSION_RATE_RESPONSE,
        {**answer, "hash_tree": cbor.encode(forged)},
    )  # fmt: skip
    with pytest.raises(SecurityError, match="not what the network certified"):
        minting.rate()


def block(**changes: Any) -> tuple[str, Any]:
    fields = {"op": ("Text", "xfer"), "amt": ("Nat", 5), "from": ("Array", [("Blob", b"\x04")]), "ts": ("Nat", 3)}
    done = [{0: name, 1: value} for name, value in {**fields, **changes}.items()]
    return "Map", [{0: "tx", 1: ("Map", done)}, {0: "ts", 1: ("Nat64", 4)}, {0: "fee", 1: ("Nat", 6)}]


def test_blocks_of_icrc3() -> None:
    entry = from_icrc3(9, block(memo=("Blob", b"m")))
    assert (entry.index, entry.operation, entry.amount, entry.fee) == (9, "transfer", 5, 6)
    assert (entry.sender, entry.receiver, entry.memo) == (str(ANONYMOUS), None, b"m")
    assert (entry.time_ns, entry.created_at_ns) == (4, 3)
    later = ("Map", [{0: "tx", 1: ("Map", [])}, {0: "ts", 1: ("Nat", 4)}, {0: "btype", 1: ("Text", "123pause")}])
    assert (from_icrc3(9, later).operation, from_icrc3(9, later).amount) == ("123pause", 0)
    sub = ("Array", [("Blob", b"\x04"), ("Blob", b"\1" * 32)])
    assert from_icrc3(9, block(to=sub)).receiver == f"{ANONYMOUS}.{'01' * 32}"


@pytest.mark.parametrize(
    "malformed",
    [
        ("Nat", 1),
        ("Map", []),
        block(amt=("Text", "5")),
        block(ts=("Text", "now")),
        block(memo=("Nat", 1)),
        block(**{"from": ("Array", [("Nat", 1)])}),
        block(**{"from": ("Array", [("Blob", bytes(30))])}),
    ],
)
def test_malformed_blocks(malformed: tuple[str, Any]) -> None:
    with pytest.raises(FormatError):
        from_icrc3(1, malformed)


def test_blocks_nested_too_deeply() -> None:
    value: tuple[str, Any] = ("Nat", 1)
    for _ in range(50):
        value = ("Array", [value])
    with pytest.raises(FormatError, match="too deeply"):
        from_icrc3(1, ("Map", [{0: "tx", 1: value}]))


def test_a_cycles_ledger_that_gives_other_blocks_is_not_believed(network: Any) -> None:
    ledger = CyclesLedger(network.agent())
    blocks = lambda *ids, length=9: {  # noqa: E731
        "log_length": length, "blocks": [{"id": one, "block": block()} for one in ids], "archived_blocks": [],
    }  # fmt: skip
    answering(network, "icrc3_get_blocks", icrc.BLOCKS, blocks(3, 4))
    assert [entry.index for entry in ledger.entries(3, 2)] == [3, 4]
    assert ledger.length() == 9
    for wrong in (blocks(4, 5), blocks(3, 5), blocks(3, 4, 5), blocks()):
        answering(network, "icrc3_get_blocks", icrc.BLOCKS, wrong)
        with pytest.raises(FormatError):
            ledger.entries(3, 2)
    answering(network, "icrc3_get_blocks", icrc.BLOCKS, blocks())
    assert ledger.entries(9, 5) == []
    answering(network, "icrc1_fee", Nat, 5)
    assert ledger.fee() == 5
