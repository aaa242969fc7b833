"""The ICP ledger's book: fees, memos, deduplication by time, errors in the mainnet's words, and its index."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.ic import icp_types as types
from personal_ai.ic import ledger_types as icrc
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.candid import Nat, Text, decode, encode
from personal_ai.ic.icp_types import E8S_PER_ICP, GOVERNANCE_ID, ICP_FEE_E8S
from personal_ai.replica.calls import CallRejected
from tests.replica.network.inside import DAY_NS, NOW_NS, SECOND_NS, Inside
from tests.replica.network.running import OWNER, identity

FRIEND = identity("a friend").principal
OWNER_ACCOUNT, FRIEND_ACCOUNT = AccountIdentifier.of(OWNER.principal), AccountIdentifier.of(FRIEND)


@pytest.fixture(autouse=True)
def funded(inside: Inside) -> None:
    inside.treasury.icp_ledger.fund(OWNER.principal, 10 * E8S_PER_ICP, NOW_NS)


def transfer(inside: Inside, **fields: Any) -> Any:
    given = {"memo": 0, "amount": 1000, "fee": ICP_FEE_E8S, "to": FRIEND_ACCOUNT.bytes, **fields}
    for name in ("amount", "fee"):
        given[name] = {"e8s": given[name]}
    types_ = (types.TRANSFER_ARGS, types.TRANSFER_RESULT)
    return inside.asked(inside.treasury.icp_ledger, "transfer", types_, given)


def icrc1_transfer(inside: Inside, **fields: Any) -> Any:
    given = {"to": {"owner": FRIEND}, "amount": 1000, **fields}
    types_ = (icrc.TRANSFER_ARGS, icrc.TRANSFER_RESULT)
    return inside.asked(inside.treasury.icp_ledger, "icrc1_transfer", types_, given)


def ask(inside: Inside, method: str, args: list[Any], values: list[Any], answer: Any) -> Any:
    ledger = inside.treasury.icp_ledger
    return decode([answer], ledger.query(inside.call(ledger.id, method, encode(args, values)), NOW_NS))[0]


def balance(inside: Inside, account: AccountIdentifier) -> int:
    tokens = ask(inside, "account_balance", [types.ACCOUNT_BALANCE_ARGS], [{"account": account.bytes}], types.TOKENS)
    return int(tokens["e8s"])


def created_at(time_ns: int) -> dict[str, int]:
    return {"timestamp_nanos": time_ns}


def test_transfers_cost_their_fee(inside: Inside) -> None:
    assert transfer(inside) == ("Ok", 1)
    assert icrc1_transfer(inside) == ("Ok", 2)
    assert balance(inside, FRIEND_ACCOUNT) == 2000
    assert balance(inside, OWNER_ACCOUNT) == 10 * E8S_PER_ICP - 2 * (1000 + ICP_FEE_E8S)
    supply = ask(inside, "icrc1_total_supply", [], [], Nat)
    assert supply == 10 * E8S_PER_ICP - 2 * ICP_FEE_E8S
    assert inside.balanced()


def test_refusals_in_the_words_of_both_interfaces(inside: Inside) -> None:
    left = {"balance": {"e8s": 10 * E8S_PER_ICP}}
    assert transfer(inside, fee=1) == ("Err", ("BadFee", {"expected_fee": {"e8s": ICP_FEE_E8S}}))
    assert icrc1_transfer(inside, fee=1) == ("Err", ("BadFee", {"expected_fee": ICP_FEE_E8S}))
    assert transfer(inside, amount=10 * E8S_PER_ICP) == ("Err", ("InsufficientFunds", left))
    short = icrc1_transfer(inside, amount=1 << 100)
    assert short == ("Err", ("InsufficientFunds", {"balance": 10 * E8S_PER_ICP}))
    assert transfer(inside, from_subaccount=b"\1" * 32)[1] == ("InsufficientFunds", {"balance": {"e8s": 0}})
    assert inside.balanced()


def test_only_transactions_with_a_time_are_compared(inside: Inside) -> None:
    assert (transfer(inside), transfer(inside)) == (("Ok", 1), ("Ok", 2))
    now = created_at(NOW_NS)
    assert transfer(inside, created_at_time=now) == ("Ok", 3)
    assert transfer(inside, created_at_time=now) == ("Err", ("TxDuplicate", {"duplicate_of": 3}))
    assert transfer(inside, created_at_time=now, memo=(1 << 64) - 1) == ("Ok", 4)
    assert icrc1_transfer(inside, created_at_time=NOW_NS, memo=b"note") == ("Ok", 5)
    again = icrc1_transfer(inside, created_at_time=NOW_NS, memo=b"note")
    assert again == ("Err", ("Duplicate", {"duplicate_of": 5}))


def test_the_window_of_a_day(inside: Inside) -> None:
    ahead = NOW_NS + 60 * SECOND_NS
    assert transfer(inside, created_at_time=created_at(ahead))[0] == "Ok"
    for far in (ahead + 1, (1 << 64) - 1):
        assert transfer(inside, created_at_time=created_at(far)) == ("Err", ("TxCreatedInFuture", None))
    assert icrc1_transfer(inside, created_at_time=ahead + 1)[1] == ("CreatedInFuture", {"ledger_time": NOW_NS})
    inside.clock.time_ns = ahead + DAY_NS
    assert transfer(inside, created_at_time=created_at(ahead))[1][0] == "TxDuplicate"
    inside.clock.time_ns += 1
    too_old = transfer(inside, created_at_time=created_at(ahead))
    assert too_old == ("Err", ("TxTooOld", {"allowed_window_nanos": DAY_NS}))
    assert icrc1_transfer(inside, created_at_time=1) == ("Err", ("TooOld", None))


def test_what_goes_to_the_minting_account_is_burned(inside: Inside) -> None:
    minting = AccountIdentifier.of(GOVERNANCE_ID)
    assert transfer(inside, to=minting.bytes, amount=ICP_FEE_E8S, fee=0) == ("Ok", 1)
    assert balance(inside, minting) == 0
    least = {"min_burn_amount": ICP_FEE_E8S}
    assert icrc1_transfer(inside, to={"owner": GOVERNANCE_ID}, amount=1) == ("Err", ("BadBurn", least))
    with pytest.raises(CallRejected, match="minimum burn"):
        transfer(inside, to=minting.bytes, amount=1, fee=0)
    assert inside.balanced()


def test_an_account_with_a_mistyped_digit_gets_nothing(inside: Inside) -> None:
    wrong = bytes([FRIEND_ACCOUNT.bytes[0] ^ 1]) + FRIEND_ACCOUNT.bytes[1:]
    for account in (wrong, b"", bytes(32)):
        with pytest.raises(CallRejected, match="not an account identifier"):
            transfer(inside, to=account)
    with pytest.raises(CallRejected, match="memo length"):
        icrc1_transfer(inside, memo=bytes(33))


def test_blocks_are_chained(inside: Inside) -> None:
    transfer(inside, memo=7)
    transfer(inside, to=AccountIdentifier.of(GOVERNANCE_ID).bytes, amount=E8S_PER_ICP, fee=0)
    shown = ask(
        inside, "query_blocks", [types.GET_BLOCKS_ARGS], [{"start": 0, "length": 1 << 63}], types.QUERY_BLOCKS_RESPONSE
    )
    assert (shown["chain_length"], shown["first_block_index"]) == (3, 0)
    mint, moved, burned = shown["blocks"]
    assert [block["transaction"]["operation"][0] for block in shown["blocks"]] == ["Mint", "Transfer", "Burn"]
    assert moved["transaction"]["memo"] == 7
    assert mint["parent_hash"] is None
    assert moved["parent_hash"] != burned["parent_hash"]
    past_the_end = ask(
        inside, "query_blocks", [types.GET_BLOCKS_ARGS], [{"start": 3, "length": 5}], types.QUERY_BLOCKS_RESPONSE
    )
    assert past_the_end["blocks"] == []


def index_of(inside: Inside, account: AccountIdentifier, start: int | None = None, max_results: int = 10) -> Any:
    index = inside.treasury.icp_index
    fields = {"account_identifier": str(account), "start": start, "max_results": max_results}
    arg = encode([types.ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS], [fields])
    reply = index.query(inside.call(index.id, "get_account_identifier_transactions", arg), NOW_NS)
    case, answer = decode([types.ACCOUNT_TRANSACTIONS_RESULT], reply)[0]
    assert case == "Ok"
    return answer


def test_the_index_tells_an_accounts_story_newest_first(inside: Inside) -> None:
    transfer(inside, memo=1)
    transfer(inside, memo=2, created_at_time=created_at(NOW_NS))
    story = index_of(inside, OWNER_ACCOUNT)
    assert [entry["id"] for entry in story["transactions"]] == [2, 1, 0]
    assert (story["balance"], story["oldest_tx_id"]) == (balance(inside, OWNER_ACCOUNT), 0)
    newest = story["transactions"][0]["transaction"]
    assert newest["operation"][0] == "Transfer"
    assert newest["operation"][1]["to"] == str(FRIEND_ACCOUNT)
    assert (newest["memo"], newest["created_at_time"]) == (2, created_at(NOW_NS))
    assert story["transactions"][1]["transaction"]["created_at_time"] is None
    page = index_of(inside, OWNER_ACCOUNT, start=2, max_results=1)
    assert [entry["id"] for entry in page["transactions"]] == [1]
    assert index_of(inside, AccountIdentifier.of(identity("nobody").principal))["oldest_tx_id"] is None


def test_what_wallets_ask(inside: Inside) -> None:
    assert ask(inside, "icrc1_symbol", [], [], Text) == "ICP"
    assert ask(inside, "symbol", [], [], types.SYMBOL) == {"symbol": "ICP"}
    assert (
        ask(inside, "transfer_fee", [types.TRANSFER_FEE_ARG], [{}], types.TRANSFER_FEE)["transfer_fee"]["e8s"] == 10_000
    )
    index = inside.treasury.icp_index
    bad = encode([types.ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS], [{"account_identifier": "x", "max_results": 1}])
    reply = index.query(inside.call(index.id, "get_account_identifier_transactions", bad), NOW_NS)
    assert decode([types.ACCOUNT_TRANSACTIONS_RESULT], reply)[0][0] == "Err"
    with pytest.raises(CallRejected, match="not an account identifier"):
        index.query(inside.call(index.id, "get_account_identifier_balance", encode([Text], ["x"])), NOW_NS)
