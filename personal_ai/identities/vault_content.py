"""What a vault seals: the phrase, a secret of its own, the list of identities, and notes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Self, cast

from personal_ai.common.errors import FormatError
from personal_ai.ic import cbor
from personal_ai.ic.identity import SECRET_SIZE_BYTES
from personal_ai.identities import keys
from personal_ai.identities import phrase as phrases
from personal_ai.identities.keys import Algorithm, SecretKey
from personal_ai.identities.vault_notes import Notes

VAULT_SECRET_SIZE_BYTES = 32
MAX_INDEX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One identity: derived under `index`, or the `imported` key itself.

    exported: a key file or a backup with the imported key was written and read back: there is another copy of it.
    """

    label: str
    index: int | None = None
    imported: SecretKey | None = None
    exported: bool = False

    def secret_key(self, seed: bytes) -> SecretKey:
        """The key, derived where it is not at hand."""
        return keys.derive(seed, self.index) if self.index is not None else cast(SecretKey, self.imported)


@dataclass(frozen=True, slots=True)
class Content:
    """The plaintext of a vault.

    next_index: the first number that no identity has had, removed ones included. phrase_confirmed: the user has typed
    words of the phrase again, so it stands on paper.
    """

    phrase: str = field(repr=False)
    secret: bytes = field(repr=False)
    entries: tuple[Entry, ...] = ()
    next_index: int = 0
    phrase_confirmed: bool = False
    notes: Notes = field(default_factory=Notes)

    def with_entry(self, entry: Entry) -> Self:
        """The identity at the end of the list."""
        next_index = self.next_index if entry.index is None else max(self.next_index, entry.index + 1)
        return replace(self, entries=(*self.entries, entry), next_index=next_index)

    def with_changed(self, old: Entry, new: Entry | None) -> Self:
        """`new` in the place of `old`; None removes it."""
        entries = tuple(new if entry == old else entry for entry in self.entries)
        return replace(self, entries=tuple(entry for entry in entries if entry is not None))

    def with_keys_exported(self) -> Self:
        """The content once there is another copy of every imported key."""
        return replace(self, entries=tuple(replace(entry, exported=entry.index is None) for entry in self.entries))

    def merged(self, other: Self) -> Self:
        """This content with what only the `other` has; where both say something, this one stays.

        Identities of another phrase come in as imported keys. A phrase that was confirmed there is confirmed.
        """
        same_phrase = self.phrase == other.phrase
        merged = replace(self, notes=self.notes.merged(other.notes))
        if same_phrase:
            merged = replace(
                merged,
                next_index=max(self.next_index, other.next_index),
                phrase_confirmed=self.phrase_confirmed or other.phrase_confirmed,
            )
        own_seed, other_seed = phrases.seed(self.phrase), phrases.seed(other.phrase)
        known = {entry.secret_key(own_seed) for entry in self.entries}
        for entry in other.entries:
            key = entry.secret_key(other_seed)
            if key not in known:
                kept = entry if same_phrase or entry.index is None else Entry(entry.label, imported=key)
                merged = merged.with_entry(kept)
        return merged

    def to_bytes(self) -> bytes:
        return cbor.encode(
            {
                "phrase": self.phrase,
                "secret": self.secret,
                "identities": [_to_wire(entry) for entry in self.entries],
                "next_index": self.next_index,
                "phrase_confirmed": self.phrase_confirmed,
                "notes": self.notes.to_wire(),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """The content of version 2. Raises FormatError."""
        match cbor.decode(data):
            case {
                "phrase": str(phrase),
                "secret": bytes(secret),
                "identities": list(entries),
                "next_index": int(next_index),
                "phrase_confirmed": bool(phrase_confirmed),
                "notes": notes,
            } if len(secret) == VAULT_SECRET_SIZE_BYTES and 0 <= next_index <= MAX_INDEX + 1:
                listed = tuple(_from_wire(entry) for entry in entries)
                return cls(phrase, secret, listed, next_index, phrase_confirmed, Notes.from_wire(notes))
        raise FormatError("The vault's content is malformed.")

    @classmethod
    def from_bytes_1(cls, data: bytes) -> Self:
        """The content of version 1, which knew nothing of confirming, removing and notes. Raises FormatError."""
        match cbor.decode(data):
            case {"phrase": str(phrase), "secret": bytes(secret), "identities": list(entries)} if (
                len(secret) == VAULT_SECRET_SIZE_BYTES
            ):
                content = cls(phrase, secret)
                for entry in entries:
                    known = {**entry, "exported": False} if isinstance(entry, dict) else entry
                    content = content.with_entry(_from_wire(known))
                return content
        raise FormatError("The vault's content is malformed.")


def _to_wire(entry: Entry) -> dict[str, object]:
    if entry.imported is None:
        return {"label": entry.label, "index": entry.index}
    key = {"algorithm": entry.imported.algorithm, "key": entry.imported.secret}
    return {"label": entry.label, **key, "exported": entry.exported}


def _from_wire(wire: Any) -> Entry:
    match wire:
        case {"label": str(label), "index": int(index)} if 0 <= index <= MAX_INDEX:
            return Entry(label, index=index)
        case {
            "label": str(label),
            "algorithm": "secp256k1" | "ed25519" as algorithm,
            "key": bytes(key),
            "exported": bool(exported),
        } if len(key) == SECRET_SIZE_BYTES:
            return Entry(label, imported=SecretKey(cast(Algorithm, algorithm), key), exported=exported)
    raise FormatError("The vault holds an identity that is malformed.")
