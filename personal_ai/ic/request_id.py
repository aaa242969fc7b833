"""Representation-independent hashes: what is signed in requests, delegations and query answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from personal_ai.common.errors import FormatError
from personal_ai.ic import leb128


def hash_of_map(fields: Mapping[str, object]) -> bytes:
    """SHA-256 over the sorted pairs SHA-256(name) . hash(value); fields that are None are left out.

    Raises FormatError for values that have no hash (booleans, negative numbers, whatever is no CBOR of requests).
    """
    pairs = [
        hashlib.sha256(name.encode()).digest() + _hash_of_value(value)
        for name, value in fields.items()
        if value is not None
    ]
    return hashlib.sha256(b"".join(sorted(pairs))).digest()


def request_id(content: Mapping[str, object]) -> bytes:
    """The 32-byte id of a request: the hash of its content map."""
    return hash_of_map(content)


def _hash_of_value(value: object) -> bytes:
    """Numbers hash as their shortest unsigned LEB128, arrays as the hash of their items' hashes."""
    match value:
        case int() if value >= 0 and not isinstance(value, bool):
            return hashlib.sha256(leb128.unsigned(value)).digest()
        case str():
            return hashlib.sha256(value.encode()).digest()
        case bytes() | bytearray() | memoryview():
            return hashlib.sha256(value).digest()
        case list() | tuple():
            return hashlib.sha256(b"".join(_hash_of_value(item) for item in value)).digest()
        case Mapping():
            return hash_of_map(value)
        case _:
            raise FormatError("The request holds a value that cannot be signed.")
