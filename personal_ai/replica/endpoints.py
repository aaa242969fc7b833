"""The endpoints of the HTTPS interface: request bodies in, status codes and CBOR out.

Source: the interface specification, "HTTPS interface".
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import ClassVar

from personal_ai.common.errors import StorageError
from personal_ai.ic import cbor
from personal_ai.ic.domains import RESPONSE
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import Limits
from personal_ai.ic.request_id import hash_of_map
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.call_log import CallLog
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.clock import Clock
from personal_ai.replica.envelope import Call, RequestRefusedError, open_call, open_read_state
from personal_ai.replica.ingress import Ingress
from personal_ai.replica.ingress_history import IngressHistory, KnownCall
from personal_ai.replica.keys import NetworkKeys
from personal_ai.replica.read_state import ReadStateRules, Scope
from personal_ai.replica.scheduler import Job, Scheduler
from personal_ai.replica.state_tree import StateTree

SYNCHRONOUS_WAIT_S = 10.0
_OK, _ACCEPTED = 200, 202


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP status and a CBOR body."""

    status: int
    body: bytes = b""


class MessageTooLargeError(RequestRefusedError):
    """An envelope that no block has room for."""

    http_status: ClassVar[int] = 413


@dataclass(frozen=True)
class Parts:
    """What the endpoints stand on."""

    keys: NetworkKeys
    clock: Clock
    tree: StateTree
    history: IngressHistory
    call_log: CallLog
    accounts: Accounts
    canisters: Canisters
    ingress: Ingress
    rules: ReadStateRules
    scheduler: Scheduler
    limits: Limits


class Endpoints:
    """Safe to use from several threads. Refused requests raise RequestRefusedError, a full disk StorageError."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def status(self) -> Answer:
        """The root key, as development networks give it, and that the network is well."""
        fields = {
            "impl_version": f"personal-ai {version('personal-ai')}",
            "replica_health_status": "healthy",
            "root_key": self._parts.keys.root.public_key_der,
        }
        return Answer(_OK, cbor.encode(fields))

    def read_state(self, body: bytes, scope: Scope) -> Answer:
        """A certificate over the paths that the sender may read."""
        request = open_read_state(body, self._parts.clock.now_ns())
        self._parts.rules.check(request, scope)
        return Answer(_OK, cbor.encode({"certificate": self._parts.tree.certificate(request.paths)}))

    def query(self, body: bytes, effective_id: Principal) -> Answer:
        """The node's signed answer from the committed state."""
        parts, now_ns = self._parts, self._parts.clock.now_ns()
        call = open_call(body, "query", now_ns)
        parts.ingress.check_address(call, effective_id)
        answer: dict[str, object]
        try:
            reply = parts.ingress.destination(call.canister_id).query(call, now_ns)
            answer = {"status": "replied", "reply": {"arg": reply}}
        except CallRejected as rejection:
            answer = {"status": "rejected", **_rejection(rejection)}
        return Answer(_OK, cbor.encode({**answer, "signatures": [self._node_signature(call, answer)]}))

    def call(self, body: bytes, effective_id: Principal, *, wait: bool) -> Answer:
        """Lets a call in and, where asked to, waits for its certified end; 202 when that takes too long."""
        if len(body) > self._parts.limits.ingress_bytes:
            raise MessageTooLargeError(f"a message has at most {self._parts.limits.ingress_bytes} bytes")
        call = open_call(body, "call", self._parts.clock.now_ns())
        self._parts.ingress.check_address(call, effective_id)
        known = self._parts.history.find(call.request_id)
        if known is None:
            try:
                self._parts.ingress.destination(call.canister_id).accept(call, self._parts.clock.now_ns())
            except CallRejected as rejection:
                return Answer(_OK, cbor.encode({"status": "non_replicated_rejection", **_rejection(rejection)}))
            known = self._schedule(call, effective_id, len(body))
        if not wait or not known.ended.wait(SYNCHRONOUS_WAIT_S):
            return Answer(_ACCEPTED)
        if known.lost:
            raise StorageError(known.lost)
        certificate = self._parts.tree.certificate([(b"request_status", call.request_id)])
        return Answer(_OK, cbor.encode({"status": "replied", "certificate": certificate}))

    def _schedule(self, call: Call, effective_id: Principal, size_bytes: int) -> KnownCall:
        history = self._parts.history
        known, is_new = history.begin(call, effective_id)
        if is_new:
            job = Job(lambda: self._carry_out(known, call), lambda: history.publish(known), size_bytes)
            self._parts.scheduler.submit(job)
        return known

    def _carry_out(self, known: KnownCall, call: Call) -> int:
        """Runs in the scheduler's thread; gives the instructions that the call took."""
        parts, now_ns = self._parts, self._parts.clock.now_ns()
        started_s = time.monotonic()

        def finish(db: sqlite3.Connection, result: Result) -> None:
            parts.accounts.charge(known.effective_id.bytes, result.cycles, now_ns)
            parts.history.finish(db, known, call, result)
            parts.call_log.append(db, call, result, now_ns, round((time.monotonic() - started_s) * 1000))

        parts.history.processing(known)
        try:
            parts.ingress.run(Task(call, known.effective_id, now_ns, finish))
        except (StorageError, sqlite3.Error) as error:
            parts.history.lose(known, f"The practice network could not save what the call did: {error}")
            return 0
        except BaseException:
            parts.history.lose(known, "The practice network could not carry the call out: this is a bug.")
            raise
        parts.canisters.show(known.effective_id.bytes)
        return known.result.instructions if known.result else 0

    def _node_signature(self, call: Call, answer: Mapping[str, object]) -> dict[str, object]:
        node, timestamp = self._parts.keys.node, self._parts.clock.now_ns()
        message = RESPONSE + hash_of_map({**answer, "timestamp": timestamp, "request_id": call.request_id})
        return {"timestamp": timestamp, "signature": node.sign(message), "identity": node.principal.bytes}


def _rejection(rejection: CallRejected) -> dict[str, object]:
    reject = rejection.reject
    return {"reject_code": int(reject.code), "reject_message": reject.message, "error_code": reject.error_code}
