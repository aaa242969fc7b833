"""One's own canister: looking at it, stopping and starting it, its settings and its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from personal_ai.canister.client import CanisterClient
from personal_ai.common.jobs import Cancel
from personal_ai.ic.agent import Agent
from personal_ai.ic.management import CanisterSettings, CanisterStatus, LogLine, Management
from personal_ai.ic.principal import Principal

_FOLLOW_S = 2.0


@dataclass(frozen=True, slots=True)
class OwnCanister:
    """A canister in the hands of one of its controllers, as which `agent` signs.

    All methods raise RejectedError where it is none, NetworkError and SecurityError.
    """

    agent: Agent
    id: Principal

    @property
    def management(self) -> Management:
        return Management(self.agent)

    @property
    def client(self) -> CanisterClient:
        return CanisterClient(self.agent, self.id)

    def status(self) -> CanisterStatus:
        return self.management.canister_status(self.id)

    def stop(self) -> None:
        """From now on it answers nothing and pays its rent only. A stopped canister may be stopped again."""
        self.management.stop_canister(self.id)

    def start(self) -> None:
        self.management.start_canister(self.id)

    def change(self, settings: CanisterSettings) -> CanisterStatus:
        """Changes the settings that are not None; gives the status after it."""
        self.management.update_settings(self.id, settings)
        return self.status()

    def log(self, from_index: int = 0) -> list[LogLine]:
        """What is kept of its log, from a line's number on."""
        return self.management.logs(self.id, from_index=from_index)

    def follow(self, cancel: Cancel) -> Iterator[LogLine]:
        """The log as it grows, without an end; asking costs nothing. Raises Cancelled."""
        next_index = 0
        while True:
            for line in self.log(next_index):
                next_index = line.index + 1
                yield line
            cancel.wait(_FOLLOW_S)
