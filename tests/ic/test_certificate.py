from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from personal_ai.ic import cbor, hash_tree, leb128
from personal_ai.ic.certificate import Certificate, CertificateError
from personal_ai.ic.domains import STATE_ROOT
from personal_ai.ic.hash_tree import Absent, Found, Unknown
from personal_ai.ic.principal import Principal, self_authenticating
from personal_ai.ic.profile import IC_ROOT_KEY_DER
from personal_ai.ic.query_signatures import node_keys

GOLDEN = json.loads((Path(__file__).parent / "golden" / "mainnet-certificates.json").read_text())
NNS = Principal.from_text("tdb26-jop6k-aogll-7ltgs-eruif-6kk7m-qpktf-gdiqx-mxtrf-vb5e6-eqe")
UZR34 = Principal.from_text("uzr34-akd3s-xrdag-3ql62-ocgoh-ld2ao-tamcv-54e7j-krwgb-2gm4z-oqe")
O3OW2 = Principal.from_text("o3ow2-2ipam-6fcjo-3j5vt-fzbge-2g7my-5fz2m-p4o2t-dwlc4-gt2q7-5ae")
PAE4O = Principal.from_text("pae4o-o6dxf-xki7q-ezclx-znyd6-fnk6w-vkv5z-5lfwh-xym2i-otrrw-fqe")
CASES = [
    ("root_subnet", NNS, 1695844699412007908),
    ("subnet_uzr34_2025", UZR34, 1763597425871913552),
    ("subnet_o3ow2_2025", O3OW2, 1763597289536590252),
    ("subnet_pae4o_2023", PAE4O, 1695843538129082710),
]


def golden(name: str) -> bytes:
    return bytes.fromhex(GOLDEN[name])


# ---- mainnet's own certificates


@pytest.mark.parametrize(("name", "subnet", "time_ns"), CASES)
def test_mainnet_certificates_hold_under_the_pinned_key(name: str, subnet: Principal, time_ns: int) -> None:
    certificate = Certificate.verified(golden(name), IC_ROOT_KEY_DER, subnet_id=subnet, now_ns=time_ns)
    assert (certificate.subnet_id, certificate.time_ns) == (subnet, time_ns)


@pytest.mark.parametrize(("name", "subnet", "time_ns"), CASES)
def test_no_flipped_bit_of_a_mainnet_certificate_goes_unseen(name: str, subnet: Principal, time_ns: int) -> None:
    """A sample of bytes from everywhere, repeatable; each with one bit flipped."""
    data, chance = golden(name), random.Random(name)
    for place in chance.sample(range(3, len(data)), 60):  # the first three are CBOR's tag, which says nothing
        changed = bytearray(data)
        changed[place] ^= 1 << chance.randrange(8)
        with pytest.raises(CertificateError):
            Certificate.verified(bytes(changed), IC_ROOT_KEY_DER, subnet_id=subnet, now_ns=time_ns)


def test_the_root_key_is_that_of_mainnets_root_subnet() -> None:
    assert self_authenticating(IC_ROOT_KEY_DER) == NNS


def test_mainnets_nodes_are_read() -> None:
    certificate = Certificate.verified(
        golden("subnet_uzr34_2025"), IC_ROOT_KEY_DER, subnet_id=UZR34, now_ns=1763597425871913552
    )
    keys = node_keys(certificate)
    assert len(keys) > 10
    assert all(key.hex().startswith("302a300506032b6570032100") and len(key) == 44 for key in keys.values())
    assert all(self_authenticating(key).bytes == node for node, key in keys.items())


