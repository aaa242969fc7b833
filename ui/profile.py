"""The opened profile as the pages see it: the core, the bridge to it, and the overview that they share."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from personal_ai.chat.conversation import Conversation
from personal_ai.deployments.journal import Deployment, DeploymentState
from ui.bridge import Bridge, Lane, Operation, OwnedBridge
from ui.core import Core, Overview


class Profile(QObject):
    """`changed` follows every refresh. Callbacks of what is asked through `bridge` end with the profile's pages."""

    changed = Signal()
    network_started = Signal()

    def __init__(self, core: Core, bridge: Bridge, overview: Overview) -> None:
        super().__init__(bridge)
        self.core = core
        self.bridge = OwnedBridge(bridge, self)
        self.overview = overview

    def refresh(self) -> Operation[Overview]:
        """Reads the overview again, off this thread."""
        return self.bridge.run(lambda _: Overview.of(self.core)).on_success(self._take)

    def _take(self, overview: Overview) -> None:
        self.overview = overview
        self.changed.emit()

    def start_network(self) -> Operation[object]:
        """Starts the practice network."""
        operation = self.bridge.run(lambda task: self.core.practice_network.start(task.cancel), lane=Lane.DEPLOY)
        return operation.on_success(lambda _: self.network_started.emit()).on_end(self.refresh)

    def stop_network(self) -> Operation[None]:
        return self.bridge.run(lambda _: self.core.practice_network.stop(), lane=Lane.DEPLOY).on_end(self.refresh)

    @property
    def active(self) -> list[Deployment]:
        """The deployments that can be asked, the newest first."""
        return [one for one in self.overview.deployments if one.state is DeploymentState.ACTIVE]

    def new_conversation(self, deployment: Deployment | None = None) -> Conversation:
        """An empty conversation with a deployment, by default the newest that answers, else with the first model."""
        chosen = deployment or next(iter(self.active), None)
        if chosen is not None:
            return Conversation(model=chosen.model, deployment=chosen.id)
        return Conversation(model=self.overview.models[0].name)
