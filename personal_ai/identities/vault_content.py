"""What a vault seals: the phrase, a secret of its own, and the list of identities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from personal_ai.common.errors import FormatError
from personal_ai.ic import cbor
from personal_ai.ic.identity import SECRET_SIZE_BYTES
from personal_ai.identities import keys
from personal_ai.identities.keys import Algorithm, SecretKey

VAULT_SECRET_SIZE_BYTES = 32
_MAX_INDEX = (1 << 31) - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One identity: derived under `index`, or the `imported` key itself."""

    label: str
    index: int | None = None
    imported: SecretKey | None = None

    def secret_key(self, seed: bytes) -> SecretKey:
        """The key, derived where it is not at hand."""
        return keys.derive(seed, self.index) if self.index is not None else cast(SecretKey, self.imported)


@dataclass(frozen=True, slots=True)
class Content:
    """The plaintext of a vault."""

    phrase: str = field(repr=False)
    secret: bytes = field(repr=False)
    entries: tuple[Entry, ...] = ()

    @property
    def next_index(self) -> int:
        """The first number that no identity has had."""
        return max((entry.index for entry in self.entries if entry.index is not None), default=-1) + 1

    def to_bytes(self) -> bytes:
        return cbor.encode(
            {"phrase": self.phrase, "secret": self.secret, "identities": [_to_wire(entry) for entry in self.entries]}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Content:
        """Raises FormatError."""
        match cbor.decode(data):
            case {"phrase": str(phrase), "secret": bytes(secret), "identities": list(entries)} if (
                len(secret) == VAULT_SECRET_SIZE_BYTES
            ):
                return cls(phrase, secret, tuple(_from_wire(entry) for entry in entries))
        raise FormatError("The vault's content is malformed.")


def _to_wire(entry: Entry) -> dict[str, object]:
    if entry.imported is None:
        return {"label": entry.label, "index": entry.index}
    return {"label": entry.label, "algorithm": entry.imported.algorithm, "key": entry.imported.secret}


def _from_wire(wire: Any) -> Entry:
    match wire:
        case {"label": str(label), "index": int(index)} if 0 <= index <= _MAX_INDEX:
            return Entry(label, index=index)
        case {"label": str(label), "algorithm": "secp256k1" | "ed25519" as algorithm, "key": bytes(key)} if (
            len(key) == SECRET_SIZE_BYTES
        ):
            return Entry(label, imported=SecretKey(cast(Algorithm, algorithm), key))
    raise FormatError("The vault holds an identity that is malformed.")
