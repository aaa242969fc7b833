"""A network's parts without a process, with a clock that the test sets."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personal_ai.ic.candid import Type, Variant, decode, encode
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import CostTable, Limits
from personal_ai.replica import keys
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import Result, Task
from personal_ai.replica.canister_calls import CanisterCalls
from personal_ai.replica.canisters import CANISTER_RANGES, Canisters
from personal_ai.replica.clock import Clock
from personal_ai.replica.envelope import Call
from personal_ai.replica.execution import Executor
from personal_ai.replica.money import treasury
from personal_ai.replica.money.builtin import BuiltInCanister
from personal_ai.replica.money.cycles_ledger import CyclesLedger
from personal_ai.replica.money.supply import Supply
from personal_ai.replica.money.treasury import Treasury
from personal_ai.replica.state import StateStore
from personal_ai.replica.state_tree import StateTree
from personal_ai.replica.system_api.context import Surroundings
from tests.replica.network.running import OWNER

SECOND_NS = 10**9
DAY_NS = 24 * 3600 * SECOND_NS
NOW_NS = 1_800_000_000 * SECOND_NS


class SetClock(Clock):
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        super().__init__()
        self.time_ns = NOW_NS

    def now_ns(self) -> int:
        return self.time_ns


@dataclass
class Inside:
    """Everything below the endpoints."""

    store: StateStore
    clock: SetClock
    tree: StateTree
    executor: Executor
    accounts: Accounts
    canisters: Canisters
    treasury: Treasury
    network_keys: keys.NetworkKeys
    limits: Limits

    @classmethod
    def open(cls, folder: Path, costs: CostTable | None = None) -> Inside:
        network_keys, store, clock = keys.load_or_create(folder), StateStore(folder), SetClock()
        around = Surroundings(callees=frozenset(one.bytes for one in treasury.IDS))
        tree, executor = StateTree(network_keys, CANISTER_RANGES, clock), Executor(store, around)
        supply = Supply(store)
        accounts = Accounts(store, costs or CostTable(), clock, supply)
        canisters = Canisters(store, executor, accounts, tree, supply)
        subnet_id = network_keys.subnet_id
        money = Treasury(store, tree, clock, canisters, accounts=accounts, supply=supply, subnet_id=subnet_id)
        return cls(store, clock, tree, executor, accounts, canisters, money, network_keys, Limits())

    def call(self, canister_id: Principal, method: str, arg: bytes = b"", sender: Principal = OWNER.principal) -> Call:
        """An authenticated call, each with an id of its own if its parts differ."""
        request_id = hashlib.sha256(repr((canister_id, method, arg, sender)).encode()).digest()
        expiry_ns = self.clock.now_ns() + 240 * SECOND_NS
        return Call(request_id, sender, expiry_ns, None, canister_id, method, arg, len(arg) + len(method))

    def run(self, call: Call, carry_out: Callable[[Task], None]) -> Result:
        """How a call ends."""
        results: list[Result] = []
        carry_out(Task(call, call.canister_id, self.clock.now_ns(), lambda _, result: results.append(result)))
        (result,) = results
        return result

    def asked(
        self,
        canister: BuiltInCanister,
        method: str,
        types: tuple[Type, Type],
        fields: Any,
        sender: Principal = OWNER.principal,
    ) -> Any:
        """What one of the canisters with money answers to an update; `types`: of the argument and of the answer."""
        args, result = types
        ended = self.run(self.call(canister.id, method, encode([args], [fields]), sender), canister.update)
        assert ended.reply is not None
        return decode([result], ended.reply)[0]

    def on_ledger(self, method: str, args: Type, result: Variant, fields: dict[str, Any]) -> Any:
        """What the cycles ledger answers to the owner of the tests' accounts."""
        return self.asked(self.ledger, method, (args, result), fields)

    @property
    def calls(self) -> CanisterCalls:
        """Of the canisters that run Wasm."""
        return CanisterCalls(
            self.executor,
            self.accounts,
            self.canisters,
            self.limits,
            certificate=lambda _: b"",
            callees=self.treasury.destinations,
        )

    @property
    def ledger(self) -> CyclesLedger:
        return self.treasury.cycles_ledger

    @property
    def ledger_id(self) -> Principal:
        return self.ledger.id

    def balanced(self) -> bool:
        """Whether all cycles and all ICP are where they belong."""
        audit = self.treasury.supply.audit()
        return (audit.unaccounted_cycles, audit.unaccounted_e8s) == (0, 0)
