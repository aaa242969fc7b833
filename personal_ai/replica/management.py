"""The management canister aaaaa-aa, as far as a user reaches it with ingress messages and queries.

Source: the interface specification, "The IC management canister". canister_metrics is left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic import management_types as types
from personal_ai.ic.candid import Principal_, Record, Type, decode, encode
from personal_ai.ic.principal import Principal
from personal_ai.replica.administration import Administration
from personal_ai.replica.calls import CallRejected, Result, Task
from personal_ai.replica.canister import LogRecord
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.code_methods import CodeMethods
from personal_ai.replica.envelope import Call
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.settings import invalid
from personal_ai.replica.snapshot_methods import SnapshotMethods
from personal_ai.replica.snapshot_uploads import SnapshotUploads
from personal_ai.replica.state import StateStore

_CANISTERS_ONLY = frozenset(
    (
        "create_canister", "deposit_cycles", "raw_rand", "canister_info", "canister_metadata", "http_request",
        "vetkd_public_key", "vetkd_derive_key", "ecdsa_public_key", "sign_with_ecdsa", "schnorr_public_key",
        "sign_with_schnorr", "node_metrics_history", "subnet_info", "subnet_metrics",
    )
)  # fmt: skip
_CREATION = "provisional_create_canister_with_cycles"
_ANY_CALLER = frozenset((_CREATION, "provisional_top_up_canister"))
_TARGET_ARGS = Record({"target_canister": Principal_})


class Management:
    """One `ingress.Destination`. All methods raise CallRejected."""

    def __init__(
        self,
        store: StateStore,
        canisters: Canisters,
        administration: Administration,
        code: CodeMethods,
        *,
        snapshots: SnapshotMethods,
        uploads: SnapshotUploads,
    ) -> None:
        self._store, self._canisters, self._administration = store, canisters, administration
        self._methods = {**administration.methods, **snapshots.methods}
        self._tasks: dict[str, tuple[Type, Callable[[Task, Any], None]]] = {
            "install_code": (types.INSTALL_CODE_ARGS, code.install_code),
            "install_chunked_code": (types.INSTALL_CHUNKED_CODE_ARGS, code.install_chunked_code),
            "uninstall_code": (types.UNINSTALL_CODE_ARGS, code.uninstall_code),
            **snapshots.tasks,
            **uploads.tasks,
        }

    def effective_id(self, call: Call) -> Principal | None:
        """The canister that a call is about, as its argument says; None for a creation."""
        if call.method == _CREATION:
            return None
        target: Principal
        if call.method == "install_chunked_code":
            target = _decode(_TARGET_ARGS, call.arg)["target_canister"]
        else:
            target = _decode(types.CANISTER_ID_ARGS, call.arg)["canister_id"]
        return target

    def accept(self, call: Call, now_ns: int) -> None:
        """Whether the call may become an ingress message at all: its method, its canister and its sender fit."""
        if call.method in _CANISTERS_ONLY:
            message = f"Only canisters can call ic00 method {call.method}"
            raise CallRejected(RejectCode.CANISTER_REJECT, "IC0406", message)
        if call.method not in self._methods and call.method not in self._tasks:
            message = f"Management canister has no method '{call.method}' for ingress messages"
            raise CallRejected(RejectCode.CANISTER_ERROR, "IC0536", message)
        effective_id = self.effective_id(call)
        if effective_id is None:
            return
        if call.method in _ANY_CALLER:
            self._canisters.get(effective_id)
        else:
            self._canisters.controlled(effective_id, call.sender, call.method)

    def update(self, task: Task) -> None:
        """Carries an accepted call out and finishes it."""
        call = task.call
        self.accept(call, task.now_ns)  # once more: what was true on arrival may have changed since
        if call.method in self._tasks:
            argument, carry_out = self._tasks[call.method]
            carry_out(task, _decode(argument, call.arg))
            return
        method = self._methods[call.method]
        with self._store.transaction() as db:
            values = method.run(db, task, _decode(method.argument, call.arg))
            task.finish(db, Result(reply=encode(method.answers, values), cycles=task.due_cycles))

    def query(self, call: Call, now_ns: int) -> bytes:
        """canister_status and fetch_canister_logs."""
        if call.method == "canister_status":
            canister_id = _decode(types.CANISTER_ID_ARGS, call.arg)["canister_id"]
            state = self._canisters.controlled(canister_id, call.sender, call.method)
            return encode([types.CANISTER_STATUS_RESULT], [self._administration.status(state, now_ns)])
        if call.method == "fetch_canister_logs":
            records = self._logs(call.sender, _decode(types.FETCH_LOGS_ARGS, call.arg))
            return encode([types.FETCH_LOGS_RESULT], [{"canister_log_records": records}])
        message = f"Management canister has no query method '{call.method}'"
        raise CallRejected(RejectCode.CANISTER_ERROR, "IC0536", message)

    def _logs(self, caller: Principal, arg: dict[str, Any]) -> list[dict[str, object]]:
        state = self._canisters.get(arg["canister_id"])
        visibility = state.settings.log_visibility
        viewers = visibility if isinstance(visibility, tuple) else ()
        if visibility != "public" and caller.bytes not in (*state.controllers, *viewers):
            message = f"Caller {caller} is not allowed to access canister logs"
            raise CallRejected(RejectCode.CANISTER_REJECT, "IC0406", message)
        return [
            {"idx": record.index, "timestamp_nanos": record.time_ns, "content": record.content}
            for record in self._store.log(state.id)
            if _passes(record, arg["filter"])
        ]


def _passes(record: LogRecord, wanted: tuple[str, dict[str, int]] | None) -> bool:
    if wanted is None:
        return True
    case, span = wanted
    return span["start"] <= (record.index if case == "by_idx" else record.time_ns) < span["end"]


def _decode(argument: Type, arg: bytes) -> Any:
    try:
        return decode([argument], arg)[0]
    except FormatError as error:
        raise invalid(f"Error decoding candid: {error.what}") from None
