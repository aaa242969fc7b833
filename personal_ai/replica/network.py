"""The whole network in one object: one subnet of one node, its state in one folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from personal_ai.ic.principal import MANAGEMENT, Principal
from personal_ai.ic.profile import CostTable, Limits, Pacing
from personal_ai.replica import background, keys
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.administration import Administration
from personal_ai.replica.background import Background
from personal_ai.replica.call_log import CallLog
from personal_ai.replica.canister_calls import CanisterCalls
from personal_ai.replica.canisters import CANISTER_RANGES, Canisters
from personal_ai.replica.clock import Clock
from personal_ai.replica.code_methods import CodeMethods
from personal_ai.replica.endpoints import Endpoints, Parts
from personal_ai.replica.execution import Executor, Surroundings
from personal_ai.replica.ingress import Ingress
from personal_ai.replica.ingress_history import IngressHistory
from personal_ai.replica.management import Management
from personal_ai.replica.money import treasury
from personal_ai.replica.money.supply import Audit, Supply
from personal_ai.replica.money.treasury import DEFAULT_XDR_PERMYRIAD_PER_ICP, Treasury
from personal_ai.replica.read_state import ReadStateRules
from personal_ai.replica.scheduler import UNPACED, Scheduler
from personal_ai.replica.snapshot_methods import SnapshotMethods
from personal_ai.replica.snapshot_uploads import SnapshotUploads
from personal_ai.replica.snapshots import SNAPSHOTS_FOLDER, Snapshots
from personal_ai.replica.state import StateStore
from personal_ai.replica.state_tree import StateTree


@dataclass(frozen=True, slots=True)
class Options:
    """How a network behaves. `provisional`: canisters and cycles out of nothing, as on development networks."""

    costs: CostTable = field(default_factory=CostTable)
    limits: Limits = field(default_factory=Limits)
    pacing: Pacing = UNPACED
    provisional: bool = False
    xdr_permyriad_per_icp: int = DEFAULT_XDR_PERMYRIAD_PER_ICP


class Network:
    """Opens the state in `folder` and runs it until `close`.

    Raises StorageError, DamagedFileError, UnknownVersionError.
    """

    def __init__(self, folder: Path, options: Options | None = None, clock: Clock | None = None) -> None:
        options, clock = options or Options(), clock or Clock()
        self.keys = keys.load_or_create(folder)
        self._clock = clock
        self._store = store = StateStore(folder)
        root_key_der, subnet_id = self.keys.root.public_key_der, self.keys.subnet_id
        callees = frozenset(one.bytes for one in treasury.IDS)
        around = Surroundings(root_key_der, subnet_id.bytes, options.costs, options.limits, callees)
        executor = Executor(store, around)
        tree = StateTree(self.keys, CANISTER_RANGES, clock)
        history = IngressHistory(store, tree, clock)
        supply = Supply(store)
        accounts = Accounts(store, options.costs, clock, supply)
        canisters = Canisters(store, executor, accounts, tree, supply)
        self._treasury = Treasury(
            store, tree, clock, canisters, accounts=accounts, supply=supply,
            subnet_id=subnet_id, xdr_permyriad_per_icp=options.xdr_permyriad_per_icp,
        )  # fmt: skip
        snapshots = Snapshots(store, accounts, folder / SNAPSHOTS_FOLDER)
        administration = Administration(
            store, accounts, canisters, snapshots, supply, limits=options.limits, provisional=options.provisional
        )
        code = CodeMethods(store, executor, accounts, canisters, options.limits)
        management = Management(
            store, canisters, administration, code,
            snapshots=SnapshotMethods(store, executor, accounts, canisters, snapshots),
            uploads=SnapshotUploads(store, accounts, canisters, snapshots),
        )  # fmt: skip
        calls = CanisterCalls(
            executor,
            accounts,
            canisters,
            options.limits,
            certificate=tree.data_certificate,
            callees=self._treasury.destinations,
        )
        self._background = Background(store, executor, accounts, canisters, options.limits)
        self._scheduler = Scheduler(options.pacing, lambda: self._background.run(history, clock), background.EVERY_S)
        self.call_log = CallLog(store)
        self.endpoints = Endpoints(
            Parts(
                keys=self.keys,
                clock=clock,
                tree=tree,
                history=history,
                call_log=self.call_log,
                accounts=accounts,
                canisters=canisters,
                ingress=Ingress(store, accounts, {MANAGEMENT: management, **self._treasury.destinations}, calls),
                rules=ReadStateRules(store, history, canisters),
                scheduler=self._scheduler,
                limits=options.limits,
            )
        )
        self._scheduler.start()

    def fund(self, owner: Principal, cycles: int) -> int:
        """Gives practice cycles to an account of the cycles ledger; gives the block's index."""
        return self._treasury.cycles_ledger.fund(owner, cycles, self._clock.now_ns())

    def fund_icp(self, owner: Principal, e8s: int) -> int:
        """Gives practice ICP to an account of the ICP ledger; gives the block's index."""
        return self._treasury.icp_ledger.fund(owner, e8s, self._clock.now_ns())

    def canisters_of(self, controller: Principal) -> list[Principal]:
        """The canisters that somebody controls, as public directories of the real network tell it."""
        wanted = controller.bytes
        return [Principal(state.id) for state in self._store.canisters() if wanted in state.controllers]

    def audit(self) -> Audit:
        """Where all cycles and all ICP are."""
        return self._treasury.supply.audit()

    def close(self, timeout_s: float = 10.0) -> bool:
        """Lets the running message end and closes the state; False where the message takes longer.

        Then the process may as well be killed: the message will not have happened.
        """
        if not self._scheduler.stop(timeout_s):
            return False
        self._background.settle_rent(self._clock.now_ns())
        self._store.close()
        return True
