"""What the money clients send and expect fits what the canisters publish.

golden/interfaces has the methods that are called, in the types that the canisters' own interfaces give them.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.ic import cycles_minting_types as minting
from personal_ai.ic import icp_ledger, icp_types, ledgers
from personal_ai.ic import ledger_types as cycles
from personal_ai.ic.candid import Blob, Int, Nat, Nat64, Null, Opt, Record, Text, Type, Variant, Vec
from tests.support.interfaces import InterfaceReader, fits

CALLED: dict[str, dict[str, tuple[list[Type], Type]]] = {
    "cycles-ledger": {
        "deposit": ([cycles.DEPOSIT_ARGS], cycles.DEPOSIT_RESULT),
        "icrc1_balance_of": ([cycles.ACCOUNT], Nat),
        "icrc1_fee": ([], Nat),
        "icrc1_transfer": ([cycles.TRANSFER_ARGS], cycles.TRANSFER_RESULT),
        "icrc3_get_blocks": ([Vec(cycles.BLOCK_RANGE)], ledgers.BLOCKS_AS_READ),
        "withdraw": ([cycles.WITHDRAW_ARGS], cycles.WITHDRAW_RESULT),
        "create_canister": ([cycles.CREATE_CANISTER_ARGS], cycles.CREATE_CANISTER_RESULT),
    },
    "icp-ledger": {
        "transfer": ([icp_types.TRANSFER_ARGS], icp_types.TRANSFER_RESULT),
        "account_balance": ([icp_types.ACCOUNT_BALANCE_ARGS], icp_types.TOKENS),
        "icrc1_fee": ([], Nat),
        "query_blocks": ([icp_types.GET_BLOCKS_ARGS], icp_ledger.CHAIN_LENGTH),
    },
    "icp-index": {
        "get_account_identifier_transactions": (
            [icp_types.ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS],
            icp_types.ACCOUNT_TRANSACTIONS_RESULT,
        ),
        "status": ([], icp_types.INDEX_STATUS),
    },
    "cycles-minting": {
        "notify_top_up": ([minting.NOTIFY_TOP_UP_ARG], minting.NOTIFY_TOP_UP_RESULT),
        "notify_create_canister": ([minting.NOTIFY_CREATE_CANISTER_ARG], minting.NOTIFY_CREATE_CANISTER_RESULT),
        "notify_mint_cycles": ([minting.NOTIFY_MINT_CYCLES_ARG], minting.NOTIFY_MINT_CYCLES_RESULT),
        "get_icp_xdr_conversion_rate": ([], minting.CONVERSION_RATE_RESPONSE),
    },
}


@pytest.mark.parametrize("canister", [*CALLED])
def test_what_is_sent_and_expected_fits(canister: str) -> None:
    path = Path(__file__).parent / "golden" / "interfaces" / f"{canister}.did"
    published = InterfaceReader(path.read_text()).methods
    assert published.keys() == CALLED[canister].keys()
    for method, (sent, read) in CALLED[canister].items():
        arguments, [result], _ = published[method]
        assert len(sent) == len(arguments), method
        assert all(map(fits, sent, arguments)), f"what is sent to {method}"
        assert fits(result, read), f"what {method} answers"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Record({"a": Nat}), Record({"a": Nat, "b": Nat})),
        (Record({"a": Nat}), Record({"a": Nat64})),
        (Variant({"a": Null, "b": Null}), Variant({"a": Null})),
        (Variant({"a": Nat}), Variant({"a": Text})),
        (Opt(Nat), Nat),
        (Vec(Nat), Blob),
        (Int, Nat),
        (cycles.VALUE, Vec(cycles.VALUE)),
    ],
)
def test_what_does_not_fit_is_seen(given: Type, expected: Type) -> None:
    assert not fits(given, expected)
    assert fits(given, given) and fits(expected, expected)
