"""One-way calls of canisters to the network's own: what they carry arrives, or comes back, and no cycle is lost."""

from __future__ import annotations

import pytest
import wasmtime

from personal_ai.ic.candid import encode
from personal_ai.ic.icp_types import ICP_INDEX_ID
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE, CYCLES_LEDGER_ID, DEPOSIT_ARGS
from personal_ai.ic.principal import Principal
from personal_ai.replica.calls import Result
from personal_ai.replica.messages import OutgoingCall
from personal_ai.replica.money.blocks import BALANCES, Account
from personal_ai.replica.system_api.outgoing import call_cost
from tests.replica.network.inside import Inside
from tests.replica.network.running import OWNER, TRILLION
from tests.replica.network.test_accounts import create, install

SENT = TRILLION // 2
DEPOSIT = encode([DEPOSIT_ARGS], [{"to": {"owner": OWNER.principal, "subaccount": None}, "memo": None}])
CALLER = """(module
  (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $append (param i32 i32)))
  (import "ic0" "call_cycles_add128" (func $add (param i64 i64)))
  (import "ic0" "call_perform" (func $perform (result i32)))
  (import "ic0" "msg_arg_data_size" (func $size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $copy (param i32 i32 i32)))
  (import "ic0" "msg_reply_data_append" (func $reply_append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "{callee}") (data (i32.const 64) "{method}")
  (func $begin
    (call $new (i32.const 0) (i32.const {callee_size}) (i32.const 64) (i32.const {method_size})
      (i32.const {callback}) (i32.const 0) (i32.const -1) (i32.const 0))
    (call $copy (i32.const 128) (i32.const 0) (call $size))
    (call $append (i32.const 128) (call $size))
    (call $add (i64.const 0) (i64.const {cycles})))
  (func (export "canister_update go")
    {before}
    (call $begin)
    (i32.store (i32.const 100) {perform})
    {after}
    (call $reply_append (i32.const 100) (i32.const 4)) (call $reply)))"""


def calling(
    callee: Principal = CYCLES_LEDGER_ID,
    method: str = "deposit",
    *,
    cycles: int = SENT,
    callback: int = -1,
    perform: str = "(call $perform)",
    before: str = "",
    after: str = "",
) -> bytes:
    """A canister whose method `go` makes one call with its own argument."""
    text = "".join(f"\\{byte:02x}" for byte in callee.bytes)
    values = {"callee": text, "callee_size": len(callee.bytes), "method": method, "method_size": len(method)}
    steps = {"callback": callback, "cycles": cycles, "perform": perform, "before": before, "after": after}
    wat = CALLER
    for name, value in {**values, **steps}.items():
        wat = wat.replace("{" + name + "}", str(value))
    return bytes(wasmtime.wat2wasm(wat))


def go(inside: Inside, wasm: bytes, arg: bytes = DEPOSIT, cycles: int = TRILLION) -> tuple[Result, int]:
    """How the call of `go` ends, and what the canister has lost beyond what it paid for."""
    canister_id = create(inside, cycles)
    install(inside, canister_id, wasm)
    result = inside.run(inside.call(canister_id, "go", arg), inside.calls.update)
    return result, cycles - inside.canisters.get(canister_id).cycles


def on_ledger(inside: Inside) -> int:
    with inside.store.transaction() as db:
        return BALANCES.of(db, Account(OWNER.principal).key)


def test_cycles_that_are_sent_off_arrive_less_the_ledgers_fee(inside: Inside) -> None:
    result, gone = go(inside, calling())
    assert result.reply == bytes(4)
    assert (gone, on_ledger(inside)) == (SENT, SENT - CYCLES_LEDGER_FEE)
    costs = inside.accounts.costs
    call = OutgoingCall(CYCLES_LEDGER_ID.bytes, "deposit", DEPOSIT, SENT)
    paid = result.cycles - costs.on_subnet(costs.update_base + costs.per_instruction * result.instructions)
    assert call_cost(costs, call, 0) < paid < call_cost(costs, call, 100), "the call and its short answer"


@pytest.mark.parametrize(
    ("wasm", "arg"),
    [
        (calling(cycles=CYCLES_LEDGER_FEE), DEPOSIT),  # the ledger traps: too little
        (calling(), b"no candid"),
        (calling(method="nothing"), DEPOSIT),
        (calling(ICP_INDEX_ID, "ledger_id"), encode([], [])),  # takes none
    ],
    ids=["too little", "malformed", "no such method", "takes none"],
)
def test_cycles_that_nobody_takes_come_back(inside: Inside, wasm: bytes, arg: bytes) -> None:
    result, gone = go(inside, wasm, arg)
    assert (result.reply, gone, on_ledger(inside)) == (bytes(4), 0, 0)


@pytest.mark.parametrize(
    ("wasm", "said"),
    [
        (calling(after="(call $trap (i32.const 64) (i32.const 7))"), "deposit"),
        (calling(callback=7), "does not offer calls that wait for an answer"),
        (calling(OWNER.principal), "does not offer calls to canisters that are not the network's own"),
        (calling(cycles=2 * TRILLION), "out of cycles"),
        (calling(before="(drop (call $perform))"), "no call under construction"),
        (calling(perform="(i32.add (call $perform) (call $perform))"), "no call under construction"),
    ],
    ids=["trap afterwards", "callback", "stranger", "more than there is", "nothing begun", "performed twice"],
)
def test_of_a_message_that_fails_nothing_is_sent(inside: Inside, wasm: bytes, said: str) -> None:
    result, gone = go(inside, wasm)
    assert result.reject is not None and said in result.reject.message
    assert (gone, on_ledger(inside)) == (0, 0)


def test_the_call_itself_and_its_answer_must_be_paid_for(inside: Inside) -> None:
    liquid = TRILLION - inside.accounts.execution_cost(inside.limits.update_instructions)
    empty = inside.canisters.get(create(inside, TRILLION))
    all_of_it = liquid - 2 * inside.accounts.freezing_limit(empty)
    result, gone = go(inside, calling(cycles=all_of_it))
    assert result.reply == (2).to_bytes(4, "little"), "SYS_TRANSIENT"
    assert (gone, on_ledger(inside)) == (0, 0)


def test_a_call_that_is_begun_anew_drops_the_one_before(inside: Inside) -> None:
    result, gone = go(inside, calling(before="(call $begin)"))
    assert (result.reply, gone) == (bytes(4), SENT)
    result, gone = go(inside, calling(perform="(i32.const 0)"))
    assert (result.reply, gone) == (bytes(4), 0), "never performed"
