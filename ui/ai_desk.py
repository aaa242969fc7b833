"""The AIs as their page uses them: looked at, kept alive, and changed, off the window's thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal
from ui.ai_work import AiWork
from ui.bridge import Lane, Operation, Task
from ui.core import Core
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.app.canisters import Look
    from personal_ai.app.controllers import Control
    from personal_ai.app.money import Offer
    from personal_ai.app.snapshots import SnapshotPrice
    from personal_ai.deployments.burn_history import Budget
    from personal_ai.deployments.removal import Loss
    from personal_ai.deployments.runway import Reading
    from personal_ai.ic.management import CanisterSettings, CanisterStatus, LogLine
    from personal_ai.ic.management_snapshots import Snapshot
    from personal_ai.identities.linking import LinkWarning
    from personal_ai.identities.vault import IdentityRecord
    from personal_ai.identities.vault_notes import Contact
    from personal_ai.wallet.journal import Payment
    from personal_ai.wallet.wallet import Preview

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Sight:
    """An AI as it was at one time."""

    seen_at_ns: int
    look: Look
    control: Control


@dataclass(slots=True)
class AiView:
    """What is known of one AI. problem: why nobody could look the last time; the sight of before then stays.

    readings: of its cycles, the newest last; they are kept on this computer.
    """

    sight: Sight | None = None
    readings: list[Reading] = field(default_factory=list)
    problem: UserFacingError | None = None
    looking: bool = False
    stale: bool = False  # it was changed since the look that is under way began


@dataclass(frozen=True, slots=True)
class _Touched:
    """News of an operation: it has done what it could, and the AI may be another than before."""


class AiDesk(QObject):
    """`seen` carries the id of a deployment of which something else is known. `work` is what takes long."""

    seen = Signal(str)

    def __init__(self, profile: Profile, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile
        self._views: dict[str, AiView] = {}
        self.work = AiWork(profile, self)
        self.work.ended.connect(self.look)

    def view(self, deployment: Deployment) -> AiView:
        return self._views.setdefault(deployment.id, AiView())

    # Looking

    def look(self, deployment: Deployment) -> None:
        """Asks the network how it is; what was known stays until there is an answer."""
        view = self.view(deployment)
        if deployment.canister_id is None:
            return
        if view.looking:
            view.stale = True
            return
        view.looking, view.stale = True, False
        self._profile.bridge.run(lambda task: self._sight(deployment, task), lane=Lane.LOOK).on_success(
            lambda sight: self._take_sight(view, sight)
        ).on_failure(lambda error: self._take_problem(view, error)).on_end(lambda: self._end_look(deployment, view))

    def look_at_all(self) -> None:
        for deployment in self._profile.overview.deployments:
            self.look(deployment)

    def _sight(self, deployment: Deployment, task: Task) -> Sight:
        """On the lane's thread."""
        look = self._core.canisters.look(deployment, task.cancel)
        return Sight(time.time_ns(), look, self._core.controllers.read(deployment))

    def _take_sight(self, view: AiView, sight: Sight) -> None:
        view.sight, view.problem = sight, None

    def _take_problem(self, view: AiView, error: UserFacingError) -> None:
        view.problem = error

    def _end_look(self, deployment: Deployment, view: AiView) -> None:
        view.looking = False
        if view.stale:
            self.look(deployment)
        self._profile.bridge.run(lambda _: self._core.runway.readings(deployment)).on_success(
            lambda readings: self._take_readings(deployment, view, readings)
        ).on_failure(lambda _: self.seen.emit(deployment.id))

    def _take_readings(self, deployment: Deployment, view: AiView, readings: list[Reading]) -> None:
        view.readings = readings
        self.seen.emit(deployment.id)

    # Cycles

    def offer_top_up(self, deployment: Deployment, cycles: int) -> Operation[Offer]:
        return self._profile.bridge.run(lambda _: self._core.runway.offer(deployment, cycles), lane=Lane.MONEY)

    def top_up(self, deployment: Deployment, preview: Preview) -> Operation[Payment]:
        return self._touch(
            lambda task: self._core.runway.top_up(deployment, preview, task.cancel),
            Lane.MONEY,
            lambda: self.look(deployment),
        )

    def set_budget(self, deployment: Deployment, budget: Budget | None) -> Operation[None]:
        return self._care(deployment, lambda: self._core.runway.set_budget(deployment, budget))

    # Snapshots, log

    def read_snapshots(self, deployment: Deployment) -> Operation[tuple[list[Snapshot], SnapshotPrice]]:
        """Those that are kept, and what one more would cost."""
        doors = self._core.snapshots
        return self._profile.bridge.run(lambda _: (doors.kept(deployment), doors.price(deployment)), lane=Lane.LOOK)

    def take_snapshot(self, deployment: Deployment) -> Operation[Snapshot]:
        return self._care(deployment, lambda: self._core.snapshots.take(deployment))

    def delete_snapshot(self, deployment: Deployment, snapshot: Snapshot) -> Operation[Snapshot]:
        return self._care(deployment, lambda: self._core.snapshots.delete(deployment, snapshot.id.hex()))

    def read_log(self, deployment: Deployment, from_index: int) -> Operation[list[LogLine]]:
        return self._profile.bridge.run(lambda _: self._core.canisters.log(deployment, from_index), lane=Lane.LOOK)

    # Who controls it, settings, stopping

    def people(self) -> Operation[tuple[Sequence[IdentityRecord], Sequence[Contact]]]:
        """One's own identities, and who else is known."""
        return self._profile.bridge.run(lambda _: (self._core.vault.identities, self._core.vault.notes.contacts))

    def link_warning(self, deployment: Deployment, added: Principal) -> Operation[LinkWarning | None]:
        return self._profile.bridge.run(
            lambda _: self._core.controllers.link_warning(deployment, added), lane=Lane.LOOK
        )

    def add_controller(self, deployment: Deployment, added: str) -> Operation[Control]:
        """added: a principal as it was typed."""
        return self._care(
            deployment, lambda: self._core.controllers.add(deployment, Principal.from_text(added.strip()))
        )

    def remove_controller(self, deployment: Deployment, removed: Principal) -> Operation[Control]:
        return self._care(deployment, lambda: self._core.controllers.remove(deployment, removed))

    def prove_controller(self, deployment: Deployment, principal: Principal) -> Operation[None]:
        return self._care(deployment, lambda: self._core.controllers.prove(deployment, principal))

    def change_settings(self, deployment: Deployment, settings: CanisterSettings) -> Operation[CanisterStatus]:
        return self._care(deployment, lambda: self._core.canisters.change(deployment, settings))

    def switch(self, deployment: Deployment, *, running: bool) -> Operation[CanisterStatus]:
        canisters = self._core.canisters
        return self._care(deployment, lambda: canisters.start(deployment) if running else canisters.stop(deployment))

    def _care(self, deployment: Deployment, act: Callable[[], T]) -> Operation[T]:
        """A short change, after which the AI is looked at again."""
        return self._touch(lambda _: act(), Lane.CARE, lambda: self.look(deployment))

    def _touch(self, work: Callable[[Task], T], lane: Lane, then: Callable[[], object]) -> Operation[T]:
        """Work after which something is to be read again, however it ends; whoever asked sets the other callbacks."""

        def touching(task: Task) -> T:
            try:
                return work(task)
            finally:
                task.tell(_Touched())

        return self._profile.bridge.run(touching, lane=lane).on(_Touched, lambda _: then())

    # Coming and going

    def networks(self) -> Operation[tuple[str, ...]]:
        return self._profile.bridge.run(lambda _: self._core.money.networks())

    def adopt(self, canister: str, network: str, name: str) -> Operation[Deployment]:
        """Takes on a canister that one of the vault's identities controls; its number as it was typed."""
        return self._touch(
            lambda task: self._core.safekeeping.recover(
                Principal.from_text(canister.strip()),
                network=network,
                name=name.strip() or None,
                on_progress=task.tell,
                cancel=task.cancel,
            ),
            Lane.DEPLOY,
            self._profile.refresh,
        )

    def loss(self, deployment: Deployment) -> Operation[Loss | None]:
        """What deleting it would lose."""
        return self._profile.bridge.run(lambda _: self._core.canisters.loss(deployment), lane=Lane.LOOK)

    def delete(self, deployment: Deployment, confirmed: str) -> Operation[int]:
        """The cycles that came back from it."""
        return self._touch(
            lambda task: self._core.canisters.delete(
                deployment, confirmed=confirmed.strip(), on_progress=task.tell, cancel=task.cancel
            ),
            Lane.CARE,
            self._profile.refresh,
        )

    @property
    def _core(self) -> Core:
        return self._profile.core
