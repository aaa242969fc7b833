"""Candid, the network's format of arguments and answers: `encode` and `decode` with explicit types.

    encode([Text, Opt(Nat)], ["hello", None])          decode([Record({"cycles": Nat})], answer)

`candid_types` says which Python value stands for which type.
"""

from __future__ import annotations

from personal_ai.ic.candid_decode import decode
from personal_ai.ic.candid_encode import encode
from personal_ai.ic.candid_types import (
    Blob,
    Bool,
    CandidError,
    Empty,
    Float32,
    Float64,
    Int,
    Int8,
    Int16,
    Int32,
    Int64,
    Nat,
    Nat8,
    Nat16,
    Nat32,
    Nat64,
    Null,
    Opt,
    Principal_,
    Rec,
    Record,
    Reserved,
    Some,
    Text,
    Type,
    Variant,
    Vec,
    field_id,
)

__all__ = [
    "Blob",
    "Bool",
    "CandidError",
    "Empty",
    "Float32",
    "Float64",
    "Int",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "Nat",
    "Nat8",
    "Nat16",
    "Nat32",
    "Nat64",
    "Null",
    "Opt",
    "Principal_",
    "Rec",
    "Record",
    "Reserved",
    "Some",
    "Text",
    "Type",
    "Variant",
    "Vec",
    "decode",
    "encode",
    "field_id",
]
