"""Certificates of the network's own state, checked by the client's own checks."""

from __future__ import annotations

from itertools import pairwise

import pytest

from personal_ai.ic import cbor
from personal_ai.ic.certificate import Certificate, CertificateError
from personal_ai.ic.hash_tree import Absent, Found, Path, Unknown
from personal_ai.ic.leb128 import unsigned
from personal_ai.replica.canisters import CANISTER_RANGES
from personal_ai.replica.state_tree import CanisterView
from tests.replica.network.inside import NOW_NS, Inside

CANISTER = CANISTER_RANGES[1][0]


def shown(inside: Inside, *paths: Path, now_ns: int = NOW_NS) -> Certificate:
    root_key_der = inside.network_keys.root.public_key_der
    data = inside.tree.certificate(paths)
    return Certificate.verified(data, root_key_der, canister_id=CANISTER, now_ns=now_ns)


def test_the_time_is_always_shown_and_nothing_else(inside: Inside) -> None:
    inside.tree.set_request(b"r" * 32, {"status": b"replied", "reply": b"secret"})
    certificate = shown(inside)
    assert certificate.time_ns == NOW_NS
    assert certificate.subnet_id == inside.network_keys.subnet_id
    for path in ((b"request_status", b"r" * 32, b"reply"), (b"subnet",), (b"canister", CANISTER.bytes, b"controllers")):
        assert certificate.lookup(path) == Unknown()


def test_a_canister_with_all_that_it_shows(inside: Inside) -> None:
    view = CanisterView((b"\1", b"\2"), b"data", 5, b"h" * 32, 7, {"a": b"A", "b": b"B"})
    inside.tree.set_canister(CANISTER.bytes, view)
    base = (b"canister", CANISTER.bytes)
    names = (b"controllers", b"module_hash", b"canister_creation_timestamp", b"last_install_timestamp")
    certificate = shown(inside, *((*base, name) for name in names), (*base, b"metadata", b"b"))
    values = [certificate.lookup((*base, name)) for name in names]
    assert values == [Found(cbor.encode([b"\1", b"\2"])), Found(b"h" * 32), Found(unsigned(5)), Found(unsigned(7))]
    assert certificate.lookup((*base, b"metadata", b"b")) == Found(b"B")
    assert certificate.lookup((*base, b"metadata", b"a")) == Unknown()
    assert certificate.lookup((*base, b"certified_data")) == Unknown()


def test_an_empty_canister_and_one_that_is_gone(inside: Inside) -> None:
    inside.tree.set_canister(CANISTER.bytes, CanisterView((), b"", 5))
    path = (b"canister", CANISTER.bytes, b"module_hash")
    assert shown(inside, path).lookup(path) == Absent()
    inside.tree.set_canister(CANISTER.bytes, None)
    assert shown(inside, path).lookup(path) == Absent()
    assert shown(inside, path).lookup(path[:2]) == Absent()


def test_the_subnet_in_both_forms_of_ranges(inside: Inside) -> None:
    subnet_id = inside.network_keys.subnet_id.bytes
    node = inside.network_keys.node
    certificate = shown(inside, (b"subnet",), (b"canister_ranges", subnet_id))
    ranges = Found(cbor.encode([[first.bytes, last.bytes] for first, last in CANISTER_RANGES]))
    assert certificate.lookup((b"subnet", subnet_id, b"canister_ranges")) == ranges
    assert certificate.lookup((b"canister_ranges", subnet_id, CANISTER_RANGES[0][0].bytes)) == ranges
    assert certificate.lookup((b"subnet", subnet_id, b"type")) == Found(b"application")
    key_path = (b"subnet", subnet_id, b"node", node.principal.bytes, b"public_key")
    assert certificate.lookup(key_path) == Found(node.public_key_der or b"")
    assert certificate.lookup((b"api_boundary_nodes",)) == Absent()


def test_a_changed_byte_is_found(inside: Inside) -> None:
    data = inside.tree.certificate([(b"subnet",)])
    root_key_der = inside.network_keys.root.public_key_der
    for position in range(10, len(data), 23):
        forged = data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
        with pytest.raises(CertificateError):
            Certificate.verified(forged, root_key_der, canister_id=CANISTER, now_ns=NOW_NS)


def test_ranges_hold_the_canisters_with_money_and_canisters_to_come(inside: Inside) -> None:
    held = {first for first, last in CANISTER_RANGES if first == last}
    assert held == inside.treasury.destinations.keys()
    assert all(first <= last for first, last in CANISTER_RANGES)
    assert all(before[1] < after[0] for before, after in pairwise(CANISTER_RANGES))
