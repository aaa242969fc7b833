"""The networks as their card uses them; off this thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from personal_ai.app.own_networks import Described
from personal_ai.common.errors import UserFacingError
from ui.bridge import Lane, Operation
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.app.own_networks import Reached
    from personal_ai.ic.profile import NetworkProfile
    from ui.core_networks import OwnNetworks


class NetworkDesk(QObject):
    """`listed` carries the networks whenever they were read; `unreadable` why they could not be."""

    listed = Signal(tuple)
    unreadable = Signal(UserFacingError)

    def __init__(self, profile: Profile, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile

    def refresh(self) -> None:
        reading = self._profile.bridge.run(lambda _: self._networks.all())
        reading.on_success(self.listed.emit).on_failure(self.unreadable.emit)

    def add(self, described: Described) -> Operation[NetworkProfile]:
        return self._profile.bridge.run(lambda _: self._networks.add(described))

    def change(self, described: Described) -> Operation[NetworkProfile]:
        return self._profile.bridge.run(lambda _: self._networks.change(described))

    def remove(self, name: str) -> Operation[None]:
        return self._profile.bridge.run(lambda _: self._networks.remove(name))

    def check(self, name: str) -> Operation[Reached]:
        return self._profile.bridge.run(lambda _: self._networks.check(name), lane=Lane.LOOK)

    def residents(self, network: str) -> list[str]:
        """The names of the AIs that live there."""
        return [one.name for one in self._profile.overview.deployments if one.network == network]

    @property
    def _networks(self) -> OwnNetworks:
        return self._profile.core.own_networks
