"""What a 2 MB blob costs the agent on its way out and back: `python -m tests.benchmarks.blobs [--json]`.

Out: Candid, CBOR, request id and signature of an update with the blob as argument. Back: CBOR, certificate with all
its checks, and Candid of a reply that holds it. Both in milliseconds (the fastest of REPEATS) and as multiples of what
SHA-256 takes over the same bytes here, which the protocol cannot do without: out needs three of them, back two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

from personal_ai.ic import bls, candid, cbor, hash_tree, leb128
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Blob
from personal_ai.ic.certificate import Certificate
from personal_ai.ic.domains import STATE_ROOT
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import practice

BLOB_BYTES = 2_000_000
REPEATS = 7
_CANISTER = Principal(b"\x00" * 7 + b"\x01\x01\x01")
_TIME_NS = 1_800_000_000 * 10**9


@dataclass(frozen=True)
class Costs:
    """Milliseconds; `_hashes`: the same as multiples of one SHA-256 over the blob."""

    blob_bytes: int
    sha256_ms: float
    out_ms: float
    back_ms: float
    out_hashes: float
    back_hashes: float


def measure() -> Costs:
    """Measures on this machine as it is."""
    root, blob = bls.SigningKey(b"root"), os.urandom(BLOB_BYTES)
    agent = Agent(practice("http://127.0.0.1:1", root.public_key_der), Ed25519Identity(b"\x01" * 32))
    body = _reply(root, blob)

    def out() -> None:
        agent.sign_update(_CANISTER, "store", candid.encode([Blob], [blob]))

    def back() -> None:
        fields = cbor.decode(body)
        assert isinstance(fields, dict)
        certificate = Certificate.verified(
            fields["certificate"], root.public_key_der, canister_id=_CANISTER, now_ns=_TIME_NS
        )
        reply = certificate.value((b"request_status", b"r" * 32, b"reply"))
        assert reply is not None and candid.decode([Blob], reply)[0] == blob

    sha256_ms, out_ms, back_ms = (_fastest_ms(action) for action in (lambda: hashlib.sha256(blob).digest(), out, back))
    agent.close()
    return Costs(BLOB_BYTES, sha256_ms, out_ms, back_ms, out_ms / sha256_ms, back_ms / sha256_ms)


def _reply(root: bls.SigningKey, blob: bytes) -> bytes:
    """The body of an answer whose certificate holds the blob as the reply to a call."""
    status = {b"status": b"replied", b"reply": candid.encode([Blob], [blob])}
    tree = hash_tree.build({b"time": leb128.unsigned(_TIME_NS), b"request_status": {b"r" * 32: status}})
    signature = root.sign(STATE_ROOT + hash_tree.root_hash(tree))
    return cbor.encode({"status": "replied", "certificate": cbor.encode({"tree": tree, "signature": signature})})


def _fastest_ms(action: Callable[[], object]) -> float:
    times_s = []
    for _ in range(REPEATS):
        started_s = time.perf_counter()
        action()
        times_s.append(time.perf_counter() - started_s)
    return round(min(times_s) * 1000, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    costs = measure()
    print(json.dumps(asdict(costs)) if parser.parse_args().json else costs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