@pytest.mark.parametrize(
    ("canister", "inside"),
    [
        ("00000000003000000101", True),
        ("00000000003000010101", True),
        ("00000000003fffff0101", True),
        ("00000000002fffff0101", False),
        ("00000000004000000101", False),
    ],
)
def test_a_mainnet_subnet_speaks_for_its_canisters_only(canister: str, inside: bool) -> None:
    def verify() -> Certificate:
        canister_id, now_ns = Principal(bytes.fromhex(canister)), 1695843538129082710
        return Certificate.verified(
            golden("subnet_pae4o_2023"), IC_ROOT_KEY_DER, canister_id=canister_id, now_ns=now_ns
        )

    if inside:
        assert verify().subnet_id == PAE4O
    else:
        with pytest.raises(CertificateError, match="not on"):
            verify()


def test_another_networks_key_verifies_nothing(network: Any) -> None:
    for name, subnet, time_ns in CASES:
        with pytest.raises(CertificateError):
            Certificate.verified(golden(name), network.root.public_key_der, subnet_id=subnet, now_ns=time_ns)


def test_another_subnet_than_asked_is_refused() -> None:
    with pytest.raises(CertificateError, match="another subnet"):
        Certificate.verified(golden("subnet_uzr34_2025"), IC_ROOT_KEY_DER, subnet_id=O3OW2, now_ns=1763597425871913552)


# ---- certificates of a network in memory


@pytest.fixture
def verify(canister: Principal) -> Callable[..., Certificate]:
    def _verify(network: Any, paths: Any = (), data: bytes | None = None, **more: Any) -> Certificate:
        about = more if {"canister_id", "subnet_id"} & more.keys() else {"canister_id": canister, **more}
        return Certificate.verified(
            network.certificate(list(paths)) if data is None else data,
            network.root.public_key_der,
            **{"now_ns": network.now_ns, **about},
        )

    return _verify


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize("sharded", [False, True])
def test_values_are_looked_up(new_network: Any, verify: Any, delegated: bool, sharded: bool) -> None:
    network = new_network(delegated=delegated, ranges_sharded=sharded, state={b"x": {b"a": b"1", b"b": b"2"}})
    certificate = verify(network, [(b"x", b"a"), (b"x", b"c")])
    assert certificate.subnet_id == network.subnet_id
    assert certificate.lookup((b"x", b"a")) == Found(b"1")
    assert certificate.lookup((b"x", b"c")) == Absent()
    assert certificate.lookup((b"request_status",)) == Unknown()
    assert certificate.value((b"x", b"a")) == b"1"
    assert certificate.value((b"x", b"c")) is None
    assert [label for label, _ in certificate.children((b"x",))] == [b"a", b"b"]
    assert certificate.children((b"y",)) == []
    with pytest.raises(CertificateError, match="leaves out"):
        certificate.value((b"x", b"b"))


@pytest.mark.parametrize("sharded", [False, True])
def test_a_subnet_speaks_for_its_ranges_only(new_network: Any, verify: Any, canister: Principal, sharded: bool) -> None:
    low, high = canister.bytes[:-3] + b"\x00\x01\x01", canister.bytes[:-3] + b"\xff\x01\x01"
    network = new_network(delegated=True, ranges_sharded=sharded, ranges=[[low, low], [canister.bytes, high]])
    verify(network)
    verify(network, canister_id=Principal(low))
    for outside in (bytes(10), low[:-3] + b"\x01\x01\x01", high + b"\x00"):
        with pytest.raises(CertificateError, match="not on"):
            verify(network, canister_id=Principal(outside))
    verify(network, subnet_id=network.subnet_id)


def test_a_shard_further_on_does_not_count(new_network: Any, verify: Any, canister: Principal) -> None:
    """The shard is chosen by its label; ranges are believed only where they belong."""
    network = new_network(delegated=True, ranges=[[canister.bytes, canister.bytes]])
    network.ranges = [[b"\xff" * 10, b"\xff" * 10], [canister.bytes, canister.bytes]]
    with pytest.raises(CertificateError, match="not on"):
        verify(network)


