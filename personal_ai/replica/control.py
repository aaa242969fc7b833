"""Control of the practice network, by who started it: giving practice money, reading the call log, stopping."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.ic.principal import Principal
from personal_ai.replica.network import Network

MAX_FUND_CYCLES = 10**21  # a billion trillion cycles: more than anybody practises with
MAX_FUND_E8S = 10**15  # ten million ICP
_TOKEN_BYTES = 32


class ControlRefusedError(BadInputError):
    """A control request that makes no sense."""

    def __init__(self, http_status: int, what: str) -> None:
        super().__init__(what)
        self.http_status = http_status


class Control:
    """`token` must come with each request; it is new with each start."""

    def __init__(self, network: Network, stop: Callable[[], None]) -> None:
        self.token = secrets.token_hex(_TOKEN_BYTES)
        self._network, self._stop = network, stop

    def run(self, method: str, action: str, fields: Mapping[str, object]) -> object:
        """The answer to a request as JSON. Raises ControlRefusedError."""
        match (method, action):
            case ("POST", "fund"):
                return {
                    "block_index": self._network.fund(_principal(fields), _amount(fields, "cycles", MAX_FUND_CYCLES))
                }
            case ("POST", "fund-icp"):
                return {"block_index": self._network.fund_icp(_principal(fields), _amount(fields, "e8s", MAX_FUND_E8S))}
            case ("GET", "audit"):
                return asdict(self._network.audit())
            case ("GET", "canisters"):
                return [str(one) for one in self._network.canisters_of(_principal(fields))]
            case ("GET", "calls"):
                return self._network.call_log.rows(after=_number(fields.get("after", 0)))
            case ("POST", "stop"):
                self._stop()
                return {"stopping": True}
        raise ControlRefusedError(404, "no such control")


def _principal(fields: Mapping[str, object]) -> Principal:
    text = fields.get("principal")
    try:
        return Principal.from_text(text if isinstance(text, str) else "")
    except FormatError:
        raise ControlRefusedError(400, "principal is missing or malformed") from None


def _amount(fields: Mapping[str, object], name: str, largest: int) -> int:
    amount = _number(fields.get(name))
    if not 0 < amount <= largest:
        raise ControlRefusedError(400, f"{name} must be between 1 and {largest}")
    return amount


def _number(value: object) -> int:
    """A number, or its decimal digits (JSON readers lose digits of large numbers)."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_FUND_CYCLES:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,30}", value):
        return int(value)
    raise ControlRefusedError(400, "a number is missing or malformed")
