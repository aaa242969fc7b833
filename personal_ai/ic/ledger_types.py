"""Candid types of the cycles ledger and of ICRC-1, shared by the client and the practice network.

Source: the cycles ledger's public interface (2026) and the ICRC-1 standard.
"""

from __future__ import annotations

from personal_ai.ic.candid import (
    Blob,
    Empty,
    Int,
    Nat,
    Nat8,
    Nat64,
    Null,
    Opt,
    Principal_,
    Rec,
    Record,
    Text,
    Type,
    Variant,
    Vec,
)
from personal_ai.ic.principal import Principal

ICP_LEDGER_ID = Principal.from_text("ryjl3-tyaaa-aaaaa-aaaba-cai")
CYCLES_MINTING_CANISTER_ID = Principal.from_text("rkp4c-7iaaa-aaaaa-aaaca-cai")
CYCLES_LEDGER_ID = Principal.from_text("um5iw-rqaaa-aaaaq-qaaba-cai")

CYCLES_LEDGER_FEE = 100_000_000  # cycles
CYCLES_DECIMALS = 12
DEDUPLICATION_WINDOW_NS = 24 * 3600 * 10**9
PERMITTED_DRIFT_NS = 60 * 10**9
WITHDRAWAL_FAILED_MEMO = b"\xff" * 32  # of the block in which a withdrawal that failed comes back
CREATION_FAILED_MEMO = b"\xfd" * 32  # of the block in which the price of a canister comes back that was not made

BLOCK_INDEX = Nat
ACCOUNT = Record({"owner": Principal_, "subaccount": Opt(Blob)})

_INSUFFICIENT_FUNDS = Record({"balance": Nat})
_CREATED_IN_FUTURE = Record({"ledger_time": Nat64})
_BAD_FEE = Record({"expected_fee": Nat})
_DUPLICATE = Record({"duplicate_of": BLOCK_INDEX})
_GENERIC_ERROR = Record({"message": Text, "error_code": Nat})


def result(ok: Type, error: Type) -> Variant:
    """How ledgers answer: Ok or Err."""
    return Variant({"Ok": ok, "Err": error})


TRANSFER_ARGS = Record(
    {
        "from_subaccount": Opt(Blob),
        "to": ACCOUNT,
        "amount": Nat,
        "fee": Opt(Nat),
        "memo": Opt(Blob),
        "created_at_time": Opt(Nat64),
    }
)
TRANSFER_ERROR = Variant(
    {
        "BadFee": _BAD_FEE,
        "BadBurn": Record({"min_burn_amount": Nat}),
        "InsufficientFunds": _INSUFFICIENT_FUNDS,
        "TooOld": Null,
        "CreatedInFuture": _CREATED_IN_FUTURE,
        "Duplicate": _DUPLICATE,
        "TemporarilyUnavailable": Null,
        "GenericError": _GENERIC_ERROR,
    }
)
TRANSFER_RESULT = result(BLOCK_INDEX, TRANSFER_ERROR)

REJECTION_CODE = Variant(
    dict.fromkeys(
        (
            "NoError",
            "CanisterError",
            "SysTransient",
            "DestinationInvalid",
            "Unknown",
            "SysFatal",
            "CanisterReject",
        ),
        Null,
    )
)
WITHDRAW_ARGS = Record({"amount": Nat, "from_subaccount": Opt(Blob), "to": Principal_, "created_at_time": Opt(Nat64)})
WITHDRAW_ERROR = Variant(
    {
        "GenericError": _GENERIC_ERROR,
        "TemporarilyUnavailable": Null,
        "FailedToWithdraw": Record(
            {"fee_block": Opt(BLOCK_INDEX), "rejection_code": REJECTION_CODE, "rejection_reason": Text}
        ),
        "Duplicate": _DUPLICATE,
        "BadFee": _BAD_FEE,
        "InvalidReceiver": Record({"receiver": Principal_}),
        "CreatedInFuture": _CREATED_IN_FUTURE,
        "TooOld": Null,
        "InsufficientFunds": _INSUFFICIENT_FUNDS,
    }
)
WITHDRAW_RESULT = result(BLOCK_INDEX, WITHDRAW_ERROR)

# The ledger hands these on to the cycles minting canister; it knows fewer settings than the management canister.
CREATION_SETTINGS = Record(
    {
        "controllers": Opt(Vec(Principal_)),
        "compute_allocation": Opt(Nat),
        "memory_allocation": Opt(Nat),
        "freezing_threshold": Opt(Nat),
        "reserved_cycles_limit": Opt(Nat),
    }
)
SUBNET_SELECTION = Variant({"Subnet": Record({"subnet": Principal_}), "Filter": Record({"subnet_type": Opt(Text)})})
CREATE_CANISTER_ARGS = Record(
    {
        "from_subaccount": Opt(Blob),
        "created_at_time": Opt(Nat64),
        "amount": Nat,
        "creation_args": Opt(Record({"settings": Opt(CREATION_SETTINGS), "subnet_selection": Opt(SUBNET_SELECTION)})),
    }
)
CREATE_CANISTER_SUCCESS = Record({"block_id": BLOCK_INDEX, "canister_id": Principal_})
CREATE_CANISTER_ERROR = Variant(
    {
        "InsufficientFunds": _INSUFFICIENT_FUNDS,
        "TooOld": Null,
        "CreatedInFuture": _CREATED_IN_FUTURE,
        "TemporarilyUnavailable": Null,
        "Duplicate": Record({"duplicate_of": BLOCK_INDEX, "canister_id": Opt(Principal_)}),
        "FailedToCreate": Record({"fee_block": Opt(BLOCK_INDEX), "refund_block": Opt(BLOCK_INDEX), "error": Text}),
        "GenericError": _GENERIC_ERROR,
    }
)
CREATE_CANISTER_RESULT = result(CREATE_CANISTER_SUCCESS, CREATE_CANISTER_ERROR)

METADATA_VALUE = Variant({"Nat": Nat, "Int": Int, "Text": Text, "Blob": Blob})
METADATA = Vec(Record({0: Text, 1: METADATA_VALUE}))
SUPPORTED_STANDARDS = Vec(Record({"url": Text, "name": Text}))
DECIMALS = Nat8

DEPOSIT_ARGS = Record({"to": ACCOUNT, "memo": Opt(Blob)})
DEPOSIT_RESULT = Record({"balance": Nat, "block_index": BLOCK_INDEX})

# ICRC-3: a block is a value, a map of text to numbers, blobs, texts, arrays and maps.
VALUE = Rec()
VALUE.define(
    Variant(
        {
            "Int": Int,
            "Map": Vec(Record({0: Text, 1: VALUE})),
            "Nat": Nat,
            "Nat64": Nat64,
            "Blob": Blob,
            "Text": Text,
            "Array": Vec(VALUE),
        }
    )
)
BLOCK_RANGE = Record({"start": Nat, "length": Nat})
BLOCKS = Record(
    {
        "log_length": Nat,
        "blocks": Vec(Record({"id": Nat, "block": VALUE})),
        "archived_blocks": Vec(Empty),  # nothing is ever archived, so nothing needs the type of an archive's callback
    }
)
ARCHIVES_ARGS = Record({"from": Opt(Principal_)})
ARCHIVES = Vec(Record({"canister_id": Principal_, "start": Nat, "end": Nat}))
BLOCK_TYPES = Vec(Record({"block_type": Text, "url": Text}))
TIP_CERTIFICATE = Opt(Record({"certificate": Blob, "hash_tree": Blob}))
