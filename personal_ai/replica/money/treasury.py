"""All canisters that hold money, as the network puts them together."""

from __future__ import annotations

from collections.abc import Mapping

from personal_ai.ic import hash_tree
from personal_ai.ic.icp_types import ICP_INDEX_ID
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.clock import Clock
from personal_ai.replica.money.builtin import BuiltInCanister
from personal_ai.replica.money.creation import Creation
from personal_ai.replica.money.cycles_ledger import CyclesLedger
from personal_ai.replica.money.cycles_minting import CyclesMinting, Rate, Targets
from personal_ai.replica.money.icp_index import IcpIndex
from personal_ai.replica.money.icp_ledger import IcpLedger
from personal_ai.replica.money.supply import Supply
from personal_ai.replica.state import StateStore
from personal_ai.replica.state_tree import CanisterView, StateTree

IDS = (ICP_LEDGER_ID, CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_INDEX_ID)
DEFAULT_XDR_PERMYRIAD_PER_ICP = 30_000  # 3 XDR: an assumption, the real rate changes every few minutes
_NS_PER_S = 10**9


class Treasury:
    """`destinations`: the canisters by id, for the network's ingress."""

    def __init__(
        self,
        store: StateStore,
        tree: StateTree,
        clock: Clock,
        canisters: Canisters,
        *,
        accounts: Accounts,
        supply: Supply,
        subnet_id: Principal,
        xdr_permyriad_per_icp: int = DEFAULT_XDR_PERMYRIAD_PER_ICP,
    ) -> None:
        self.supply = supply
        creation = Creation(subnet_id, canisters, accounts, supply)
        self.icp_ledger = IcpLedger(store)
        self.cycles_ledger = CyclesLedger(store, canisters, accounts, creation, supply)
        now_ns, minting_id = clock.now_ns(), CYCLES_MINTING_CANISTER_ID.bytes
        rate = Rate(xdr_permyriad_per_icp, now_ns // _NS_PER_S)
        tree.set_canister(minting_id, CanisterView((), hash_tree.root_hash(rate.tree), now_ns))
        targets = Targets(canisters, accounts, creation, self.cycles_ledger, supply)
        self.cycles_minting = CyclesMinting(store, targets, rate, subnet_id, lambda: tree.data_certificate(minting_id))
        self.icp_index = IcpIndex(store)

    @property
    def destinations(self) -> Mapping[Principal, BuiltInCanister]:
        all_of_them = (self.icp_ledger, self.cycles_ledger, self.cycles_minting, self.icp_index)
        return {one.id: one for one in all_of_them}
