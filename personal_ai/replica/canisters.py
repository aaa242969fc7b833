"""The canisters of this network: making and removing them, and showing them in the state tree."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Mapping

from personal_ai.ic.icp_types import ICP_INDEX_ID
from personal_ai.ic.ledger_types import CYCLES_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_LEDGER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.accounts import Account, Accounts
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canister import CanisterSettings, CanisterState
from personal_ai.replica.execution import Executor
from personal_ai.replica.messages import RejectCode
from personal_ai.replica.money.supply import Supply, Used
from personal_ai.replica.state import StateStore
from personal_ai.replica.state_tree import CanisterRange, CanisterView, StateTree
from personal_ai.replica.wasm.validation import Metadata

# Ids that mainnet has not reached and will not reach soon, so that none can be mistaken for one of its canisters.
_FIRST_NUMBER = 0xFFFF_FFFF_FFE0_0000
_LAST_NUMBER = 0xFFFF_FFFF_FFEF_FFFF
_OPAQUE_SUFFIX = b"\x01\x01"

_SCHEMA = "CREATE TABLE IF NOT EXISTS canister_number (last INTEGER NOT NULL)"


def _numbered(number: int) -> Principal:
    return Principal(number.to_bytes(8, "big") + _OPAQUE_SUFFIX)


CANISTER_RANGES: tuple[CanisterRange, ...] = (
    *((one, one) for one in sorted((ICP_LEDGER_ID, CYCLES_MINTING_CANISTER_ID, ICP_INDEX_ID, CYCLES_LEDGER_ID))),
    (_numbered(_FIRST_NUMBER), _numbered(_LAST_NUMBER)),
)


def is_hosted(canister_id: Principal) -> bool:
    """Whether the id belongs to this network, canister or not."""
    return any(first <= canister_id <= last for first, last in CANISTER_RANGES)


class Canisters:
    """All canisters that run Wasm. Changes happen in the caller's transaction."""

    def __init__(
        self, store: StateStore, executor: Executor, accounts: Accounts, tree: StateTree, supply: Supply
    ) -> None:
        self._supply = supply
        self._store, self._executor, self._accounts, self._tree = store, executor, accounts, tree
        self._showing = threading.Lock()
        self._shown: dict[bytes, CanisterView | None] = {}
        with store.transaction() as db:
            db.execute(_SCHEMA)
        for state in store.canisters():
            self.show(state.id)

    def get(self, canister_id: Principal) -> CanisterState:
        """Raises CallRejected (IC0301)."""
        state = self._store.canister(canister_id.bytes)
        if state is None:
            raise CallRejected(RejectCode.DESTINATION_INVALID, "IC0301", f"Canister {canister_id} not found")
        return state

    def controlled(self, canister_id: Principal, caller: Principal, method: str) -> CanisterState:
        """The canister, if `caller` controls it. Raises CallRejected (IC0301, IC0512)."""
        state = self.get(canister_id)
        if caller.bytes not in state.controllers:
            message = f"Only controllers of canister {canister_id} can call ic00 method {method}"
            raise CallRejected(RejectCode.CANISTER_ERROR, "IC0512", message)
        return state

    def create(
        self,
        db: sqlite3.Connection,
        controllers: Iterable[Principal],
        settings: CanisterSettings,
        cycles: int,
        now: int,
    ) -> Principal:
        """A new, empty canister at `now` (ns). An id is never used again."""
        row = db.execute("SELECT max(last) FROM canister_number").fetchone()
        offset = 0 if row[0] is None else row[0] + 1
        if _FIRST_NUMBER + offset > _LAST_NUMBER:
            raise CallRejected(RejectCode.SYS_FATAL, "IC0102", "The network has no canister ids left")
        db.execute("DELETE FROM canister_number")
        db.execute("INSERT INTO canister_number VALUES (?)", (offset,))
        canister_id = _numbered(_FIRST_NUMBER + offset)
        self._store.create_canister(canister_id.bytes, (one.bytes for one in controllers), settings, cycles)
        self._accounts.save(db, canister_id.bytes, Account(created_ns=now))
        self._store.after_commit(lambda: self.show(canister_id.bytes))  # it has no code, so the executor is not asked
        return canister_id

    def delete(self, db: sqlite3.Connection, canister_id: bytes) -> None:
        """Removes a canister with all that it had, its cycles too."""
        state = self._store.canister(canister_id)
        if state is not None:
            self._supply.note(db, Used.DELETIONS, state.cycles + state.reserved_cycles)
        self._store.delete_canister(canister_id)
        self._accounts.delete(db, canister_id)

    def metadata(self, canister_id: bytes) -> Mapping[str, Metadata]:
        """The module's custom sections by name; empty for a canister without code. Not inside a transaction."""
        interface = self._executor.interface(canister_id)
        return {} if interface is None else interface.metadata

    def shown_metadata_bytes(self, canister_id: bytes) -> int:
        """How much metadata the state tree shows of a canister."""
        view = self._shown.get(canister_id)
        sections = view.metadata or {} if view else {}
        return sum(len(name.encode()) + len(content) for name, content in sections.items())

    def show(self, canister_id: bytes) -> None:
        """Brings the state tree up to date with a canister's committed state. Not inside a transaction."""
        state = self._store.canister(canister_id)
        if state is None:
            self._show(canister_id, None)
            return
        account = self._accounts.account(canister_id)
        sections = {name: section.content for name, section in self.metadata(canister_id).items()}
        view = CanisterView(
            state.controllers, state.certified_data, account.created_ns, state.module_hash, account.installed_ns,
            sections,
        )  # fmt: skip
        self._show(canister_id, view)

    def _show(self, canister_id: bytes, view: CanisterView | None) -> None:
        with self._showing:
            if self._shown.get(canister_id) == view:
                return
            self._tree.set_canister(canister_id, view)
            self._shown[canister_id] = view
