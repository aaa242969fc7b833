"""The functions of ic0, named as canisters import them. Parameters are unsigned numbers of the imported width.

Which entry points may call a function, and what a call costs, stands in `wasm.ic0` and is looked at before.
"""

from __future__ import annotations

from personal_ai.replica.canister import WASM_PAGE_BYTES, Status
from personal_ai.replica.system_api.context import CanisterFailure, trapped, violated
from personal_ai.replica.system_api.outgoing import OutgoingCalls

REPLY_LIMIT_BYTES = 2 << 20
QUERY_REPLY_LIMIT_BYTES = 3 << 20
STABLE_LIMIT_BYTES = 2 << 30  # that one message may touch
STABLE_LIMIT_UPGRADE_BYTES = 8 << 30
STABLE_LIMIT_QUERY_BYTES = 1 << 30

_U64_MAX = (1 << 64) - 1
_U32_MAX = (1 << 32) - 1
_PRINCIPAL_MAX_BYTES = 29
_CERTIFIED_DATA_MAX_BYTES = 32
_STABLE_32_MAX_PAGES = 1 << 16
_STATUS_NUMBERS = {Status.RUNNING: 1, Status.STOPPING: 2, Status.STOPPED: 3}


class SystemCalls(OutgoingCalls):
    """One running entry point with everything it may call."""

    # ---- the message

    def msg_arg_data_size(self) -> int:
        return len(self.message.arg)

    def msg_arg_data_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.message.arg, target, offset, size)

    def msg_caller_size(self) -> int:
        return len(self.message.caller)

    def msg_caller_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.message.caller, target, offset, size)

    def msg_method_name_size(self) -> int:
        return len(self.message.method.encode())

    def msg_method_name_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.message.method.encode(), target, offset, size)

    def accept_message(self) -> None:
        if self.effects.accepted:
            raise violated("the message was accepted twice")
        self.effects.accepted = True

    def msg_deadline(self) -> int:
        return 0  # none: no message here is a best-effort call

    # ---- the response

    def msg_reply_data_append(self, source: int, size: int) -> None:
        self._not_responded()
        limit = REPLY_LIMIT_BYTES if self.message.replicated else QUERY_REPLY_LIMIT_BYTES
        if len(self.reply_data) + size > limit:
            raise violated(f"a reply may not be larger than {limit} bytes")
        self.reply_data += self.read(source, size)

    def msg_reply(self) -> None:
        self._not_responded()
        self.effects.reply = bytes(self.reply_data)

    def msg_reject(self, source: int, size: int) -> None:
        self._not_responded()
        try:
            self.effects.reject_message = self.read(source, size).decode()
        except UnicodeDecodeError as error:
            raise violated("a reject message has to be UTF-8") from error

    def _not_responded(self) -> None:
        if self.effects.responded:
            raise violated("the call has been answered already")

    # ---- cycles

    @property
    def _balance(self) -> int:
        return self.state.cycles + self._gained

    @property
    def _gained(self) -> int:
        done = self.effects
        return done.cycles_accepted - done.cycles_burned - done.cycles_sent - self.attached_cycles

    @property
    def spendable_cycles(self) -> int:
        liquid = self.message.liquid_cycles
        return self._balance if liquid is None else max(liquid + self._gained, 0)

    @property
    def _cycles_available(self) -> int:
        return self.message.cycles_available - self.effects.cycles_accepted

    def canister_cycle_balance(self) -> int:
        return self._in_64_bits(self._balance)

    def canister_cycle_balance128(self, target: int) -> None:
        self.write_cycles(target, self._balance)

    def canister_liquid_cycle_balance128(self, target: int) -> None:
        self.write_cycles(target, self.spendable_cycles)

    def msg_cycles_available(self) -> int:
        return self._in_64_bits(self._cycles_available)

    def msg_cycles_available128(self, target: int) -> None:
        self.write_cycles(target, self._cycles_available)

    def msg_cycles_accept(self, limit: int) -> int:
        accepted = min(limit, self._cycles_available)
        self.effects.cycles_accepted += accepted
        return accepted

    def msg_cycles_accept128(self, high: int, low: int, target: int) -> None:
        self.write_cycles(target, self.msg_cycles_accept(high << 64 | low))

    def cycles_burn128(self, high: int, low: int, target: int) -> None:
        burned = min(high << 64 | low, self.spendable_cycles)
        self.effects.cycles_burned += burned
        self.write_cycles(target, burned)

    def _in_64_bits(self, cycles: int) -> int:
        if cycles > _U64_MAX:
            raise trapped("the amount of cycles does not fit into 64 bits")
        return cycles

    # ---- the canister and its network

    def canister_self_size(self) -> int:
        return len(self.state.id)

    def canister_self_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.state.id, target, offset, size)

    def canister_status(self) -> int:
        return _STATUS_NUMBERS[self.state.status]

    def canister_version(self) -> int:
        return self.state.canister_version

    def is_controller(self, source: int, size: int) -> int:
        if size > _PRINCIPAL_MAX_BYTES:
            raise violated("a principal is never that long")
        return int(self.read(source, size) in self.state.controllers)

    def subnet_self_size(self) -> int:
        return len(self.around.subnet_id)

    def subnet_self_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.around.subnet_id, target, offset, size)

    def root_key_size(self) -> int:
        return len(self.around.root_key_der)

    def root_key_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self.around.root_key_der, target, offset, size)

    def in_replicated_execution(self) -> int:
        return int(self.message.replicated)

    def env_var_count(self) -> int:
        return len(self.state.settings.environment_variables)

    def env_var_name_size(self, index: int) -> int:
        return len(self._variable(index))

    def env_var_name_copy(self, index: int, target: int, offset: int, size: int) -> None:
        self.copy(self._variable(index), target, offset, size)

    def env_var_name_exists(self, source: int, size: int) -> int:
        return int(self.read(source, size) in self._variables())

    def env_var_value_size(self, source: int, size: int) -> int:
        return len(self._value(source, size))

    def env_var_value_copy(self, source: int, size: int, target: int, offset: int, length: int) -> None:
        self.copy(self._value(source, size), target, offset, length)

    def _variables(self) -> dict[bytes, bytes]:
        return {name.encode(): value.encode() for name, value in self.state.settings.environment_variables}

    def _variable(self, index: int) -> bytes:
        names = list(self._variables())
        if index >= len(names):
            raise violated("there is no environment variable of this number")
        return names[index]

    def _value(self, source: int, size: int) -> bytes:
        value = self._variables().get(self.read(source, size))
        if value is None:
            raise violated("there is no environment variable of this name")
        return value

    # ---- time and counting

    def time(self) -> int:
        return self.message.time_ns

    def global_timer_set(self, time_ns: int) -> int:
        set_now = self.effects.global_timer_ns
        self.effects.global_timer_ns = time_ns
        return self.state.global_timer_ns if set_now is None else set_now

    def performance_counter(self, kind: int) -> int:
        if kind not in (0, 1):  # this message; this message and the calls it made, of which there are none
            raise violated("there is no performance counter of this kind")
        used = self.instructions(running=True)
        if used > self.message.instruction_limit:
            raise self.out_of_instructions()
        return used

    # ---- certified data

    def certified_data_set(self, source: int, size: int) -> None:
        if size > _CERTIFIED_DATA_MAX_BYTES:
            raise violated("certified data may not be longer than 32 bytes")
        self.effects.certified_data = self.read(source, size)

    def data_certificate_present(self) -> int:
        return int(self.message.data_certificate is not None and self.place == "NRQ")

    def data_certificate_size(self) -> int:
        return len(self._certificate())

    def data_certificate_copy(self, target: int, offset: int, size: int) -> None:
        self.copy(self._certificate(), target, offset, size)

    def _certificate(self) -> bytes:
        if self.message.data_certificate is None:
            raise violated("there is no data certificate")
        return self.message.data_certificate

    # ---- stable memory

    def stable64_size(self) -> int:
        return self.stable.pages

    def stable64_grow(self, pages: int) -> int:
        before = self.stable.grow(pages)
        return _U64_MAX if before is None else before

    def stable64_read(self, target: int, offset: int, size: int) -> None:
        self._check_stable(target, offset, size)
        self.stable.read_into(self.instance.base + target, offset, size)
        self._check_stable_touched()

    def stable64_write(self, offset: int, source: int, size: int) -> None:
        self._check_stable(source, offset, size)
        self.stable.write(offset, self.instance.read(source, size))
        self._check_stable_touched()

    def stable_size(self) -> int:
        if self.stable.pages > _STABLE_32_MAX_PAGES:
            raise trapped("stable memory is too large for the 32-bit functions")
        return self.stable.pages

    def stable_grow(self, pages: int) -> int:
        if self.stable_size() + pages > _STABLE_32_MAX_PAGES:
            return _U32_MAX
        before = self.stable.grow(pages)
        return _U32_MAX if before is None else before

    def stable_read(self, target: int, offset: int, size: int) -> None:
        self.stable_size()
        self.stable64_read(target, offset, size)

    def stable_write(self, offset: int, source: int, size: int) -> None:
        self.stable_size()
        self.stable64_write(offset, source, size)

    def _check_stable(self, address: int, offset: int, size: int) -> None:
        self.charge(size)
        if not self.stable.holds(offset, size):
            raise trapped("stable memory out of bounds")
        if not self.instance.holds(address, size):
            raise trapped("heap out of bounds")

    def _check_stable_touched(self) -> None:
        limit = {"I": STABLE_LIMIT_UPGRADE_BYTES, "G": STABLE_LIMIT_UPGRADE_BYTES, "NRQ": STABLE_LIMIT_QUERY_BYTES}.get(
            self.place, STABLE_LIMIT_BYTES
        )
        if len(self.stable.touched) * WASM_PAGE_BYTES > limit:
            raise CanisterFailure(
                "IC0524", f"Canister touched more than {limit} bytes of stable memory in one message."
            )

    # ---- telling and stopping

    def debug_print(self, source: int, size: int) -> None:
        self.effects.debug_lines.append(self.read(source, size))

    def trap(self, source: int, size: int) -> None:
        text = self.read(source, size).decode("utf-8", "replace")
        raise CanisterFailure("IC0503", f"Canister called `ic0.trap` with message: '{text}'")

    # ---- callbacks, of which there are none

    def _no_callbacks(self, *_: int) -> int:
        raise CanisterFailure("IC0504", "Callbacks are not offered by the practice network.")

    msg_reject_code = msg_reject_msg_size = msg_reject_msg_copy = _no_callbacks
    msg_cycles_refunded = msg_cycles_refunded128 = _no_callbacks
