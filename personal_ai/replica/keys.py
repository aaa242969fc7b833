"""The practice network's own keys: one for the subnet, which is the root of trust here, and one for its only node."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from personal_ai.common.errors import DamagedFileError
from personal_ai.common.files import storage_errors, write_atomically
from personal_ai.ic.bls import SigningKey
from personal_ai.ic.identity import Ed25519Identity
from personal_ai.ic.principal import Principal, self_authenticating

_FILE_NAME = "keys.json"
_VERSION = 1
_SECRET_SIZE_BYTES = 32


@dataclass(frozen=True, repr=False)
class NetworkKeys:
    """`root` signs certificates, `node` signs answers to queries."""

    root: SigningKey
    node: Ed25519Identity

    @property
    def subnet_id(self) -> Principal:
        return self_authenticating(self.root.public_key_der)

    @property
    def node_id(self) -> Principal:
        return self.node.principal


def load_or_create(folder: Path) -> NetworkKeys:
    """The keys of the state in `folder`, random on the first start. Raises StorageError, DamagedFileError."""
    path = folder / _FILE_NAME
    if not path.exists():
        names = ("root_secret", "node_secret")
        secret = {name: secrets.token_hex(_SECRET_SIZE_BYTES) for name in names}
        write_atomically(path, json.dumps({"version": _VERSION, **secret}).encode())
    with storage_errors("read the practice network's keys"):
        content = path.read_bytes()
    try:
        fields = json.loads(content)
        root, node = bytes.fromhex(fields["root_secret"]), bytes.fromhex(fields["node_secret"])
        if fields["version"] != _VERSION or len(root) != _SECRET_SIZE_BYTES or len(node) != _SECRET_SIZE_BYTES:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise DamagedFileError(
            "The practice network's keys are damaged.",
            next_step=f"Start afresh: delete the folder {folder}. Canisters on the practice network are lost by that.",
        ) from None
    return NetworkKeys(SigningKey(root), Ed25519Identity(node))
