"""The ledger's books: deduplication by time, errors in the mainnet's words, and a chain of blocks that holds."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.ic.candid import Blob, Nat, Record, Text, Vec, decode, encode
from personal_ai.ic.ledger_types import (
    ACCOUNT,
    CREATE_CANISTER_ARGS,
    CREATE_CANISTER_RESULT,
    CYCLES_LEDGER_FEE,
    METADATA,
    TRANSFER_ARGS,
    TRANSFER_RESULT,
    VALUE,
    WITHDRAW_ARGS,
    WITHDRAW_RESULT,
)
from personal_ai.ic.principal import Principal
from personal_ai.ic.request_id import hash_of_map
from personal_ai.replica.calls import CallRejected
from tests.replica.network.inside import DAY_NS, NOW_NS, SECOND_NS, Inside
from tests.replica.network.running import OWNER, TRILLION, identity

FRIEND = identity("a friend").principal
BLOCKS = Record({"log_length": Nat, "blocks": Vec(Record({"id": Nat, "block": VALUE}))})


def balance(inside: Inside, owner: Principal = OWNER.principal, subaccount: bytes | None = None) -> int:
    arg = encode([ACCOUNT], [{"owner": owner, "subaccount": subaccount}])
    reply = inside.ledger.query(inside.call(inside.ledger_id, "icrc1_balance_of", arg), inside.clock.now_ns())
    cycles: int = decode([Nat], reply)[0]
    return cycles


def transfer(inside: Inside, **fields: Any) -> Any:
    given = {"to": {"owner": FRIEND}, "amount": 1000, **fields}
    return inside.on_ledger("icrc1_transfer", TRANSFER_ARGS, TRANSFER_RESULT, given)


def create(inside: Inside, **fields: Any) -> Any:
    given = {"amount": TRILLION, "created_at_time": NOW_NS, **fields}
    return inside.on_ledger("create_canister", CREATE_CANISTER_ARGS, CREATE_CANISTER_RESULT, given)


@pytest.fixture(autouse=True)
def funded(inside: Inside) -> None:
    inside.ledger.fund(OWNER.principal, 10 * TRILLION, NOW_NS)


def test_transfers(inside: Inside) -> None:
    assert transfer(inside, fee=CYCLES_LEDGER_FEE) == ("Ok", 1)
    assert (balance(inside), balance(inside, FRIEND)) == (10 * TRILLION - 1000 - CYCLES_LEDGER_FEE, 1000)
    assert transfer(inside, fee=1) == ("Err", ("BadFee", {"expected_fee": CYCLES_LEDGER_FEE}))
    error = transfer(inside, amount=100 * TRILLION)
    assert error == ("Err", ("InsufficientFunds", {"balance": 10 * TRILLION - 1000 - CYCLES_LEDGER_FEE}))


def test_subaccounts_are_accounts_of_their_own_but_zeros_are_none(inside: Inside) -> None:
    transfer(inside, to={"owner": FRIEND, "subaccount": b"\1" * 32})
    transfer(inside, to={"owner": FRIEND, "subaccount": bytes(32)}, amount=7)
    assert (balance(inside, FRIEND, b"\1" * 32), balance(inside, FRIEND)) == (1000, 7)
    from_empty = transfer(inside, from_subaccount=b"\2" * 32)
    assert from_empty == ("Err", ("InsufficientFunds", {"balance": 0}))


def test_only_transactions_with_a_time_are_compared(inside: Inside) -> None:
    assert transfer(inside, memo=b"a") == ("Ok", 1)
    assert transfer(inside, memo=b"a") == ("Ok", 2)
    assert transfer(inside, created_at_time=NOW_NS) == ("Ok", 3)
    assert transfer(inside, created_at_time=NOW_NS) == ("Err", ("Duplicate", {"duplicate_of": 3}))
    assert transfer(inside, created_at_time=NOW_NS, memo=b"b") == ("Ok", 4)


def test_the_window_of_a_day_and_a_minute(inside: Inside) -> None:
    created_ns = NOW_NS + 60 * SECOND_NS
    assert transfer(inside, created_at_time=created_ns)[0] == "Ok"
    future = transfer(inside, created_at_time=created_ns + 1)
    assert future == ("Err", ("CreatedInFuture", {"ledger_time": NOW_NS}))
    inside.clock.time_ns = created_ns + DAY_NS + 60 * SECOND_NS
    assert transfer(inside, created_at_time=created_ns)[1][0] == "Duplicate"
    inside.clock.time_ns += 1
    assert transfer(inside, created_at_time=created_ns) == ("Err", ("TooOld", None))


def test_creating_twice_makes_one_canister(inside: Inside) -> None:
    case, created = create(inside)
    assert (case, created["block_id"]) == ("Ok", 1)
    duplicate = {"duplicate_of": 1, "canister_id": created["canister_id"]}
    assert create(inside) == ("Err", ("Duplicate", duplicate))
    assert [state.id for state in inside.store.canisters()] == [created["canister_id"].bytes]
    state = inside.canisters.get(created["canister_id"])
    assert (state.cycles, state.controllers) == (TRILLION // 2, (OWNER.principal.bytes,))
    assert create(inside, created_at_time=NOW_NS + 1)[1]["canister_id"] != created["canister_id"]


def test_creation_takes_settings(inside: Inside) -> None:
    settings = {"controllers": [FRIEND, OWNER.principal], "freezing_threshold": 5}
    subnet = ("Subnet", {"subnet": inside.network_keys.subnet_id})
    _, created = create(inside, creation_args={"settings": settings, "subnet_selection": subnet})
    state = inside.canisters.get(created["canister_id"])
    assert set(state.controllers) == {FRIEND.bytes, OWNER.principal.bytes}
    assert state.settings.freezing_threshold_s == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 499_999_999_999},
        {"creation_args": {"subnet_selection": ("Subnet", {"subnet": FRIEND})}},
        {"creation_args": {"subnet_selection": ("Filter", {"subnet_type": "fiduciary"})}},
        {"creation_args": {"settings": {"controllers": [identity(str(n)).principal for n in range(11)]}}},
        {"creation_args": {"settings": {"compute_allocation": 101}}},
    ],
)
def test_a_creation_that_fails_gives_the_rest_back(inside: Inside, fields: dict[str, Any]) -> None:
    case, (variant, details) = create(inside, **fields)
    assert (case, variant, details["fee_block"], details["refund_block"]) == ("Err", "FailedToCreate", 1, 2)
    assert balance(inside) == 10 * TRILLION - 2 * CYCLES_LEDGER_FEE
    assert not inside.store.canisters()


def test_a_refusal_leaves_no_block(inside: Inside) -> None:
    create(inside, amount=11 * TRILLION)
    transfer(inside, fee=1)
    transfer(inside, created_at_time=1)
    assert len(blocks(inside)) == 1
    assert balance(inside) == 10 * TRILLION


def test_withdrawals_arrive(inside: Inside) -> None:
    canister_id = create(inside)[1]["canister_id"]
    given = {"to": canister_id, "amount": 5, "created_at_time": NOW_NS}
    assert inside.on_ledger("withdraw", WITHDRAW_ARGS, WITHDRAW_RESULT, given) == ("Ok", 2)
    assert inside.canisters.get(canister_id).cycles == TRILLION // 2 + 5
    zero = inside.on_ledger("withdraw", WITHDRAW_ARGS, WITHDRAW_RESULT, {"to": canister_id, "amount": 0})
    assert zero[1][0] == "GenericError"


def blocks(inside: Inside, start: int = 0, length: int = 100) -> list[Any]:
    arg = encode([Vec(Record({"start": Nat, "length": Nat}))], [[{"start": start, "length": length}]])
    reply = inside.ledger.query(inside.call(inside.ledger_id, "icrc3_get_blocks", arg), NOW_NS)
    answer: list[Any] = decode([BLOCKS], reply)[0]["blocks"]
    return answer


def plain(value: tuple[str, Any]) -> Any:
    """An ICRC-3 value as Python's own, ready to be hashed."""
    case, content = value
    if case == "Map":
        return {entry[0]: plain(entry[1]) for entry in content}
    return [plain(item) for item in content] if case == "Array" else content


