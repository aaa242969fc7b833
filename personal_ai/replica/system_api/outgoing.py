"""Calls of a canister to another one: one way, in an update, to the canisters that the network itself brings.

A one-way call is one whose callbacks are -1: nobody in the canister hears of its end, and cycles that were not taken
come back. It is carried out in the transaction that commits the message. Calls with callbacks are not offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from personal_ai.ic.profile import CostTable
from personal_ai.replica.messages import OutgoingCall, RejectCode
from personal_ai.replica.system_api.context import CanisterFailure, Context, trapped, violated

_NO_CALLBACK = (1 << 32) - 1, (1 << 64) - 1  # -1 as an index of the table
_PAYLOAD_LIMIT_BYTES = 2 << 20
_PERFORMED = 0


def call_cost(costs: CostTable, call: OutgoingCall, response_bytes: int) -> int:
    """Cycles for a call, its response, and the callback that there is not, which costs as much as one that fails."""
    carried = len(call.method.encode()) + len(call.arg) + response_bytes
    return costs.on_subnet(costs.call_base + costs.call_per_byte * carried + costs.update_base)


@dataclass
class _Begun:
    """A call that is being put together."""

    callee: bytes
    method: str
    arg: bytearray = field(default_factory=bytearray)
    cycles: int = 0

    def finished(self) -> OutgoingCall:
        return OutgoingCall(self.callee, self.method, bytes(self.arg), self.cycles)


class OutgoingCalls(Context):
    """The functions call_*. A call that was begun and not performed is dropped with what is attached to it."""

    _begun: _Begun | None = None

    @property
    def attached_cycles(self) -> int:
        """To the call that is being put together."""
        return 0 if self._begun is None else self._begun.cycles

    @property
    def spendable_cycles(self) -> int:
        """What the canister may still send away."""
        raise NotImplementedError

    def call_new(  # noqa: PLR0917 - as canisters call it
        self, callee: int, callee_size: int, name: int, name_size: int, reply: int, _: int, reject: int, __: int
    ) -> None:
        self._begun = None
        if self.place != "U":
            raise self._not_offered("calls of timers and callbacks")
        if reply not in _NO_CALLBACK or reject not in _NO_CALLBACK:
            raise self._not_offered("calls that wait for an answer")
        try:
            begun = _Begun(self.read(callee, callee_size), self.read(name, name_size).decode())
        except UnicodeDecodeError as error:
            raise violated("a method's name has to be UTF-8") from error
        if begun.callee not in self.around.callees:
            raise self._not_offered("calls to canisters that are not the network's own")
        self._begun = begun

    def call_data_append(self, source: int, size: int) -> None:
        begun = self._call()
        if len(begun.arg) + size > _PAYLOAD_LIMIT_BYTES:
            raise violated(f"the argument of a call may not be larger than {_PAYLOAD_LIMIT_BYTES} bytes")
        begun.arg += self.read(source, size)

    def call_cycles_add(self, cycles: int) -> None:
        begun = self._call()
        if cycles > self.spendable_cycles:
            raise CanisterFailure("IC0207", f"Canister {self.state.id.hex()} is out of cycles: {cycles} cannot be sent")
        begun.cycles += cycles

    def call_cycles_add128(self, high: int, low: int) -> None:
        self.call_cycles_add(high << 64 | low)

    def call_perform(self) -> int:
        """0, or the reject code where the cycles for the call and the longest answer are not there."""
        call = self._call().finished()
        costs, limits = self.around.costs, self.around.limits
        callback = costs.on_subnet(costs.per_instruction * limits.update_instructions)
        if call_cost(costs, call, _PAYLOAD_LIMIT_BYTES) + callback > self.spendable_cycles:
            self._begun = None
            return RejectCode.SYS_TRANSIENT
        self.effects.calls.append(call)
        self.effects.cycles_sent += call.cycles
        self._begun = None
        return _PERFORMED

    def call_on_cleanup(self, _: int, __: int) -> None:
        raise self._not_offered("calls that wait for an answer")

    def call_with_best_effort_response(self, _: int) -> None:
        raise self._not_offered("calls with a time limit")

    def _call(self) -> _Begun:
        if self._begun is None:
            raise violated("there is no call under construction")
        return self._begun

    @staticmethod
    def _not_offered(what: str) -> CanisterFailure:
        return trapped(f"the practice network does not offer {what}")
