"""Envelopes: who may say what, until when, and by whose leave."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.ic import cbor, requests
from personal_ai.ic.domains import REQUEST
from personal_ai.ic.identity import (
    AnonymousIdentity,
    DelegatedIdentity,
    Delegation,
    Identity,
    Secp256k1Identity,
    SignedDelegation,
    public_key_to_der,
)
from personal_ai.ic.principal import Principal, self_authenticating
from personal_ai.ic.request_id import request_id
from personal_ai.replica.envelope import RequestRefusedError, open_call, open_read_state
from tests.replica.network.running import identity

NOW_NS = 1_800_000_000 * 10**9
MINUTE_NS = 60 * 10**9
CANISTER = Principal(b"\0\0\0\0\0\0\0\7\1\1")
OTHER = Principal(b"\0\0\0\0\0\0\0\x08\1\1")
SOMEBODY = identity("somebody")
CONTENT = requests.call_content(CANISTER, "method", b"argument")


class P256Identity:
    """The third kind of key that the network takes; browsers have it."""

    delegations = ()

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.public_key_der = public_key_to_der(self._key.public_key())
        self.principal = self_authenticating(self.public_key_der)

    def sign(self, message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(self._key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def envelope(who: Identity = SOMEBODY, **content: object) -> dict[str, Any]:
    """A good call, signed after `content` has been changed."""
    full = {"sender": who.principal.bytes, "ingress_expiry": NOW_NS + MINUTE_NS, "nonce": b"n", **CONTENT, **content}
    full = {name: value for name, value in full.items() if value is not None}
    signed: dict[str, Any] = {"content": full}
    if who.public_key_der is not None:
        signed |= {"sender_pubkey": who.public_key_der, "sender_sig": who.sign(REQUEST + request_id(full))}
    if who.delegations:
        signed["sender_delegation"] = [link.to_wire() for link in who.delegations]
    return signed


def opened(fields: dict[str, Any]) -> Any:
    return open_call(cbor.encode(fields), "call", NOW_NS)


@pytest.mark.parametrize(
    "who",
    [SOMEBODY, Secp256k1Identity(b"\7" * 32), P256Identity(), AnonymousIdentity()],
    ids=lambda one: type(one).__name__,
)
def test_all_kinds_of_senders(who: Identity) -> None:
    fields = envelope(who)
    call = opened(fields)
    assert (call.sender, call.canister_id, call.method, call.arg) == (who.principal, CANISTER, "method", b"argument")
    assert call.request_id == request_id(fields["content"])
    assert call.size_bytes == len(b"method") + len(b"argument") + len(b"n")


def test_other_bytes_of_the_same_map_are_the_same_request() -> None:
    fields = envelope()
    turned = {**fields, "content": dict(reversed(fields["content"].items()))}
    assert opened(turned) == opened(fields)


@pytest.mark.parametrize("ahead_ns", [-1, 5 * MINUTE_NS + 30 * 10**9 + 1, 2**63])
def test_expiry_must_be_near(ahead_ns: int) -> None:
    with pytest.raises(RequestRefusedError, match="ingress_expiry"):
        opened(envelope(ingress_expiry=NOW_NS + ahead_ns))


@pytest.mark.parametrize("ahead_ns", [0, 5 * MINUTE_NS + 30 * 10**9])
def test_expiry_at_the_edges(ahead_ns: int) -> None:
    assert opened(envelope(ingress_expiry=NOW_NS + ahead_ns)).ingress_expiry_ns == NOW_NS + ahead_ns


def test_nobodys_queries_never_expire() -> None:
    body = cbor.encode(envelope(AnonymousIdentity(), request_type="query", ingress_expiry=1))
    assert open_call(body, "query", NOW_NS).ingress_expiry_ns == 1
    with pytest.raises(RequestRefusedError, match="ingress_expiry"):
        open_call(cbor.encode(envelope(request_type="query", ingress_expiry=1)), "query", NOW_NS)


def changed(**fields: object) -> Callable[[], dict[str, Any]]:
    """A good envelope with top fields replaced, or left out where None."""

    def make() -> dict[str, Any]:
        return {name: value for name, value in {**envelope(), **fields}.items() if value is not None}

    return make


REFUSED: dict[str, Callable[[], dict[str, Any]]] = {
    "no signature": changed(sender_sig=None),
    "no key": changed(sender_pubkey=None),
    "another signature": lambda: {**envelope(), "sender_sig": envelope(nonce=b"o")["sender_sig"]},
    "another key": changed(sender_pubkey=identity("else").public_key_der),
    "key of no kind": changed(sender_pubkey=b"\x30\x00"),
    "short signature": changed(sender_sig=b"x"),
    "signed but anonymous": lambda: envelope(sender=b"\x04"),
    "other request type": lambda: envelope(request_type="query"),
    "long nonce": lambda: envelope(nonce=bytes(33)),
    "nonce of text": lambda: envelope(nonce="n"),
    "no arg": lambda: envelope(arg=None),
    "arg of text": lambda: envelope(arg="x"),
    "no canister": lambda: envelope(canister_id=None),
    "long canister": lambda: envelope(canister_id=bytes(30)),
    "no expiry": lambda: envelope(ingress_expiry=None),
    "expiry of text": lambda: envelope(ingress_expiry="soon"),
    "unknown field": lambda: envelope(extra=1),
    "sender info": lambda: envelope(sender_info={"info": b"", "signer": b"", "sig": b""}),
    "unknown part": lambda: {**envelope(), "extra": 1},
    "no content": changed(content=None),
    "content of text": changed(content="x"),
    "delegation of nothing": changed(sender_delegation=[{}]),
    "delegation of text": changed(sender_delegation="x"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(RequestRefusedError):
        opened(REFUSED[name]())


def chain(count: int, **of_last: Any) -> DelegatedIdentity:
    """An identity at the end of `count` delegations; `of_last`: fields of the last."""
    keys = [identity(f"link {index}") for index in range(count + 1)]
    links = []
    for index, (signer, key) in enumerate(itertools.pairwise(keys)):
        fields = of_last if index == count - 1 else {}
        delegation = Delegation(key.public_key_der or b"", **{"expiration_ns": NOW_NS + MINUTE_NS, **fields})
        links.append(SignedDelegation(delegation, signer.sign(delegation.message)))
    return DelegatedIdentity(keys[-1], keys[0].public_key_der or b"", tuple(links))


@pytest.mark.parametrize(
    "who", [chain(1), chain(20), chain(2, targets=(OTHER, CANISTER)), chain(1, permissions="all")], ids=str
)
def test_delegations(who: DelegatedIdentity) -> None:
    call = opened(envelope(who))
    assert call.sender == identity("link 0").principal


@pytest.mark.parametrize(
    ("who", "reason"),
    [
        (chain(2, targets=(OTHER,)), "does not allow requests"),
        (chain(1, targets=()), "does not allow requests"),
        (chain(1, expiration_ns=NOW_NS - 1), "expired"),
        (chain(1, permissions="queries"), "queries only"),
    ],
    ids=["targets", "no targets", "expired", "queries"],
)
def test_delegations_that_do_not_reach(who: DelegatedIdentity, reason: str) -> None:
    with pytest.raises(RequestRefusedError, match=reason):
        opened(envelope(who))


def test_delegations_for_queries_allow_queries() -> None:
    body = cbor.encode(envelope(chain(1, permissions="queries"), request_type="query"))
    assert open_call(body, "query", NOW_NS).sender == identity("link 0").principal


def test_chains_are_short_and_without_cycles_and_signed_link_by_link() -> None:
    fields = envelope(chain(20))
    link = fields["sender_delegation"][0]
    with pytest.raises(RequestRefusedError, match="at most 20"):
        opened({**fields, "sender_delegation": [*fields["sender_delegation"], link]})
    fields = envelope(chain(2))
    first, second = fields["sender_delegation"]
    with pytest.raises(RequestRefusedError, match="cycle"):
        opened({**fields, "sender_delegation": [first, second, first]})
    with pytest.raises(RequestRefusedError, match="signature"):
        opened({**fields, "sender_delegation": [{**first, "signature": second["signature"]}, second]})
    with pytest.raises(RequestRefusedError, match="signature"):
        opened({**fields, "sender_delegation": [first]})


def read_state(paths: object) -> Any:
    content = {"request_type": "read_state", "paths": paths, "sender": b"\x04", "ingress_expiry": 1}
    return open_read_state(cbor.encode({"content": content}), NOW_NS)


def test_read_state_has_bounds() -> None:
    assert read_state([[b"time"], []]).paths == ((b"time",), ())
    assert len(read_state([[b"x"] * 127] * 1000).paths) == 1000
    for paths in ([[b"x"]] * 1001, [[b"x"] * 128], [["time"]], [b"time"], b"time", None):
        with pytest.raises(RequestRefusedError):
            read_state(paths)


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(body: bytes) -> None:
    for attempt in (lambda: open_call(body, "call"), lambda: open_call(body, "query"), lambda: open_read_state(body)):
        with pytest.raises(RequestRefusedError):
            attempt()


def test_the_clock_is_asked_where_no_time_is_given() -> None:
    fields = envelope(ingress_expiry=time.time_ns() + MINUTE_NS)
    assert open_call(cbor.encode(fields), "call").method == "method"
