"""Candid types of the ICP ledger and of its index, shared by their clients and the practice network.

Source: the published interfaces of the ICP ledger and the ICP index canister (2026). Its ICRC-1 methods have the
types of `ledger_types`.
"""

from __future__ import annotations

from personal_ai.ic.candid import Blob, Empty, Int, Nat, Nat32, Nat64, Opt, Principal_, Record, Text, Variant, Vec
from personal_ai.ic.candid import Null as _Null
from personal_ai.ic.ledger_types import ACCOUNT, result
from personal_ai.ic.principal import Principal

ICP_INDEX_ID = Principal.from_text("qhbym-qaaaa-aaaaa-aaafq-cai")
GOVERNANCE_ID = Principal.from_text("rrkah-fqaaa-aaaaa-aaaaq-cai")  # owns the minting account

ICP_DECIMALS = 8
E8S_PER_ICP = 10**ICP_DECIMALS
ICP_FEE_E8S = 10_000

TOKENS = Record({"e8s": Nat64})
TIMESTAMP = Record({"timestamp_nanos": Nat64})

TRANSFER_ARGS = Record(
    {
        "memo": Nat64,
        "amount": TOKENS,
        "fee": TOKENS,
        "from_subaccount": Opt(Blob),
        "to": Blob,
        "created_at_time": Opt(TIMESTAMP),
    }
)
TRANSFER_ERROR = Variant(
    {
        "BadFee": Record({"expected_fee": TOKENS}),
        "InsufficientFunds": Record({"balance": TOKENS}),
        "TxTooOld": Record({"allowed_window_nanos": Nat64}),
        "TxCreatedInFuture": _Null,
        "TxDuplicate": Record({"duplicate_of": Nat64}),
    }
)
TRANSFER_RESULT = result(Nat64, TRANSFER_ERROR)

ACCOUNT_BALANCE_ARGS = Record({"account": Blob})
TRANSFER_FEE_ARG = Record({})
TRANSFER_FEE = Record({"transfer_fee": TOKENS})
SYMBOL = Record({"symbol": Text})
NAME = Record({"name": Text})
DECIMALS = Record({"decimals": Nat32})

GET_BLOCKS_ARGS = Record({"start": Nat64, "length": Nat64})
OPERATION = Variant(
    {
        "Mint": Record({"to": Blob, "amount": TOKENS}),
        "Burn": Record({"from": Blob, "spender": Opt(Blob), "amount": TOKENS}),
        "Transfer": Record({"from": Blob, "to": Blob, "amount": TOKENS, "fee": TOKENS, "spender": Opt(Blob)}),
        "Approve": Record(
            {
                "from": Blob,
                "spender": Blob,
                "allowance_e8s": Int,
                "allowance": TOKENS,
                "fee": TOKENS,
                "expires_at": Opt(TIMESTAMP),
                "expected_allowance": Opt(TOKENS),
            }
        ),
    }
)
BLOCK = Record(
    {
        "parent_hash": Opt(Blob),
        "transaction": Record(
            {"memo": Nat64, "icrc1_memo": Opt(Blob), "operation": Opt(OPERATION), "created_at_time": TIMESTAMP}
        ),
        "timestamp": TIMESTAMP,
    }
)
QUERY_BLOCKS_RESPONSE = Record(
    {
        "chain_length": Nat64,
        "certificate": Opt(Blob),
        "blocks": Vec(BLOCK),
        "first_block_index": Nat64,
        "archived_blocks": Vec(Empty),  # nothing is archived here, so nothing needs the type of an archive's callback
    }
)

INDEX_OPERATION = Variant(
    {
        "Mint": Record({"to": Text, "amount": TOKENS}),
        "Burn": Record({"from": Text, "spender": Opt(Text), "amount": TOKENS}),
        "Transfer": Record({"from": Text, "to": Text, "amount": TOKENS, "fee": TOKENS, "spender": Opt(Text)}),
        "Approve": Record(
            {
                "fee": TOKENS,
                "from": Text,
                "allowance": TOKENS,
                "expires_at": Opt(TIMESTAMP),
                "spender": Text,
                "expected_allowance": Opt(TOKENS),
            }
        ),
    }
)
INDEX_TRANSACTION = Record(
    {
        "memo": Nat64,
        "icrc1_memo": Opt(Blob),
        "operation": INDEX_OPERATION,
        "created_at_time": Opt(TIMESTAMP),
        "timestamp": Opt(TIMESTAMP),
    }
)
ACCOUNT_IDENTIFIER_TRANSACTIONS_ARGS = Record({"max_results": Nat64, "start": Opt(Nat64), "account_identifier": Text})
ACCOUNT_TRANSACTIONS_ARGS = Record({"account": ACCOUNT, "start": Opt(Nat), "max_results": Nat})
ACCOUNT_TRANSACTIONS_RESULT = result(
    Record(
        {
            "balance": Nat64,
            "transactions": Vec(Record({"id": Nat64, "transaction": INDEX_TRANSACTION})),
            "oldest_tx_id": Opt(Nat64),
        }
    ),
    Record({"message": Text}),
)
INDEX_STATUS = Record({"num_blocks_synced": Nat64})
LEDGER_ID_ANSWER = Principal_
