from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError, SecurityError
from personal_ai.ic.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Delegation,
    Ed25519Identity,
    Secp256k1Identity,
    SignedDelegation,
    public_key_to_der,
    verify_delegation_chain,
    verify_signature,
)
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, self_authenticating

SECRET = bytes(range(1, 33))
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
IDENTITIES: list[Secp256k1Identity | Ed25519Identity] = [Secp256k1Identity(SECRET), Ed25519Identity(SECRET)]


@pytest.mark.parametrize("identity", IDENTITIES)
def test_signatures_hold_on_their_message_only(identity: Secp256k1Identity | Ed25519Identity) -> None:
    assert identity.public_key_der is not None
    signature = identity.sign(b"message")
    assert len(signature) == 64
    assert verify_signature(identity.public_key_der, b"message", signature)
    assert not verify_signature(identity.public_key_der, b"another", signature)
    assert not verify_signature(identity.public_key_der, b"message", signature[:-1])
    assert identity.principal == self_authenticating(identity.public_key_der)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_nothing_secret_is_shown(identity: Secp256k1Identity | Ed25519Identity) -> None:
    shown = repr(identity) + str(identity) + str(vars(identity))
    assert SECRET.hex() not in shown
    assert str(int.from_bytes(SECRET, "big")) not in shown
    assert str(identity.principal) in repr(identity)


def test_der_forms() -> None:
    secp256k1, ed25519 = (identity.public_key_der for identity in IDENTITIES)
    assert secp256k1 is not None
    assert ed25519 is not None
    assert secp256k1.hex().startswith("3056301006072a8648ce3d020106052b8104000a034200" + "04")
    assert ed25519.hex().startswith("302a300506032b6570032100")


@given(st.binary())
def test_secp256k1_signatures_have_the_smaller_s(message: bytes) -> None:
    assert int.from_bytes(IDENTITIES[0].sign(message)[32:], "big") <= ORDER // 2


@pytest.mark.parametrize("secret", [b"", bytes(32), b"\x01" * 31, b"\xff" * 32, ORDER.to_bytes(32, "big")])
def test_numbers_that_are_no_secp256k1_key(secret: bytes) -> None:
    with pytest.raises(FormatError):
        Secp256k1Identity(secret)


def test_an_ed25519_key_has_32_bytes() -> None:
    with pytest.raises(FormatError):
        Ed25519Identity(b"\x01" * 33)


def test_p256_signatures_of_other_clients_are_checked() -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = utils.decode_dss_signature(key.sign(b"message", ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    assert verify_signature(public_key_to_der(key.public_key()), b"message", signature)
    assert not verify_signature(public_key_to_der(key.public_key()), b"messagE", signature)


def test_other_keys_and_curves_sign_nothing() -> None:
    signature = IDENTITIES[0].sign(b"message")
    assert not verify_signature(public_key_to_der(ec.generate_private_key(ec.SECP384R1()).public_key()), b"", signature)
    other = rsa.generate_private_key(65537, 2048).public_key()
    assert not verify_signature(public_key_to_der(other), b"message", signature)  # type: ignore[arg-type]


@given(st.binary(max_size=300), st.binary(min_size=64, max_size=64))
def test_hostile_keys_and_signatures_are_refused(key: bytes, signature: bytes) -> None:
    assert not verify_signature(key, b"message", signature)
    assert not verify_signature(IDENTITIES[0].public_key_der or b"", b"message", signature)


def test_the_anonymous_identity_signs_nothing() -> None:
    anonymous = AnonymousIdentity()
    assert (anonymous.principal, anonymous.public_key_der) == (ANONYMOUS, None)
    with pytest.raises(TypeError):
        anonymous.sign(b"message")


def _link(above: Ed25519Identity, below: Ed25519Identity, **more: object) -> SignedDelegation:
    assert below.public_key_der is not None
    delegation = Delegation(below.public_key_der, 10**18, **more)  # type: ignore[arg-type]
    return SignedDelegation(delegation, above.sign(delegation.message))


ROOT, MIDDLE, SESSION = (Ed25519Identity(bytes([number]) * 32) for number in (1, 2, 3))


def test_a_chain_of_delegations_acts_for_its_root() -> None:
    chain = (_link(ROOT, MIDDLE), _link(MIDDLE, SESSION, targets=(MANAGEMENT,), permissions="all"))
    assert ROOT.public_key_der is not None
    identity = DelegatedIdentity(SESSION, ROOT.public_key_der, chain)
    assert identity.principal == ROOT.principal
    assert identity.delegations == chain
    assert verify_signature(SESSION.public_key_der or b"", b"message", identity.sign(b"message"))
    assert [SignedDelegation.from_wire(link.to_wire()) for link in chain] == list(chain)
    assert verify_delegation_chain(ROOT.public_key_der, chain) == SESSION.public_key_der


@pytest.mark.parametrize(
    "chain",
    [
        (),
        (_link(ROOT, MIDDLE),),  # ends elsewhere
        (_link(MIDDLE, SESSION),),  # starts elsewhere
        (_link(ROOT, MIDDLE), _link(ROOT, SESSION)),  # a link signed by the wrong key
        (SignedDelegation(_link(ROOT, SESSION).delegation, bytes(64)),),
        (_link(ROOT, ROOT),) * 20 + (_link(ROOT, SESSION),),  # too long
    ],
)
def test_broken_chains_are_refused(chain: tuple[SignedDelegation, ...]) -> None:
    with pytest.raises(SecurityError):
        DelegatedIdentity(SESSION, ROOT.public_key_der or b"", chain)


def test_what_a_delegation_allows_is_signed() -> None:
    link = _link(ROOT, SESSION, targets=(MANAGEMENT,))
    wider = SignedDelegation(Delegation(link.delegation.public_key_der, 10**18), link.signature)
    with pytest.raises(SecurityError):
        verify_delegation_chain(ROOT.public_key_der or b"", (wider,))


@pytest.mark.parametrize(
    "wire",
    [
        None,
        {},
        {"delegation": {"pubkey": b"", "expiration": "soon"}, "signature": b""},
        {"delegation": {"pubkey": b"", "expiration": 1, "targets": [1]}, "signature": b""},
        {"delegation": {"pubkey": b"", "expiration": 1, "targets": [b""] * 1001}, "signature": b""},
        {"delegation": {"pubkey": b"", "expiration": 1, "targets": [bytes(30)]}, "signature": b""},
        {"delegation": {"pubkey": b"", "expiration": 1, "permissions": "some"}, "signature": b""},
    ],
)
def test_malformed_delegations_are_refused(wire: object) -> None:
    with pytest.raises(FormatError):
        SignedDelegation.from_wire(wire)
