"""Canister settings between their Candid form and the state's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from personal_ai.ic.principal import Principal
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canister import CanisterSettings, CanisterState
from personal_ai.replica.messages import RejectCode

MAX_CONTROLLERS = 10
MAX_VIEWERS = 10
MAX_ENVIRONMENT_VARIABLES = 20
MAX_ENVIRONMENT_VARIABLE_LENGTH = 128
DEFAULT_LOG_MEMORY_BYTES = 4096

# The largest value of each number, by name in the interface, and its name in the state.
_NUMBERS = {
    "compute_allocation": (100, "compute_allocation"),
    "memory_allocation": ((1 << 64) - 1, "memory_allocation"),
    "freezing_threshold": ((1 << 64) - 1, "freezing_threshold_s"),
    "reserved_cycles_limit": ((1 << 128) - 1, "reserved_cycles_limit"),
    "wasm_memory_limit": (1 << 48, "wasm_memory_limit"),
    "wasm_memory_threshold": (1 << 48, "wasm_memory_threshold"),
}
# Settings of things that this network does not have: only their defaults can be kept.
_FIXED: Mapping[str, object] = {
    "minimum_incoming_canister_call_cycles": 0,
    "log_memory_limit": DEFAULT_LOG_MEMORY_BYTES,
    "snapshot_visibility": ("controllers", None),
    "status_visibility": ("controllers", None),
}


def changed(settings: CanisterSettings, given: Mapping[str, Any] | None) -> CanisterSettings:
    """`settings` with what a decoded `canister_settings` record gives; controllers apart. Raises CallRejected."""
    given = {name: value for name, value in (given or {}).items() if value is not None}
    for name, fixed in _FIXED.items():
        if given.get(name, fixed) != fixed:
            raise invalid(f"this network knows no other {name} than {fixed}")
    changes: dict[str, Any] = {}
    for name, (largest, own_name) in _NUMBERS.items():
        if name in given:
            if given[name] > largest:
                raise invalid(f"{name} must be at most {largest}")
            changes[own_name] = given[name]
    if "log_visibility" in given:
        changes["log_visibility"] = _visibility(*given["log_visibility"])
    if "environment_variables" in given:
        changes["environment_variables"] = _environment(given["environment_variables"])
    return replace(settings, **changes)


def controllers(given: Mapping[str, Any] | None, default: tuple[Principal, ...]) -> tuple[Principal, ...]:
    """The controllers that a decoded `canister_settings` record gives. Raises CallRejected."""
    named = (given or {}).get("controllers")
    if named is None:
        return default
    unique = tuple(sorted(set(named)))
    if len(unique) > MAX_CONTROLLERS:
        raise invalid(f"a canister has at most {MAX_CONTROLLERS} controllers")
    return unique


def definite(state: CanisterState) -> dict[str, object]:
    """The `definite_canister_settings` record of a canister."""
    settings = state.settings
    visibility = settings.log_visibility
    return {
        **_FIXED,
        **{name: getattr(settings, own_name) for name, (_, own_name) in _NUMBERS.items()},
        "controllers": [Principal(controller) for controller in state.controllers],
        "log_visibility": (visibility, None)
        if isinstance(visibility, str)
        else ("allowed_viewers", [Principal(viewer) for viewer in visibility]),
        "environment_variables": [{"name": name, "value": value} for name, value in settings.environment_variables],
    }


def invalid(message: str) -> CallRejected:
    """IC0408: the management canister refuses what it was given."""
    return CallRejected(RejectCode.CANISTER_REJECT, "IC0408", message)


def _visibility(case: str, viewers: list[Principal] | None) -> str | tuple[bytes, ...]:
    if viewers is None:
        return case
    if len(viewers) > MAX_VIEWERS:
        raise invalid(f"at most {MAX_VIEWERS} viewers are allowed")
    return tuple(viewer.bytes for viewer in viewers)


def _environment(variables: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
    pairs = tuple((one["name"], one["value"]) for one in variables)
    if len(pairs) > MAX_ENVIRONMENT_VARIABLES or len({name for name, _ in pairs}) != len(pairs):
        raise invalid(f"at most {MAX_ENVIRONMENT_VARIABLES} environment variables with names of their own are allowed")
    if any(len(text.encode()) > MAX_ENVIRONMENT_VARIABLE_LENGTH for pair in pairs for text in pair):
        raise invalid(f"environment variables have at most {MAX_ENVIRONMENT_VARIABLE_LENGTH} bytes")
    return pairs
