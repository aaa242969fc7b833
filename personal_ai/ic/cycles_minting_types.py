"""Candid types of the cycles minting canister, and the memos that say what a payment to it is for.

Source: its published interface (2026). An ICP transfer goes to the account of the canister with the subaccount of
whom the cycles are for (`principal_subaccount`); a notification then names the transfer's block.
"""

from __future__ import annotations

from personal_ai.ic.candid import Blob, Nat, Nat64, Null, Opt, Principal_, Record, Text, Variant, Vec
from personal_ai.ic.ledger_types import CREATION_SETTINGS, SUBNET_SELECTION, result

MEMO_CREATE_CANISTER = 0x41455243
MEMO_TOP_UP = 0x50555054
MEMO_MINT_CYCLES = 0x544E494D

BLOCK_INDEX = Nat64
NOTIFY_ERROR = Variant(
    {
        "Refunded": Record({"reason": Text, "block_index": Opt(BLOCK_INDEX)}),
        "Processing": Null,
        "TransactionTooOld": BLOCK_INDEX,
        "InvalidTransaction": Text,
        "Other": Record({"error_code": Nat64, "error_message": Text}),
    }
)
NOTIFY_TOP_UP_ARG = Record({"block_index": BLOCK_INDEX, "canister_id": Principal_})
NOTIFY_TOP_UP_RESULT = result(Nat, NOTIFY_ERROR)
NOTIFY_CREATE_CANISTER_ARG = Record(
    {
        "block_index": BLOCK_INDEX,
        "controller": Principal_,
        "subnet_type": Opt(Text),
        "subnet_selection": Opt(SUBNET_SELECTION),
        "settings": Opt(CREATION_SETTINGS),
    }
)
NOTIFY_CREATE_CANISTER_RESULT = result(Principal_, NOTIFY_ERROR)
NOTIFY_MINT_CYCLES_ARG = Record({"block_index": BLOCK_INDEX, "to_subaccount": Opt(Blob), "deposit_memo": Opt(Blob)})
NOTIFY_MINT_CYCLES_RESULT = result(Record({"block_index": Nat, "minted": Nat, "balance": Nat}), NOTIFY_ERROR)

CONVERSION_RATE = Record({"timestamp_seconds": Nat64, "xdr_permyriad_per_icp": Nat64})
CONVERSION_RATE_RESPONSE = Record({"data": CONVERSION_RATE, "hash_tree": Blob, "certificate": Blob})
CONVERSION_RATE_LABEL = b"ICP_XDR_CONVERSION_RATE"
SUBNET_TYPES_RESPONSE = Record({"data": Vec(Record({0: Text, 1: Vec(Principal_)}))})


def cycles_of(e8s: int, xdr_permyriad_per_icp: int) -> int:
    """What ICP come to: 10^12 cycles are one XDR, so the units of e8s and of ten thousandths cancel out."""
    return e8s * xdr_permyriad_per_icp
