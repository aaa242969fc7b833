"""The system interface as a table: types, places from which a function may be called, and what a call costs.

Types: I is the address type of the module's memory (i32 or i64), i and l are i32 and i64. Places: I init and
post_upgrade, G pre_upgrade, U update, RQ replicated query, NRQ query, CQ composite query, Ry and Rt reply and
reject callback (CRy, CRt in a composite query), C cleanup, F inspect_message, T timer and heartbeat, s start.
"""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.replica.wasm.binary import I32, I64
from personal_ai.replica.wasm.module import FunctionType

_ALL = "I G U RQ NRQ CQ Ry Rt CRy CRt C F T"
_ARGUMENT = "I U RQ NRQ CQ Ry CRy F"
_REPLYING = "U RQ NRQ CQ Ry Rt CRy CRt"
_CALLING = "U CQ Ry Rt CRy CRt T"
_PAID = "U RQ Rt Ry"
_CHANGING = "I G U RQ Ry Rt C T"
_DEFAULT_COST = 500


@dataclass(frozen=True, slots=True)
class SystemFunction:
    """One function of the module `ic0`. `cost` in instructions, without the bytes it copies."""

    name: str
    parameters: str
    results: str
    places: frozenset[str]
    cost: int = _DEFAULT_COST
    only_32: bool = False

    def type_for(self, is_64: bool) -> FunctionType:
        """The type a module with a 64-bit or 32-bit memory must import it with."""
        types = {"I": I64 if is_64 else I32, "i": I32, "l": I64}
        return FunctionType(
            bytes(types[letter] for letter in self.parameters), bytes(types[letter] for letter in self.results)
        )


def _table(text: str, places: str, **options: bool) -> list[SystemFunction]:
    """Lines of "name parameters -> results [cost]"; "-" for no parameters or results."""
    functions = []
    for line in text.strip().splitlines():
        title, parameters, _, results, *cost = line.split()
        functions.append(
            SystemFunction(
                title,
                parameters.strip("-"),
                results.strip("-"),
                frozenset(places.split()),
                int(cost[0]) if cost else _DEFAULT_COST,
                options.get("only_32", False),
            )
        )
    return functions


_FUNCTIONS = (
    *_table(
        """
        msg_caller_size - -> I
        msg_caller_copy III -> -
        canister_self_size - -> I
        canister_self_copy III -> -
        canister_cycle_balance128 I -> -
        canister_liquid_cycle_balance128 I -> -
        canister_status - -> i
        canister_version - -> l
        subnet_self_size - -> I
        subnet_self_copy III -> -
        data_certificate_present - -> i
        time - -> l
        env_var_count - -> I
        env_var_name_size I -> I
        env_var_name_copy IIII -> -
        env_var_name_exists II -> i
        env_var_value_size II -> I
        env_var_value_copy IIIII -> -
        """,
        _ALL,
    ),
    *_table("canister_cycle_balance - -> l", _ALL, only_32=True),
    *_table(
        """
        stable64_size - -> l 20
        stable64_grow l -> l 100
        stable64_write lll -> - 20
        stable64_read lll -> - 20
        performance_counter i -> l 200
        is_controller II -> i 1000
        in_replicated_execution - -> i
        debug_print II -> - 100
        trap II -> -
        """,
        _ALL + " s",
    ),
    *_table(
        """
        stable_size - -> i 20
        stable_grow i -> i 100
        stable_write iii -> - 20
        stable_read iii -> - 20
        """,
        _ALL + " s",
        only_32=True,
    ),
    *_table("msg_arg_data_size - -> I\n msg_arg_data_copy III -> -", _ARGUMENT),
    *_table("msg_reject_code - -> i", "Ry Rt CRy CRt C"),
    *_table("msg_reject_msg_size - -> I\n msg_reject_msg_copy III -> -", "Rt CRt"),
    *_table("msg_deadline - -> l", "U RQ NRQ CQ Ry Rt CRy CRt"),
    *_table("msg_reply_data_append II -> -\n msg_reply - -> -\n msg_reject II -> -", _REPLYING),
    *_table("msg_cycles_available128 I -> -\n msg_cycles_accept128 llI -> -", _PAID),
    *_table("msg_cycles_available - -> l\n msg_cycles_accept l -> l", _PAID, only_32=True),
    *_table("msg_cycles_refunded128 I -> -", "Rt Ry"),
    *_table("msg_cycles_refunded - -> l", "Rt Ry", only_32=True),
    *_table("cycles_burn128 llI -> -\n root_key_size - -> I\n root_key_copy III -> -", _CHANGING),
    *_table("msg_method_name_size - -> I\n msg_method_name_copy III -> -\n accept_message - -> -", "F"),
    *_table("certified_data_set II -> -", "I G U Ry Rt T"),
    *_table("data_certificate_size - -> I\n data_certificate_copy III -> -", "NRQ CQ"),
    *_table("global_timer_set l -> l", "I G U Ry Rt C T"),
    *_table(
        """
        call_new IIIIIIII -> - 1500
        call_on_cleanup II -> -
        call_data_append II -> -
        call_with_best_effort_response i -> -
        call_perform - -> i 5000
        """,
        _CALLING,
    ),
    *_table("call_cycles_add128 ll -> -", "U Ry Rt T"),
    *_table("call_cycles_add l -> -", "U Ry Rt T", only_32=True),
)

SYSTEM_FUNCTIONS = {function.name: function for function in _FUNCTIONS}
