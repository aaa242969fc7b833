"""The identities of an open vault: what may be shown of each, and the keys in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from personal_ai.common.errors import IdentityError
from personal_ai.ic.principal import Principal
from personal_ai.identities import phrase as phrases
from personal_ai.identities.keys import SecretKey
from personal_ai.identities.vault_content import Content, Entry


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """What may be shown of an identity. `index` is its number under the phrase, None for an imported key.

    restorable: without this vault, from the phrase that the user has confirmed or a key file that was read back.
    """

    index: int | None
    label: str
    principal: Principal
    restorable: bool = False

    @property
    def kind(self) -> Literal["derived", "imported"]:
        return "imported" if self.index is None else "derived"


@dataclass(frozen=True, slots=True)
class Opened:
    """What an open vault holds in memory."""

    key: bytes = field(repr=False)
    content: Content
    keys: dict[IdentityRecord, SecretKey]

    @classmethod
    def of(cls, key: bytes, content: Content) -> Opened:
        seed = phrases.seed(content.phrase)
        found: dict[IdentityRecord, SecretKey] = {}
        for entry in content.entries:
            secret_key = entry.secret_key(seed)
            restorable = entry.exported if entry.index is None else content.phrase_confirmed
            principal = secret_key.identity().principal
            found[IdentityRecord(entry.index, entry.label, principal, restorable)] = secret_key
        return cls(key, content, found)

    def find(self, principal: Principal) -> tuple[Entry, IdentityRecord]:
        """Raises IdentityError if there is no such identity."""
        for entry, record in zip(self.content.entries, self.keys, strict=True):
            if record.principal == principal:
                return entry, record
        raise IdentityError(
            f"The vault has no identity {principal}.", next_step="Restore it with its recovery phrase or key file."
        )


def refuse_unless_restorable(record: IdentityRecord) -> None:
    """Raises IdentityError that says what makes it so."""
    if not record.restorable:
        raise IdentityError(
            f"{record.label} could not be brought back: it has no confirmed backup.",
            not_lost="It is still in the vault.",
            next_step="Verify your recovery phrase first."
            if record.kind == "derived"
            else "Export its key to a file first.",
        )
