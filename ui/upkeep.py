"""What the Settings page does with the profile: locks, the way into networks, backups, diagnostics; off this thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from personal_ai.common.files import write_atomically
from personal_ai.common.paths import Paths
from personal_ai.identities import keyring_store
from personal_ai.identities.circuits import checked_proxy
from ui.bridge import Operation, OwnedBridge
from ui.diagnostics import diagnostics

if TYPE_CHECKING:
    from personal_ai.backup.backup import Restored
    from personal_ai.identities.vault_notes import Notes
    from ui.core import Core


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set, apart from the window's look."""

    notes: Notes
    wants_password: bool
    hub_address: str


class Upkeep(QObject):
    """All work is done on the bridge's desk; who asked sets the callbacks."""

    def __init__(self, core: Core, bridge: OwnedBridge, paths: Paths, parent: QObject) -> None:
        super().__init__(parent)
        self._core = core
        self._bridge = bridge
        self._paths = paths

    def read(self) -> Operation[Settings]:
        def work(_: object) -> Settings:
            core = self._core
            return Settings(core.vault.notes, core.door.wants_password, core.model_room.hub_address)

        return self._bridge.run(work)

    # Locks and networks

    def set_idle_lock(self, idle_lock_s: int) -> Operation[None]:
        return self._change_notes(lambda notes: notes.with_idle_lock(idle_lock_s))

    def set_proxy(self, url: str) -> Operation[None]:
        """An empty address goes without a proxy."""
        return self._change_notes(lambda notes: notes.with_proxy(checked_proxy(url) if url.strip() else None))

    def use_hub(self, address: str) -> Operation[None]:
        """An empty address goes back to the usual hub."""
        return self._bridge.run(lambda _: self._core.model_room.use_hub(address.strip() or None))

    def change_password(self, old: str | None, new: str) -> Operation[None]:
        return self._bridge.run(lambda _: self._core.door.change_password(old, new))

    def move_to_keyring(self) -> Operation[None]:
        return self._bridge.run(lambda _: self._core.door.move_to_keyring())

    def keyring_available(self) -> Operation[bool]:
        return self._bridge.run(lambda _: keyring_store.available())

    # Safekeeping

    def create_backup(self, target: Path, password: str) -> Operation[None]:
        return self._bridge.run(
            lambda task: self._core.safekeeping.create_backup(
                target, password, on_progress=task.tell, cancel=task.cancel
            )
        )

    def restore_backup(self, source: Path, password: str) -> Operation[Restored]:
        return self._bridge.run(
            lambda task: self._core.safekeeping.restore_backup(
                source, password, on_progress=task.tell, cancel=task.cancel
            )
        )

    def save_sheet(self, target: Path, password: str | None, *, with_phrase: bool) -> Operation[None]:
        """The phrase goes on it for the password only."""

        def work(_: object) -> None:
            if with_phrase:
                self._core.door.reveal_phrase(password)
            self._core.safekeeping.save_recovery_sheet(target, with_phrase=with_phrase)

        return self._bridge.run(work)

    # Diagnostics

    def diagnose(self) -> Operation[str]:
        return self._bridge.run(lambda _: diagnostics(self._core, self._paths))

    def save_text(self, target: Path, text: str) -> Operation[None]:
        return self._bridge.run(lambda _: write_atomically(target, text.encode()))

    def _change_notes(self, change: Callable[[Notes], Notes]) -> Operation[None]:
        return self._bridge.run(lambda _: self._core.vault.change_notes(change))
