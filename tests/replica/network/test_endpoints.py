"""What happens when things do not go as usual: a full disk, a slow call, a message that waited too long."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from personal_ai.common.errors import StorageError
from personal_ai.ic import cbor, requests
from personal_ai.ic.candid import encode
from personal_ai.ic.certificate import Certificate
from personal_ai.ic.hash_tree import Found
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID
from personal_ai.ic.requests import SignedRequest
from personal_ai.replica import endpoints
from personal_ai.replica.clock import Clock
from personal_ai.replica.network import Network
from personal_ai.replica.scheduler import Job
from tests.replica.network.running import OWNER


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    one = Network(tmp_path / "state")
    yield one
    assert one.close()


def signed_call(method: str = "icrc1_fee", ahead_s: float = 0) -> SignedRequest:
    """A call to the ledger, as if signed `ahead_s` seconds from now."""
    content = requests.call_content(CYCLES_LEDGER_ID, method, encode([], []))
    return requests.sign(content, OWNER, time.time_ns() + round(ahead_s * 1e9))


def status_of(network: Network, signed: SignedRequest) -> dict[str, bytes]:
    """The fields of a request's certified status."""
    data = network.endpoints._parts.tree.certificate([(b"request_status", signed.request_id)])
    root_key_der = network.keys.root.public_key_der
    certificate = Certificate.verified(data, root_key_der, canister_id=CYCLES_LEDGER_ID, now_ns=time.time_ns())
    found = {
        name: certificate.lookup((b"request_status", signed.request_id, name.encode()))
        for name in ("status", "error_code")
    }
    return {name: value.value for name, value in found.items() if isinstance(value, Found)}


def test_a_full_disk_loses_the_call_but_not_the_network(network: Network) -> None:
    db, signed = network._store._db, signed_call()
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageError, match="full"):
        for _ in range(200):  # until what is left of the last pages is used
            signed = signed_call()
            network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True)
    assert status_of(network, signed) == {}
    ended = len(network.call_log.rows())
    db.execute("PRAGMA max_page_count = 1000000")
    assert network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True).status == 200
    assert status_of(network, signed) == {"status": b"replied"}
    assert len(network.call_log.rows()) == ended + 1


@pytest.mark.expects_warnings
def test_a_bug_loses_the_call_but_not_the_network(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    append, signed = network.call_log.append, signed_call()
    monkeypatch.setattr(network.call_log, "append", lambda *_: 1 // 0)
    with pytest.raises(StorageError, match="bug"):
        network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True)
    monkeypatch.setattr(network.call_log, "append", append)
    assert network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True).status == 200


def test_a_slow_call_is_answered_later(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "SYNCHRONOUS_WAIT_S", 0.05)
    release = threading.Event()
    network.endpoints._parts.scheduler.submit(Job(run=lambda: int(release.wait(60)), publish=lambda: None))
    signed = signed_call()
    answer = network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True)
    assert (answer.status, answer.body) == (202, b"")
    assert status_of(network, signed) == {"status": b"received"}
    release.set()
    monkeypatch.setattr(endpoints, "SYNCHRONOUS_WAIT_S", 60)
    again = network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=True)
    assert again.status == 200
    fields = cbor.decode(again.body)
    assert isinstance(fields, dict)
    assert fields["status"] == "replied"


def test_a_message_that_waited_too_long_does_not_run(tmp_path: Path) -> None:
    behind_s = 2 * requests.INGRESS_LIFETIME_S
    network = Network(tmp_path / "state", clock=Clock(lambda: time.time_ns() - behind_s * 10**9))
    release = threading.Event()
    network.endpoints._parts.scheduler.submit(Job(run=lambda: int(release.wait(60)), publish=lambda: None))
    signed = signed_call(ahead_s=-behind_s)
    network.endpoints.call(signed.envelope, CYCLES_LEDGER_ID, wait=False)
    behind_s = 0
    release.set()
    known = network.endpoints._parts.history.find(signed.request_id)
    assert known is not None
    assert known.ended.wait(60)
    assert status_of(network, signed) == {"status": b"rejected", "error_code": b"IC0202"}
    assert network.close()


def test_the_call_log_forgets_the_oldest(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("personal_ai.replica.call_log.KEPT_CALLS", 3)
    for _ in range(5):
        network.endpoints.call(signed_call().envelope, CYCLES_LEDGER_ID, wait=True)
    assert [row["seq"] for row in network.call_log.rows()] == [3, 4, 5]
    assert [row["seq"] for row in network.call_log.rows(after=4)] == [5]


def test_the_log_has_no_secrets_and_no_arguments(network: Network) -> None:
    network.endpoints.call(signed_call().envelope, CYCLES_LEDGER_ID, wait=True)
    (row,) = network.call_log.rows()
    assert set(row) == {
        "seq", "time_ns", "caller", "canister_id", "method", "arg_sha256", "arg_bytes", "request_id", "outcome",
        "instructions", "pages_touched", "cycles", "wall_ms",
    }  # fmt: skip


def test_keys_and_their_reprs(network: Network, tmp_path: Path) -> None:
    secret = (tmp_path / "state" / "keys.json").read_text()
    for shown in (repr(network.keys), repr(network.keys.root), repr(network.keys.node)):
        assert not any(part in shown for part in secret.split('"') if len(part) == 64)
