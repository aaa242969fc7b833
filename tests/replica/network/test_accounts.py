"""Money: rent by the second, frozen canisters, and the end of those that have nothing left."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import CostTable
from personal_ai.replica.background import Background
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canister import CanisterSettings, CanisterState
from personal_ai.replica.ingress_history import IngressHistory
from personal_ai.replica.messages import Entry, InstallMode, Message
from tests.replica.network.inside import NOW_NS, SECOND_NS, Inside
from tests.replica.network.running import OWNER, TRILLION

GIB = 1 << 30
COSTS = CostTable()


def create(inside: Inside, cycles: int, settings: CanisterSettings | None = None) -> Principal:
    with inside.store.transaction() as db:
        return inside.canisters.create(db, [OWNER.principal], settings or CanisterSettings(), cycles, NOW_NS)


def install(inside: Inside, canister_id: Principal, wasm: bytes) -> None:
    message = Message(Entry.INIT, OWNER.principal.bytes, b"", NOW_NS, 10**11, replicated=True)
    outcome = inside.executor.install(canister_id.bytes, wasm, InstallMode.INSTALL, message)
    assert outcome.reject is None


def with_account(inside: Inside, canister_id: Principal, **changes: int) -> CanisterState:
    with inside.store.transaction() as db:
        inside.accounts.save(db, canister_id.bytes, replace(inside.accounts.account(canister_id.bytes), **changes))
    return inside.canisters.get(canister_id)


def test_an_empty_canister_pays_the_flat_rate(inside: Inside) -> None:
    state = inside.canisters.get(create(inside, TRILLION))
    assert inside.accounts.balance(state, NOW_NS + 1000 * SECOND_NS) == TRILLION - 1000 * COSTS.canister_per_second
    assert inside.accounts.burned_per_day(state) == 86_400 * COSTS.canister_per_second
    assert inside.accounts.freezing_limit(state) == 2_592_000 * COSTS.canister_per_second


def test_memory_is_charged_by_the_gib_and_second(inside: Inside) -> None:
    state = with_account(inside, create(inside, TRILLION), module_bytes=GIB // 2, chunks=512)
    assert inside.accounts.memory_bytes(state) == GIB
    per_second = COSTS.storage_per_gib_second + COSTS.canister_per_second
    assert inside.accounts.balance(state, NOW_NS + 10 * SECOND_NS) == TRILLION - 10 * per_second


def test_allocations_are_charged_whether_used_or_not(inside: Inside) -> None:
    settings = CanisterSettings(memory_allocation=2 * GIB, compute_allocation=3)
    state = inside.canisters.get(create(inside, TRILLION, settings))
    expected = 2 * COSTS.storage_per_gib_second + 3 * COSTS.compute_percent_per_second + COSTS.canister_per_second
    assert inside.accounts.burned_per_day(state) == 86_400 * expected


def test_a_larger_subnet_costs_more(tmp_path: Path) -> None:
    inside = Inside.open(tmp_path / "large", CostTable(nodes=34))
    assert inside.accounts.ingress_cost(100) == -(-(1_200_000 + 2_000 * 100) * 34 // 13)
    inside.store.close()


def test_charges_settle_the_rent_once(inside: Inside) -> None:
    canister_id = create(inside, TRILLION)
    inside.clock.time_ns += 100 * SECOND_NS
    for _ in range(2):
        with inside.store.transaction():
            inside.accounts.charge(canister_id.bytes, 1000, inside.clock.now_ns())
    state = inside.canisters.get(canister_id)
    assert state.cycles == TRILLION - 100 * COSTS.canister_per_second - 2000
    assert inside.accounts.balance(state, inside.clock.now_ns()) == state.cycles


def test_nothing_is_charged_while_the_network_is_off(inside: Inside, tmp_path: Path) -> None:
    canister_id = create(inside, TRILLION)
    inside.store.close()
    again = Inside.open(tmp_path / "inside")
    state = again.canisters.get(canister_id)
    assert again.accounts.balance(state, NOW_NS + 5 * SECOND_NS) == TRILLION - 5 * COSTS.canister_per_second
    inside.store = again.store


def test_a_rolled_back_account_is_as_before(inside: Inside) -> None:
    canister_id = create(inside, TRILLION)
    with pytest.raises(ZeroDivisionError), inside.store.transaction() as db:
        inside.accounts.save(db, canister_id.bytes, replace(inside.accounts.account(canister_id.bytes), chunks=9))
        assert inside.accounts.account(canister_id.bytes).chunks == 9
        raise ZeroDivisionError
    assert inside.accounts.account(canister_id.bytes).chunks == 0


def test_a_frozen_canister_answers_nothing(inside: Inside, echo_wasm: bytes) -> None:
    canister_id = create(inside, 10**9)
    install(inside, canister_id, echo_wasm)
    for attempt in (
        lambda: inside.calls.query(inside.call(canister_id, "get"), NOW_NS),
        lambda: inside.calls.accept(inside.call(canister_id, "inc"), NOW_NS),
        lambda: inside.run(inside.call(canister_id, "inc"), inside.calls.update),
    ):
        with pytest.raises(CallRejected) as caught:
            attempt()
        assert caught.value.error_code == "IC0207"


def test_an_update_needs_its_whole_limit_before_and_pays_what_it_used(inside: Inside, echo_wasm: bytes) -> None:
    canister_id = create(inside, TRILLION)
    install(inside, canister_id, echo_wasm)
    state = inside.canisters.get(canister_id)
    limit = inside.accounts.execution_cost(inside.limits.update_instructions) + inside.accounts.freezing_limit(state)
    with inside.store.transaction():
        inside.store.save(replace(state, cycles=limit - 1))
    with pytest.raises(CallRejected, match="at least 1 additional"):
        inside.run(inside.call(canister_id, "inc"), inside.calls.update)
    with inside.store.transaction():
        inside.accounts.deposit(canister_id.bytes, 1)
    result = inside.run(inside.call(canister_id, "inc"), inside.calls.update)
    assert result.cycles == COSTS.update_base + result.instructions
    assert result.instructions < 10**6


def test_who_has_nothing_left_loses_its_code(inside: Inside, echo_wasm: bytes) -> None:
    poor, rich = create(inside, 10**6), create(inside, TRILLION)
    for canister_id in (poor, rich):
        install(inside, canister_id, echo_wasm)
    background = Background(inside.store, inside.executor, inside.accounts, inside.canisters, inside.limits)
    background.settle_rent(NOW_NS + SECOND_NS)
    assert inside.canisters.get(poor).module_hash is not None
    background.settle_rent(NOW_NS + 10_000 * SECOND_NS)
    assert inside.canisters.get(poor).module_hash is None
    assert inside.canisters.get(poor).memory_bytes == 0
    assert inside.canisters.get(rich).module_hash is not None


def test_timers_fire_once_and_are_paid_for(inside: Inside, echo_wasm: bytes) -> None:
    canister_id = create(inside, TRILLION)
    install(inside, canister_id, echo_wasm)
    at_ns = NOW_NS + 5 * SECOND_NS
    inside.run(inside.call(canister_id, "set_timer", at_ns.to_bytes(8, "little")), inside.calls.update)
    background = Background(inside.store, inside.executor, inside.accounts, inside.canisters, inside.limits)
    history = IngressHistory(inside.store, inside.tree, inside.clock)

    def ticks() -> int:
        return int.from_bytes(inside.calls.query(inside.call(canister_id, "facts"), NOW_NS)[:8], "little")

    background.run(history, inside.clock)
    assert ticks() == 0
    inside.clock.time_ns = at_ns
    cycles = inside.canisters.get(canister_id).cycles
    for _ in range(2):
        background.run(history, inside.clock)
    assert ticks() == 1
    assert inside.canisters.get(canister_id).cycles < cycles - COSTS.update_base


def test_accounts_of_older_states_have_no_snapshots(tmp_path: Path) -> None:
    folder = tmp_path / "older"
    inside = Inside.open(folder)
    canister_id = create(inside, TRILLION)
    with inside.store.transaction() as db:
        db.execute("ALTER TABLE canister_account DROP COLUMN snapshot_bytes")
    inside.store.close()
    again = Inside.open(folder)
    assert again.accounts.account(canister_id.bytes).snapshot_bytes == 0
    again.store.close()