def test_a_delegation_of_another_network_is_refused(new_network: Any, verify: Any) -> None:
    network = new_network(delegated=True)
    other = type(network.root)(b"another root")
    network.delegation = lambda: _signed(other, {b"time": b"\x01", b"subnet": {}})
    with pytest.raises(CertificateError, match="does not hold"):
        verify(network)


def _signed(key: Any, tree: dict[bytes, Any], **more: Any) -> bytes:
    built = hash_tree.build(tree)
    signature = key.sign(STATE_ROOT + hash_tree.root_hash(built))
    return cbor.encode({"tree": built, "signature": signature, **more})


def test_a_delegation_is_not_delegated_again(new_network: Any, verify: Any) -> None:
    network = new_network(delegated=True)
    inner = network.delegation()
    network.delegation = lambda: _signed(
        network.root, {b"time": b"\x01"}, delegation={"subnet_id": network.subnet_id.bytes, "certificate": inner}
    )
    with pytest.raises(CertificateError, match="delegated again"):
        verify(network)


def test_a_delegation_names_the_subnets_key(new_network: Any, verify: Any) -> None:
    network = new_network(delegated=True)
    network.delegation = lambda: _signed(network.root, {b"subnet": {}})
    with pytest.raises(CertificateError, match="names no key"):
        verify(network, subnet_id=network.subnet_id)


def test_a_certificate_signed_by_the_wrong_key_is_refused(new_network: Any, verify: Any) -> None:
    network = new_network(delegated=True)
    network.subnet.sign = network.root.sign
    with pytest.raises(CertificateError, match="does not hold"):
        verify(network)


@pytest.mark.parametrize("seconds", [-301, 301, 10**6])
def test_old_and_future_certificates_are_refused(network: Any, verify: Any, seconds: int) -> None:
    with pytest.raises(CertificateError, match="seconds") as raised:
        verify(network, now_ns=network.now_ns + seconds * 10**9)
    assert "clock" in str(raised.value) or "time and date" in str(raised.value)
    verify(network, now_ns=network.now_ns + seconds * 10**9, max_age_s=2e6)


def test_a_certificate_says_its_time(network: Any, verify: Any) -> None:
    with pytest.raises(CertificateError, match="time"):
        verify(network, data=_signed(network.root, {b"x": b"1"}))
    with pytest.raises(CertificateError, match="malformed"):
        verify(network, data=_signed(network.root, {b"time": b"\x80"}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        cbor.encode(1),
        cbor.encode({}),
        cbor.encode({"tree": [0], "signature": "text"}),
        cbor.encode({"tree": [9], "signature": b""}),
        cbor.encode({"tree": [0], "signature": b"", "delegation": 1}),
        cbor.encode({"tree": [0], "signature": b"", "delegation": {"subnet_id": bytes(30), "certificate": b""}}),
        cbor.encode({"tree": [0], "signature": b"", "delegation": {"subnet_id": b"", "certificate": b""}}),
        cbor.encode({"tree": [0], "signature": b"", "more": b""}),
        b"\x81" * 100_000,
    ],
)
def test_malformed_certificates_are_a_security_error(network: Any, verify: Any, data: bytes) -> None:
    with pytest.raises(CertificateError):
        verify(network, data=data)


@pytest.mark.parametrize("ranges", [1, [1], [[b"a"]], [[b"a", 1]]])
def test_malformed_ranges_are_refused(new_network: Any, verify: Any, ranges: Any) -> None:
    network = new_network(delegated=True)
    tree = {
        b"canister_ranges": {network.subnet_id.bytes: {b"": cbor.encode(ranges)}},
        b"time": leb128.unsigned(network.now_ns),
    }
    network.delegation = lambda: _signed(network.root, tree)
    with pytest.raises(CertificateError, match="malformed"):
        verify(network)


def test_a_certificate_is_about_a_canister_or_a_subnet(network: Any) -> None:
    with pytest.raises(TypeError):
        Certificate.verified(b"", network.root.public_key_der, now_ns=0)
