"""What a vault keeps beside its keys: whom one knows, whom one watches, and settings that tell about a person."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, TypeVar

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.ic.principal import Principal

MAX_NAME_LENGTH = 100
MAX_ENTRIES = 1_000
IDLE_LOCK_DEFAULT_S = 900
_IDLE_LOCK_MIN_S, _IDLE_LOCK_MAX_S = 30, 7 * 24 * 3600
_MAX_ADDRESS_LENGTH = 200
_MAX_SECRET_LENGTH = 1_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody's address: a principal or an account id, as text."""

    name: str
    address: str

    @property
    def principal(self) -> Principal | None:
        """Where the address is one; an account id can be paid and controls nothing."""
        try:
            return Principal.from_text(self.address)
        except FormatError:
            return None


@dataclass(frozen=True, slots=True)
class Watched:
    """A principal whose balances are shown and whose key is elsewhere: it can sign nothing here."""

    name: str
    principal: Principal


@dataclass(frozen=True, slots=True)
class Notes:
    """See the module's docstring. Every change gives new notes.

    hub_token: for gated models. proxy: like socks5h://127.0.0.1:9050; each identity goes through it on a circuit of
    its own. idle_lock_s: after how long without use the vault locks itself, 0 for never.
    """

    contacts: tuple[Contact, ...] = ()
    watched: tuple[Watched, ...] = ()
    hub_token: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    idle_lock_s: int = IDLE_LOCK_DEFAULT_S

    def with_contact(self, name: str, address: str) -> Self:
        """A contact of the same name is replaced. Raises BadInputError."""
        contact = Contact(checked_name(name), address.strip())
        if not 0 < len(contact.address) <= _MAX_ADDRESS_LENGTH or not contact.address.isprintable():
            raise BadInputError("A contact needs an address: a principal or an account id.")
        others = tuple(one for one in self.contacts if one.name != contact.name)
        return replace(self, contacts=_bounded((*others, contact)))

    def without_contact(self, name: str) -> Self:
        """Raises BadInputError where there is none of this name."""
        others = tuple(one for one in self.contacts if one.name != name)
        if others == self.contacts:
            raise BadInputError(f"There is no contact named {name}.")
        return replace(self, contacts=others)

    def watching(self, name: str, principal: Principal) -> Self:
        """A principal that is watched already gets the new name. Raises BadInputError."""
        others = tuple(one for one in self.watched if one.principal != principal)
        return replace(self, watched=_bounded((*others, Watched(checked_name(name), principal))))

    def not_watching(self, principal: Principal) -> Self:
        """Raises BadInputError where it is not watched."""
        others = tuple(one for one in self.watched if one.principal != principal)
        if others == self.watched:
            raise BadInputError(f"{principal} is not watched.")
        return replace(self, watched=others)

    def with_hub_token(self, token: str | None) -> Self:
        """None forgets it. Raises BadInputError."""
        return replace(self, hub_token=_checked_secret(token))

    def with_proxy(self, proxy: str | None) -> Self:
        """None goes without. Raises BadInputError."""
        return replace(self, proxy=_checked_secret(proxy))

    def with_idle_lock(self, idle_lock_s: int) -> Self:
        """0 never locks. Raises BadInputError."""
        if idle_lock_s and not _IDLE_LOCK_MIN_S <= idle_lock_s <= _IDLE_LOCK_MAX_S:
            raise BadInputError(
                f"The vault locks itself after {_IDLE_LOCK_MIN_S} seconds to a week without use, or never (0)."
            )
        return replace(self, idle_lock_s=idle_lock_s)

    def merged(self, other: Self) -> Self:
        """These notes with what only the `other` ones have. Where both say something, these stay."""
        names, principals = {one.name for one in self.contacts}, {one.principal for one in self.watched}
        return replace(
            self,
            contacts=_bounded((*self.contacts, *(one for one in other.contacts if one.name not in names))),
            watched=_bounded((*self.watched, *(one for one in other.watched if one.principal not in principals))),
            hub_token=self.hub_token or other.hub_token,
            proxy=self.proxy or other.proxy,
        )

    def to_wire(self) -> dict[str, Any]:
        """The CBOR map of docs/formats/vault.md."""
        return {
            "contacts": [{"name": one.name, "address": one.address} for one in self.contacts],
            "watched": [{"name": one.name, "principal": one.principal.bytes} for one in self.watched],
            "hub_token": self.hub_token,
            "proxy": self.proxy,
            "idle_lock_s": self.idle_lock_s,
        }

    @classmethod
    def from_wire(cls, wire: object) -> Self:
        """Reads what `to_wire` wrote. Raises FormatError."""
        if not isinstance(wire, dict) or wire.keys() != {one.name for one in fields(cls)}:
            raise FormatError("The vault's notes are malformed.")
        notes = cls()
        try:
            for contact in wire["contacts"]:
                notes = notes.with_contact(str(contact["name"]), str(contact["address"]))
            for watched in wire["watched"]:
                notes = notes.watching(str(watched["name"]), Principal(watched["principal"]))
            return notes.with_hub_token(wire["hub_token"]).with_proxy(wire["proxy"]).with_idle_lock(wire["idle_lock_s"])
        except (BadInputError, TypeError, KeyError, AttributeError):
            raise FormatError("The vault's notes are malformed.") from None


def checked_name(name: str) -> str:
    """A name without spaces around it. Raises BadInputError."""
    stripped = name.strip()
    if not 0 < len(stripped) <= MAX_NAME_LENGTH or not stripped.isprintable():
        raise BadInputError(f"A label has 1 to {MAX_NAME_LENGTH} printable characters.")
    return stripped


def _checked_secret(text: str | None) -> str | None:
    if text is not None and not (0 < len(text) <= _MAX_SECRET_LENGTH and text.isascii() and text.isprintable()):
        raise BadInputError("This is too long, or has characters that do not belong there.")
    return text


def _bounded(entries: tuple[_T, ...]) -> tuple[_T, ...]:
    if len(entries) > MAX_ENTRIES:
        raise BadInputError(f"There is room for {MAX_ENTRIES} entries.", next_step="Remove some first.")
    return entries
