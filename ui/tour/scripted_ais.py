"""Canisters of a scripted core: figures like those of real ones, kept in memory, and a hook before each call."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from personal_ai.app.canisters import Engine, Look
from personal_ai.app.controllers import Control
from personal_ai.app.money import Offer
from personal_ai.app.networks import PRACTICE
from personal_ai.app.runway import Tended
from personal_ai.app.snapshots import SnapshotPrice
from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Progress, ProgressCallback
from personal_ai.deployments import controllers, runway
from personal_ai.deployments.bill import Line
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.removal import Loss
from personal_ai.deployments.runway import Reading
from personal_ai.ic.management import CanisterSettings, CanisterStatus, LogLine, RunState
from personal_ai.ic.management_snapshots import Snapshot
from personal_ai.ic.principal import Principal
from personal_ai.identities.linking import LinkWarning
from personal_ai.identities.vault import IdentityRecord
from personal_ai.wallet.journal import Kind, Payment, State
from personal_ai.wallet.wallet import Preview
from ui.tour.scripted_wallet import payment

_T = 10**12
_NS_PER_S, _S_PER_DAY = 10**9, 86_400
_DAY_NS = _S_PER_DAY * _NS_PER_S
_FEE = 100_000_000
_RENT_PER_DAY = 9_600_000_000
_FREEZING_DAYS = 90
_MEMORY_BYTES = 143_000_000
_BILL = (
    Line("create and install", 528_000_000_000, 527_300_000_000),
    Line("upload", 314_000_000_000, 313_900_000_000),
    Line("verify", 9_100_000_000, None),
    Line("storage of a day", _RENT_PER_DAY, _RENT_PER_DAY),
)
_CANISTER_OF_NOBODY = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
UNREACHED = NetworkUnreachableError(
    "The practice network does not answer.",
    not_lost="Your canisters and what is in them are untouched.",
    next_step="Start it, then look again.",
)


@dataclass
class ScriptedCanister:
    """One canister. health: what is told unless it is stopped."""

    cycles: int = 3_410_000_000_000
    rent_per_day: int = _RENT_PER_DAY
    health: Health = Health.ANSWERING
    engine: Engine = Engine.SHIPPED
    stopped: bool = False
    freezing_days: float = _FREEZING_DAYS
    reserved_limit: int = 5 * _T
    memory_limit_bytes: int = 3 << 30
    readings: list[Reading] = field(default_factory=lambda: burned(3_410_000_000_000))
    budget: Budget | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)
    added: list[Principal] = field(default_factory=list)
    identity_safe: bool = True


@dataclass
class ScriptedAis:
    """`before` is called with the name of each call and its cancel token: it may raise or wait.

    account: cycles of each deployment's own identity. steps: of what takes long. asked: what was called, in order.
    """

    before: Callable[[str, Cancel], None] = lambda _, __: None
    account: int = 0
    warning: LinkWarning | None = None
    steps: Sequence[Progress] = (
        Progress("Keeping the state of before", 1, 1, "step"),
        Progress("Uploading the weights", 84_000_000, 148_000_000, "bytes", 1_900_000.0, 34.0),
    )
    tended: Tended = field(default_factory=Tended)
    payments: list[Payment] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    by_id: dict[str, ScriptedCanister] = field(default_factory=dict)

    def canister(self, deployment: Deployment) -> ScriptedCanister:
        return self.by_id.setdefault(deployment.id, ScriptedCanister())

    def call(self, name: str, deployment: Deployment, cancel: Cancel | None = None) -> ScriptedCanister:
        self.asked.append(name)
        token = cancel or Cancel()
        self.before(name, token)
        token.raise_if_cancelled()
        return self.canister(deployment)

    def play(self, on_progress: ProgressCallback, cancel: Cancel) -> None:
        for progress in self.steps:
            on_progress(progress)
            self.before(progress.step, cancel)
            cancel.raise_if_cancelled()


@dataclass
class ScriptedCanisters:
    ais: ScriptedAis
    forget: Callable[[Deployment], None]

    def look(self, deployment: Deployment, cancel: Cancel) -> Look:
        found = self.ais.call("look", deployment, cancel)
        status = _status(found, deployment)
        health = Health.STOPPED if found.stopped else found.health
        seen = runway.forecast(status, found.readings)
        return Look(status, health, found.engine, seen, found.budget, None, _BILL)

    def stop(self, deployment: Deployment) -> CanisterStatus:
        found = self.ais.call("stop", deployment)
        found.stopped = True
        return _status(found, deployment)

    def start(self, deployment: Deployment) -> CanisterStatus:
        found = self.ais.call("start", deployment)
        found.stopped = False
        return _status(found, deployment)

    def change(self, deployment: Deployment, settings: CanisterSettings) -> CanisterStatus:
        found = self.ais.call("change", deployment)
        if settings.freezing_threshold is not None:
            found.freezing_days = settings.freezing_threshold / _S_PER_DAY
        if settings.reserved_cycles_limit is not None:
            found.reserved_limit = settings.reserved_cycles_limit
        if settings.wasm_memory_limit is not None:
            found.memory_limit_bytes = settings.wasm_memory_limit
        return _status(found, deployment)

    def log(self, deployment: Deployment, from_index: int = 0) -> list[LogLine]:
        return [line for line in self.ais.call("log", deployment).lines if line.index >= from_index]

    def loss(self, deployment: Deployment) -> Loss | None:
        found = self.ais.call("loss", deployment)
        return Loss(found.cycles, _MEMORY_BYTES, len(found.snapshots), found.cycles * 9 // 10)

    def delete(self, deployment: Deployment, *, confirmed: str, on_progress: ProgressCallback, cancel: Cancel) -> int:
        if confirmed != deployment.name:
            raise BadInputError(f"To delete {deployment.name}, confirm its name.", not_lost="Nothing was deleted.")
        found = self.ais.call("delete", deployment)
        self.forget(deployment)
        return found.cycles * 9 // 10


@dataclass
class ScriptedRunways:
    ais: ScriptedAis

    def readings(self, deployment: Deployment) -> list[Reading]:
        return list(self.ais.canister(deployment).readings)

    def set_budget(self, deployment: Deployment, budget: Budget | None) -> None:
        self.ais.call("set_budget", deployment).budget = budget

    def offer(self, deployment: Deployment, cycles: int) -> Offer:
        self.ais.call("offer", deployment)
        target = deployment.canister_id or _CANISTER_OF_NOBODY
        return Offer(Preview(Kind.TOP_UP, target, cycles, _FEE, self.ais.account), self.ais.warning)

    def top_up(self, deployment: Deployment, preview: Preview, cancel: Cancel) -> Payment:
        made = payment(Kind.TOP_UP, preview.amount, preview.target, State.INTENDED)
        self.ais.payments.insert(0, made)
        found = self.ais.call("top_up", deployment, cancel)
        if deployment.network != PRACTICE:
            self.ais.account -= preview.total
        found.cycles += preview.amount
        found.readings.append(Reading(time.time_ns(), found.cycles))
        self.ais.payments[0] = replace(made, state=State.DONE)
        return self.ais.payments[0]

    def tend(self, cancel: Cancel) -> Tended:
        self.ais.before("tend", cancel)
        tended, self.ais.tended = self.ais.tended, Tended()
        return tended


@dataclass
class ScriptedUpkeep:
    ais: ScriptedAis
    replaced: Callable[[Deployment, str], Deployment]

    def upgrade(self, deployment: Deployment, on_progress: ProgressCallback, cancel: Cancel) -> bool:
        found = self.ais.call("upgrade", deployment, cancel)
        self.ais.play(on_progress, cancel)
        changed = found.engine is not Engine.SHIPPED
        found.engine, found.health = Engine.SHIPPED, Health.ANSWERING
        return changed

    def replace(self, deployment: Deployment, model: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        self.ais.call("replace", deployment, cancel)
        self.ais.play(on_progress, cancel)
        return self.replaced(deployment, model)


@dataclass
class ScriptedSnapshots:
    ais: ScriptedAis

    def kept(self, deployment: Deployment) -> list[Snapshot]:
        return list(self.ais.call("kept", deployment).snapshots)

    def price(self, deployment: Deployment) -> SnapshotPrice:
        self.ais.call("price", deployment)
        return SnapshotPrice(61_000_000_000, 1_460_000_000)

    def take(self, deployment: Deployment) -> Snapshot:
        found = self.ais.call("take", deployment)
        found.snapshots.insert(0, snapshot(len(found.snapshots)))
        return found.snapshots[0]

    def restore(self, deployment: Deployment, named: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        self.ais.call("restore", deployment, cancel)
        self.ais.play(on_progress, cancel)
        return deployment

    def download(
        self, deployment: Deployment, named: str, folder: Path, on_progress: ProgressCallback, cancel: Cancel
    ) -> Snapshot:
        found = self.ais.call("download", deployment, cancel)
        self.ais.play(on_progress, cancel)
        return next(one for one in found.snapshots if one.id.hex() == named)

    def upload(self, deployment: Deployment, folder: Path, on_progress: ProgressCallback, cancel: Cancel) -> Snapshot:
        found = self.ais.call("upload", deployment, cancel)
        self.ais.play(on_progress, cancel)
        found.snapshots.insert(0, snapshot(len(found.snapshots)))
        return found.snapshots[0]

    def delete(self, deployment: Deployment, named: str) -> Snapshot:
        found = self.ais.call("delete_snapshot", deployment)
        gone = next(one for one in found.snapshots if one.id.hex() == named)
        found.snapshots.remove(gone)
        return gone


@dataclass
class ScriptedControllers:
    """identities: of the vault."""

    ais: ScriptedAis
    identities: Callable[[], Sequence[IdentityRecord]]

    def read(self, deployment: Deployment) -> Control:
        found = self.ais.call("controllers", deployment)
        own = IdentityRecord(1, deployment.name, Principal.from_text(deployment.principal), found.identity_safe)
        known = controllers.known([own.principal, *found.added], [own, *self.identities()])
        return Control(
            Principal.from_text(deployment.canister_id or _CANISTER_OF_NOBODY), known, controllers.worry(known)
        )

    def link_warning(self, deployment: Deployment, added: Principal) -> LinkWarning | None:
        self.ais.call("link_warning", deployment)
        return self.ais.warning

    def add(self, deployment: Deployment, added: Principal) -> Control:
        self.ais.call("add", deployment).added.append(added)
        return self.read(deployment)

    def remove(self, deployment: Deployment, removed: Principal) -> Control:
        self.ais.call("remove", deployment).added.remove(removed)
        return self.read(deployment)

    def prove(self, deployment: Deployment, principal: Principal) -> None:
        self.ais.call("prove", deployment)


def burned(cycles: int, *, per_day: int = 12_300_000_000, days: int = 58) -> list[Reading]:
    """Readings of some weeks that end now with `cycles`, with a top-up in the middle."""
    now_ns = time.time_ns()
    before = [
        Reading(now_ns - at * _DAY_NS, cycles + at * per_day - (900_000_000_000 if at > days // 2 else 0))
        for at in range(days, 0, -2)
    ]
    return [*before, Reading(now_ns, cycles)]


def snapshot(number: int, *, days_ago: float = 0.0) -> Snapshot:
    taken_at_ns = time.time_ns() - round(days_ago * _DAY_NS)
    return Snapshot(bytes([0] * 15 + [number]), taken_at_ns, _MEMORY_BYTES)


def _status(found: ScriptedCanister, deployment: Deployment) -> CanisterStatus:
    return CanisterStatus(
        state=RunState.STOPPED if found.stopped else RunState.RUNNING,
        controllers=(Principal.from_text(deployment.principal), *found.added),
        module_hash=None if found.engine is Engine.NONE else bytes.fromhex(deployment.module_hash or "00" * 32),
        version=3,
        cycles=found.cycles,
        reserved_cycles=0,
        idle_cycles_per_day=found.rent_per_day,
        memory_bytes=_MEMORY_BYTES,
        heap_bytes=_MEMORY_BYTES // 2,
        stable_bytes=_MEMORY_BYTES // 2,
        freezing_threshold_s=round(found.freezing_days * _S_PER_DAY),
        memory_allocation_bytes=0,
        compute_allocation_percent=0,
        reserved_cycles_limit=found.reserved_limit,
        wasm_memory_limit_bytes=found.memory_limit_bytes,
    )
