"""Mainnet's own certificates, and forgeries of them: `python -m tests.conformance.certificates [--all] [--json]`.

Genuine are the certificates in tests/ic/golden, each as one of its subnet and, where it shows ranges of canisters, as
one for a canister in them. Forged are the same with one bit flipped (every STRIDE-th bit from everywhere; with
--all every single bit, which takes half an hour), with a time that is too old or ahead, for a canister or a subnet
that it is not about, under another root key, and with its delegation taken away, exchanged, or delegated again.

The answer is {accepted_genuine, genuine, accepted_forged, forged}: all of the first, none of the second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from personal_ai.ic import bls, cbor, hash_tree, leb128
from personal_ai.ic.certificate import DEFAULT_MAX_AGE_S, Certificate, CertificateError
from personal_ai.ic.hash_tree import Found
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import IC_ROOT_KEY_DER

GOLDEN = Path(__file__).parent.parent / "ic" / "golden" / "mainnet-certificates.json"
STRIDE = 61
_TOO_LATE_NS = round(DEFAULT_MAX_AGE_S * 10**9) + 1
_OPAQUE_END = b"\x01\x01"


@dataclass(frozen=True)
class Claim:
    """A certificate, and what it is taken for."""

    data: bytes
    now_ns: int
    canister_id: Principal | None = None
    subnet_id: Principal | None = None
    root_key_der: bytes = IC_ROOT_KEY_DER

    def accepted(self) -> bool:
        """Whether the program believes it; anything but CertificateError is a bug and is not caught."""
        try:
            Certificate.verified(
                self.data, self.root_key_der, canister_id=self.canister_id, subnet_id=self.subnet_id, now_ns=self.now_ns
            )
        except CertificateError:
            return False
        return True


@dataclass(frozen=True)
class Mainnet:
    """A certificate of mainnet's and what it says. `inside`: a canister of its subnet, where it tells one."""

    data: bytes
    fields: dict[str, Any]
    time_ns: int
    subnet_id: Principal
    inside: Principal | None

    @classmethod
    def read(cls, data: bytes) -> Mainnet:
        fields: Any = cbor.decode(data)
        found = hash_tree.lookup(hash_tree.parse(fields["tree"]), (b"time",))
        assert isinstance(found, Found)
        time_ns = leb128.read_unsigned(found.value)
        delegation = fields.get("delegation")
        if delegation is None:
            from_root = Certificate.verified(data, IC_ROOT_KEY_DER, canister_id=Principal(b""), now_ns=time_ns)
            return cls(data, fields, time_ns, from_root.subnet_id, None)
        subnet_id = Principal(delegation["subnet_id"])
        return cls(data, fields, time_ns, subnet_id, _first_canister(delegation["certificate"], subnet_id))

    def as_subnets(self) -> Claim:
        return Claim(self.data, self.time_ns, subnet_id=self.subnet_id)

    def with_fields(self, **changes: object) -> Claim:
        """The same with parts exchanged; None takes one away."""
        fields = {name: value for name, value in {**self.fields, **changes}.items() if value is not None}
        return Claim(cbor.encode(fields), self.time_ns, subnet_id=self.subnet_id)


def _first_canister(root_certificate: bytes, subnet_id: Principal) -> Principal | None:
    """The first id in the ranges that the root gives a subnet, whichever way it lists them; None if it hides them."""
    fields: Any = cbor.decode(root_certificate)
    tree = hash_tree.parse(fields["tree"])
    shards = hash_tree.subtree(tree, (b"canister_ranges", subnet_id.bytes))
    if isinstance(shards, tuple):
        ranges = [hash_tree.lookup(shard, ()) for _, shard in hash_tree.children(shards)]
    else:
        ranges = [hash_tree.lookup(tree, (b"subnet", subnet_id.bytes, b"canister_ranges"))]
    listed: list[Any] = [cbor.decode(one.value) for one in ranges if isinstance(one, Found)]
    return Principal(listed[0][0][0]) if listed else None


def certificates() -> list[Mainnet]:
    """All golden certificates."""
    texts = json.loads(GOLDEN.read_text())
    return [Mainnet.read(bytes.fromhex(text)) for name, text in texts.items() if name != "note"]


def genuine(all_of_them: Sequence[Mainnet]) -> Iterator[Claim]:
    """What must be believed."""
    for one in all_of_them:
        yield one.as_subnets()
        if one.inside is not None:
            yield Claim(one.data, one.time_ns, canister_id=one.inside)


def forged(all_of_them: Sequence[Mainnet], stride: int) -> Iterator[Claim]:
    """What must not be believed."""
    for one in all_of_them:
        yield from _misused(one, all_of_them)
        for bit in range(0, 8 * len(one.data), stride):
            changed = bytearray(one.data)
            changed[bit // 8] ^= 1 << bit % 8
            yield Claim(bytes(changed), one.time_ns, subnet_id=one.subnet_id)


def _misused(one: Mainnet, all_of_them: Sequence[Mainnet]) -> Iterator[Claim]:
    for offset_ns in (_TOO_LATE_NS, -_TOO_LATE_NS, 10**17):
        yield Claim(one.data, one.time_ns + offset_ns, subnet_id=one.subnet_id)
    other_key = bls.SigningKey(b"somebody else").public_key_der
    yield Claim(one.data, one.time_ns, subnet_id=one.subnet_id, root_key_der=other_key)
    others = [other for other in all_of_them if other.subnet_id != one.subnet_id]
    for other in others:
        yield Claim(one.data, one.time_ns, subnet_id=other.subnet_id)
        yield one.with_fields(signature=other.fields["signature"])
        yield one.with_fields(tree=other.fields["tree"])
        yield one.with_fields(delegation=other.fields.get("delegation"))
    if one.inside is None:
        return
    for outside in (*(other.inside for other in others), Principal(b"\xff" * 8 + _OPAQUE_END), Principal(b"\x04")):
        if outside is not None:
            yield Claim(one.data, one.time_ns, canister_id=outside)
    for other in all_of_them:  # delegated, and delegated again
        if other.inside is not None:
            yield one.with_fields(delegation={**one.fields["delegation"], "certificate": other.data})


@dataclass(frozen=True)
class Outcome:
    """How many of each were believed."""

    accepted_genuine: int
    genuine: int
    accepted_forged: int
    forged: int


def measure(stride: int) -> Outcome:
    """Shows the program everything."""
    found = certificates()
    believed = [claim.accepted() for claim in genuine(found)]
    accepted = shown = 0
    for claim in forged(found, stride):
        shown += 1
        accepted += claim.accepted()
    return Outcome(sum(believed), len(believed), accepted, shown)


def main() -> int:
    """Exit code 0 where all genuine ones and no forged one were believed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="flip every single bit")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    outcome = measure(1 if arguments.all else STRIDE)
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if (outcome.accepted_genuine, outcome.accepted_forged) == (outcome.genuine, 0) else 1


if __name__ == "__main__":
    sys.exit(main())
