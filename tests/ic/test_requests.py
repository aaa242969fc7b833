from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.ic import cbor, requests
from personal_ai.ic.domains import REQUEST
from personal_ai.ic.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Delegation,
    Ed25519Identity,
    SignedDelegation,
    verify_signature,
)
from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.request_id import request_id
from personal_ai.ic.requests import SignedUpdate

NOW_NS = 1_790_000_000 * 10**9
IDENTITY = Ed25519Identity(b"\x01" * 32)
CANISTER = Principal(b"\x05\x01\x01")


def signed_update() -> SignedUpdate:
    content = requests.call_content(MANAGEMENT, "install_code", b"DIDL\x00\x00")
    return SignedUpdate.from_envelope(requests.sign(content, IDENTITY, NOW_NS).envelope, CANISTER)


def envelope_of(identity: Any, content: dict[str, object]) -> dict[str, Any]:
    signed = requests.sign(content, identity, NOW_NS)
    envelope: Any = cbor.decode(signed.envelope)
    assert request_id(envelope["content"]) == signed.request_id
    assert isinstance(envelope, dict)
    return envelope


def test_two_equal_calls_have_two_ids() -> None:
    assert signed_update().request_id != signed_update().request_id


def test_a_request_is_signed_and_expires_in_four_minutes() -> None:
    envelope = envelope_of(IDENTITY, requests.query_content(CANISTER, "get", b"x"))
    content = envelope["content"]
    assert content["ingress_expiry"] == NOW_NS + 240 * 10**9
    assert len(content["nonce"]) == 16
    assert content["request_type"] == "query"
    assert verify_signature(envelope["sender_pubkey"], REQUEST + request_id(content), envelope["sender_sig"])
    assert "sender_delegation" not in envelope


def test_an_anonymous_request_has_no_signature() -> None:
    assert envelope_of(AnonymousIdentity(), requests.read_state_content([(b"time",)])).keys() == {"content"}


def test_a_delegated_request_carries_its_chain() -> None:
    assert IDENTITY.public_key_der is not None
    session = Ed25519Identity(b"\x02" * 32)
    delegation = Delegation(session.public_key_der or b"", NOW_NS + 1)
    link = SignedDelegation(delegation, IDENTITY.sign(delegation.message))
    envelope = envelope_of(DelegatedIdentity(session, IDENTITY.public_key_der, (link,)), {"request_type": "query"})
    assert [SignedDelegation.from_wire(one) for one in envelope["sender_delegation"]] == [link]
    assert envelope["sender_pubkey"] == IDENTITY.public_key_der
    assert envelope["content"]["sender"] == IDENTITY.principal.bytes
    message = REQUEST + request_id(envelope["content"])
    assert verify_signature(session.public_key_der or b"", message, envelope["sender_sig"])


def test_a_kept_update_is_the_same_update() -> None:
    signed = signed_update()
    assert SignedUpdate.from_bytes(signed.to_bytes()) == signed
    assert (signed.sender, signed.canister_id, signed.effective_id) == (IDENTITY.principal, MANAGEMENT, CANISTER)
    assert (signed.method, signed.ingress_expiry_ns) == ("install_code", NOW_NS + 240 * 10**9)


def test_a_kept_update_holds_no_key() -> None:
    assert b"\x01" * 32 not in signed_update().to_bytes()


def test_another_version_is_refused() -> None:
    with pytest.raises(UnknownVersionError, match="2"):
        SignedUpdate.from_bytes(cbor.encode({"version": 2, "what": b""}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        cbor.encode({}),
        cbor.encode({"version": 1}),
        cbor.encode({"version": 1, "effective_id": b"", "envelope": b""}),
        cbor.encode({"version": 1, "effective_id": b"", "envelope": cbor.encode({"content": {}})}),
    ],
)
def test_what_is_no_kept_update_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        SignedUpdate.from_bytes(data)


@given(st.data())
def test_a_damaged_update_never_passes_for_the_same_one(data: st.DataObject) -> None:
    signed = signed_update()
    kept = bytearray(signed.to_bytes())
    kept[data.draw(st.integers(0, len(kept) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(FormatError):
        assert SignedUpdate.from_bytes(bytes(kept)) != signed


def test_an_envelope_with_fields_that_have_no_hash_is_refused() -> None:
    envelope: Any = cbor.decode(signed_update().envelope)
    envelope["content"]["more"] = True
    with pytest.raises(FormatError):
        SignedUpdate.from_envelope(cbor.encode(envelope), CANISTER)
