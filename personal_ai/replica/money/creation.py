"""A canister made for cycles: what the cycles ledger and the cycles minting canister have in common."""

from __future__ import annotations

import sqlite3
from typing import Any

from personal_ai.ic.principal import Principal
from personal_ai.replica import settings
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.money.supply import Supply, Used


class Creation:
    """Makes canisters on the network's one subnet, in the caller's transaction."""

    def __init__(self, subnet_id: Principal, canisters: Canisters, accounts: Accounts, supply: Supply) -> None:
        self._subnet_id, self._canisters, self._accounts, self._supply = subnet_id, canisters, accounts, supply

    def create(
        self,
        db: sqlite3.Connection,
        owner: Principal,
        cycles: int,
        now_ns: int,
        *,
        given: dict[str, Any] | None,
        subnet: tuple[str, dict[str, Any]] | None,
    ) -> Principal:
        """A canister that holds `cycles` less the price of its creation. `given`: settings, `subnet`: where.

        Raises CallRejected; then nothing has changed.
        """
        self._check_subnet(subnet)
        fee = self._accounts.costs.on_subnet(self._accounts.costs.creation)
        if cycles < fee:
            raise settings.invalid(f"Creating a canister requires a fee of {fee} cycles, but only {cycles} were sent.")
        controllers = settings.controllers(given, (owner,))
        chosen = settings.changed(CanisterSettings(), given)
        canister_id = self._canisters.create(db, controllers, chosen, cycles - fee, now_ns)
        self._supply.note(db, Used.CREATIONS, fee)
        return canister_id

    def _check_subnet(self, selection: tuple[str, dict[str, Any]] | None) -> None:
        if selection is None:
            return
        case, wanted = selection
        if case == "Subnet" and wanted["subnet"] != self._subnet_id:
            raise settings.invalid(f"Subnet {wanted['subnet']} does not exist.")
        if case == "Filter" and wanted["subnet_type"] is not None:
            raise settings.invalid(f"Provided subnet type {wanted['subnet_type']} does not exist.")
