"""Who may read which path of the state tree.

Source: the interface specification, "Request: Read state".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from personal_ai.ic.principal import Principal
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.envelope import ReadState, RequestRefusedError
from personal_ai.replica.ingress_history import IngressHistory
from personal_ai.replica.state import StateStore

_REQUEST_FIELDS = (b"status", b"reply", b"reject_code", b"reject_message", b"error_code")
_CANISTER_FIELDS = (b"module_hash", b"controllers", b"canister_creation_timestamp", b"last_install_timestamp")
_SUBNET_FIELDS = (b"public_key", b"type", b"canister_ranges", b"node")


class PathUnknownError(RequestRefusedError):
    """A path of a form that nobody may read."""

    http_status: ClassVar[int] = 404


class PathForbiddenError(RequestRefusedError):
    """A path that this sender may not read, or not here."""

    http_status: ClassVar[int] = 403


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a request was sent: to the endpoint of a canister or of a subnet."""

    canister: Principal | None = None
    subnet: Principal | None = None


class ReadStateRules:
    """The rules for one network."""

    def __init__(self, store: StateStore, history: IngressHistory, canisters: Canisters) -> None:
        self._store, self._history, self._canisters = store, history, canisters

    def check(self, request: ReadState, scope: Scope) -> None:
        """Raises PathUnknownError or PathForbiddenError for the first path that may not be read."""
        if len({path[1] for path in request.paths if path[:1] == (b"request_status",) and len(path) > 1}) > 1:
            raise PathForbiddenError("all paths under request_status must be of one request")
        for path in request.paths:
            match path:
                case (b"time",) | (b"subnet",) | (b"api_boundary_nodes", *_):
                    pass
                case (b"subnet", _) | (b"subnet", _, b"node", _) | (b"subnet", _, b"node", _, b"public_key"):
                    pass
                case (b"subnet", _, field) if field in _SUBNET_FIELDS:
                    pass
                case (b"canister_ranges", subnet_id):
                    self._check_ranges(subnet_id, scope)
                case (b"request_status", request_id) if len(request_id) == 32:
                    self._check_request(request_id, request, scope)
                case (b"request_status", request_id, field) if len(request_id) == 32 and field in _REQUEST_FIELDS:
                    self._check_request(request_id, request, scope)
                case (b"canister", canister_id, field) if field in _CANISTER_FIELDS:
                    self._check_canister(canister_id, scope)
                case (b"canister", canister_id, b"metadata", name):
                    self._check_canister(canister_id, scope)
                    self._check_metadata(canister_id, name, request.sender)
                case _:
                    raise PathUnknownError("invalid path requested")

    def _check_ranges(self, subnet_id: bytes, scope: Scope) -> None:
        if scope.subnet is None or scope.subnet.bytes != subnet_id:
            raise PathForbiddenError("canister_ranges can only be read at the endpoint of that subnet")

    def _check_request(self, request_id: bytes, request: ReadState, scope: Scope) -> None:
        known = self._history.find(request_id)
        if known is None:
            return
        if known.sender != request.sender:
            raise PathForbiddenError("a request's status can only be read by its sender")
        if known.effective_id != scope.canister:
            raise PathForbiddenError("a request's status can only be read at its effective canister id")
        if request.targets is not None and known.receiver not in request.targets:
            raise PathForbiddenError("the delegation does not allow requests to the receiver of this request")

    def _check_canister(self, canister_id: bytes, scope: Scope) -> None:
        if scope.canister is None or scope.canister.bytes != canister_id:
            raise PathForbiddenError("a canister can only be read at its own endpoint")

    def _check_metadata(self, canister_id: bytes, name: bytes, sender: Principal) -> None:
        try:
            section = self._canisters.metadata(canister_id).get(name.decode())
        except UnicodeDecodeError:
            raise PathUnknownError("the name of a metadata section is not UTF-8") from None
        state = self._store.canister(canister_id)
        if section is None or section.public or (state is not None and sender.bytes in state.controllers):
            return
        raise PathForbiddenError("private metadata can only be read by controllers")
