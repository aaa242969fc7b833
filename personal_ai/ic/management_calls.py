"""How a method of the management canister is called: about one canister, which the message is routed by."""

from __future__ import annotations

from typing import Any

from personal_ai.ic import candid
from personal_ai.ic import management_types as types
from personal_ai.ic.agent import Agent
from personal_ai.ic.candid import Record
from personal_ai.ic.principal import MANAGEMENT, Principal


class ManagementCalls:
    """What the groups of methods have in common."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def _about(self, method: str, canister_id: Principal) -> bytes:
        return self._call(method, canister_id, types.CANISTER_ID_ARGS, {"canister_id": canister_id})

    def _call(self, method: str, effective_id: Principal, type_: Record, fields: dict[str, Any]) -> bytes:
        encoded = candid.encode([type_], [fields])
        return self._agent.update(MANAGEMENT, method, encoded, effective_id=effective_id)