def test_blocks_are_chained_and_tell_what_happened(inside: Inside) -> None:
    transfer(inside, memo=b"note", created_at_time=NOW_NS)
    create(inside)
    minted, moved, burned = (plain(entry["block"]) for entry in blocks(inside))
    assert "phash" not in minted
    assert moved["phash"] == hash_of_map(minted)
    assert burned["phash"] == hash_of_map(moved)
    assert (minted["tx"]["op"], moved["tx"]["op"], burned["tx"]["op"]) == ("mint", "xfer", "burn")
    assert moved["tx"] == {
        "op": "xfer", "amt": 1000, "from": [OWNER.principal.bytes], "to": [FRIEND.bytes], "memo": b"note", "ts": NOW_NS,
    }  # fmt: skip
    assert (moved["fee"], burned["tx"]["amt"]) == (CYCLES_LEDGER_FEE, TRILLION)


@pytest.mark.parametrize(("start", "length", "ids"), [(1, 1, [1]), (2, 9, [2]), (3, 1, []), (2**70, 2**70, [])])
def test_ranges_of_blocks(inside: Inside, start: int, length: int, ids: list[int]) -> None:
    transfer(inside)
    transfer(inside, amount=1)
    assert [entry["id"] for entry in blocks(inside, start, length)] == ids


def test_what_wallets_ask(inside: Inside) -> None:
    ask = lambda method: inside.ledger.query(inside.call(inside.ledger_id, method, encode([], [])), NOW_NS)  # noqa: E731
    assert decode([Text], ask("icrc1_symbol")) == ["TCYCLES"]
    assert decode([Nat], ask("icrc1_total_supply")) == [10 * TRILLION]
    metadata = {entry[0]: entry[1] for entry in decode([METADATA], ask("icrc1_metadata"))[0]}
    assert metadata["icrc1:decimals"] == ("Nat", 12)


@pytest.mark.parametrize(
    ("method", "arg"),
    [
        ("icrc1_balance_of", b"junk"),
        ("icrc1_balance_of", encode([], [])),
        ("icrc1_transfer", encode([TRANSFER_ARGS], [{"to": {"owner": FRIEND}, "amount": 1, "memo": bytes(33)}])),
        ("icrc1_transfer", encode([TRANSFER_ARGS], [{"to": {"owner": FRIEND}, "amount": 1 << 128}])),
        ("icrc1_balance_of", encode([ACCOUNT], [{"owner": FRIEND, "subaccount": b"short"}])),
        ("icrc1_balance_of", encode([Blob], [b""])),
    ],
)
def test_bad_arguments_trap(inside: Inside, method: str, arg: bytes) -> None:
    with pytest.raises(CallRejected) as caught:
        inside.run(inside.call(inside.ledger_id, method, arg), inside.ledger.update)
    assert caught.value.error_code == "IC0503"


def test_unknown_methods(inside: Inside) -> None:
    for method in ("icrc2_approve", "", "fund"):
        with pytest.raises(CallRejected) as caught:
            inside.ledger.accept(inside.call(inside.ledger_id, method), NOW_NS)
        assert caught.value.error_code == "IC0536"
    with pytest.raises(CallRejected):
        inside.ledger.query(inside.call(inside.ledger_id, "withdraw"), NOW_NS)
