"""The vault as the pages use it: identities, watched principals and contacts, listed and changed off this thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal

from personal_ai.ic.principal import Principal
from personal_ai.identities import key_files
from personal_ai.identities.addresses import checked_address
from ui.bridge import Operation, OwnedBridge

if TYPE_CHECKING:
    from personal_ai.identities.vault import IdentityRecord, Vault
    from personal_ai.identities.vault_notes import Notes
    from ui.core import Core

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Listed:
    """What the vault holds, without its keys."""

    identities: tuple[IdentityRecord, ...]
    notes: Notes
    phrase_confirmed: bool

    @classmethod
    def of(cls, vault: Vault) -> Listed:
        return cls(vault.identities, vault.notes, vault.phrase_confirmed)


class Keys(QObject):
    """All work is done on the bridge's desk; who asked sets the callbacks. `listed` follows `refresh`."""

    listed = Signal(object)

    def __init__(self, core: Core, bridge: OwnedBridge, parent: QObject) -> None:
        super().__init__(parent)
        self._core = core
        self._bridge = bridge

    def refresh(self) -> Operation[Listed]:
        return self._on_vault(Listed.of).on_success(self.listed.emit)

    # Identities

    def create(self, label: str) -> Operation[IdentityRecord]:
        return self._on_vault(lambda vault: vault.new_identity(label))

    def rename(self, principal: Principal, label: str) -> Operation[IdentityRecord]:
        return self._on_vault(lambda vault: vault.rename(principal, label))

    def remove(self, principal: Principal) -> Operation[None]:
        return self._on_vault(lambda vault: vault.remove(principal))

    def import_file(self, label: str, path: Path, password: str | None) -> Operation[IdentityRecord]:
        return self._on_vault(lambda vault: key_files.import_key(vault, label, path, password))

    def import_phrase(self, label: str, phrase: str, index: int) -> Operation[IdentityRecord]:
        return self._on_vault(lambda vault: vault.import_phrase(label, phrase, index))

    def export(self, principal: Principal, path: Path, password: str | None) -> Operation[None]:
        return self._on_vault(lambda vault: key_files.export_key(vault, principal, path, password))

    # The phrase

    def places_to_verify(self) -> Operation[tuple[int, ...]]:
        """Whose words are to be typed again."""
        return self._on_vault(lambda vault: vault.places_to_verify())

    def confirm_phrase(self, typed: Mapping[int, str]) -> Operation[None]:
        return self._on_vault(lambda vault: vault.confirm_phrase(typed))

    def keep(self, password: str) -> Operation[str]:
        """Makes a trial a profile that opens with this password; gives its words, to be written down."""

        def work(_: object) -> str:
            self._core.door.change_password(None, password)
            return self._core.vault.reveal_phrase()

        return self._bridge.run(work)

    def wants_password(self) -> Operation[bool]:
        """Whether a password opens the vault, or the system's keyring."""
        return self._bridge.run(lambda _: self._core.door.wants_password)

    def reveal_phrase(self, password: str | None) -> Operation[str]:
        return self._bridge.run(lambda _: self._core.door.reveal_phrase(password))

    # Others

    def watch(self, name: str, principal: str) -> Operation[None]:
        return self._change_notes(lambda notes: notes.watching(name, Principal.from_text(principal.strip())))

    def unwatch(self, principal: Principal) -> Operation[None]:
        return self._change_notes(lambda notes: notes.not_watching(principal))

    def add_contact(self, name: str, address: str) -> Operation[None]:
        return self._change_notes(lambda notes: notes.with_contact(name, checked_address(address)))

    def remove_contact(self, name: str) -> Operation[None]:
        return self._change_notes(lambda notes: notes.without_contact(name))

    def _change_notes(self, change: Callable[[Notes], Notes]) -> Operation[None]:
        return self._on_vault(lambda vault: vault.change_notes(change))

    def _on_vault(self, act: Callable[[Vault], Result]) -> Operation[Result]:
        return self._bridge.run(lambda _: act(self._core.vault))
