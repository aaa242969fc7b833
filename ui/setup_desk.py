"""Setting an AI up as its page does it: what is chosen is kept by the core, off this thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from personal_ai.app.setup import Bill, Choices
from ui.bridge import Lane, Operation
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.deployments.journal import Deployment
    from personal_ai.identities.vault import IdentityRecord
    from ui.core_setup import Setup


class SetupDesk(QObject):
    """`changed` follows whatever was chosen.

    networks: the names of those that there are. identities: of the vault, under any of which an AI can live.
    """

    changed = Signal()

    def __init__(self, profile: Profile, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile
        self._billing: Operation[Bill] | None = None
        self.choices = Choices()
        self.networks: tuple[str, ...] = ()
        self.identities: tuple[IdentityRecord, ...] = ()

    def open(self, model: str | None = None) -> None:
        """Goes on where it was left. model: begins anew with this one, for another network say."""

        def work(_: object) -> tuple[Choices, tuple[str, ...], tuple[IdentityRecord, ...]]:
            core = self._profile.core
            choices = Choices(model) if model else core.setup.choices() or Choices()
            return core.setup.choose(choices), core.money.networks(), core.vault.identities

        def take(found: tuple[Choices, tuple[str, ...], tuple[IdentityRecord, ...]]) -> None:
            choices, self.networks, self.identities = found
            self._take(choices)

        self._profile.bridge.run(work).on_success(take)

    def choose(self, choices: Choices) -> None:
        """What it costs is not asked any more."""
        self._give_up_billing()
        self._profile.bridge.run(lambda _: self._setup.choose(choices)).on_success(self._take)

    def bill(self) -> Operation[Bill]:
        """What it costs; an older question that is still under way is given up."""
        self._give_up_billing()
        self._billing = self._profile.bridge.run(lambda task: self._setup.bill(task.cancel), lane=Lane.MONEY)
        return self._billing

    def wants(self, billing: Operation[Bill]) -> bool:
        """Whether its answer is to what is chosen now."""
        return billing is self._billing

    def agree(self, bill: Bill) -> Operation[Deployment]:
        """The explicit yes to what was shown."""
        return self._profile.bridge.run(lambda task: self._setup.agree(bill, task.cancel), lane=Lane.MONEY)

    @property
    def _setup(self) -> Setup:
        return self._profile.core.setup

    def _give_up_billing(self) -> None:
        if self._billing is not None:
            self._billing.cancel()
        self._billing = None

    def _take(self, choices: Choices) -> None:
        self.choices = choices
        self.changed.emit()
