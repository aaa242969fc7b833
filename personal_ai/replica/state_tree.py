"""The part of the network's state that it signs for, and the certificates over it.

Source: the interface specification, "The system state tree" and "Certification". This network is one subnet
that is the root as well, so its certificates carry no delegation.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from personal_ai.ic import cbor, hash_tree, leb128
from personal_ai.ic.domains import STATE_ROOT
from personal_ai.ic.hash_tree import PRUNED, HashTree, Path
from personal_ai.ic.principal import Principal
from personal_ai.replica.clock import Clock
from personal_ai.replica.keys import NetworkKeys
from personal_ai.replica.label_trie import LabelTrie

CanisterRange = tuple[Principal, Principal]  # first and last, both in it


@dataclass(frozen=True, slots=True)
class CanisterView:
    """What the tree shows of a canister. Times in ns since 1970; None leaves a path out."""

    controllers: tuple[bytes, ...]
    certified_data: bytes
    created_ns: int
    module_hash: bytes | None = None
    installed_ns: int | None = None
    metadata: Mapping[str, bytes] | None = None

    def tree(self) -> HashTree:
        content: dict[bytes, bytes | dict[bytes, bytes]] = {
            b"controllers": cbor.encode(self.controllers),
            b"certified_data": self.certified_data,
            b"canister_creation_timestamp": leb128.unsigned(self.created_ns),
        }
        if self.module_hash is not None:
            content[b"module_hash"] = self.module_hash
        if self.installed_ns is not None:
            content[b"last_install_timestamp"] = leb128.unsigned(self.installed_ns)
        if self.metadata:
            content[b"metadata"] = {name.encode(): value for name, value in self.metadata.items()}
        return hash_tree.build(content)


class StateTree:
    """Holds the tree and signs what is asked of it. Safe to use from several threads."""

    def __init__(self, keys: NetworkKeys, ranges: Sequence[CanisterRange], clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        self._lock = threading.Lock()
        self._canisters = LabelTrie()
        self._requests = LabelTrie()
        ranges_cbor = cbor.encode([[first.bytes, last.bytes] for first, last in ranges])
        subnet = {
            b"public_key": keys.root.public_key_der,
            b"type": b"application",
            b"canister_ranges": ranges_cbor,
            b"node": {keys.node_id.bytes: {b"public_key": keys.node.public_key_der}},
        }
        self._fixed = {
            b"subnet": hash_tree.build({keys.subnet_id.bytes: subnet}),
            b"canister_ranges": hash_tree.build({keys.subnet_id.bytes: {ranges[0][0].bytes: ranges_cbor}}),
        }

    def set_canister(self, canister_id: bytes, view: CanisterView | None) -> None:
        """Shows a canister as it is now; None removes it."""
        with self._lock:
            if view is None:
                self._canisters = self._canisters.remove(canister_id)
            else:
                self._canisters = self._canisters.insert(canister_id, view.tree())

    def set_request(self, request_id: bytes, status: Mapping[str, bytes] | None) -> None:
        """Shows a request's status by field name; None removes it."""
        with self._lock:
            if status is None:
                self._requests = self._requests.remove(request_id)
            else:
                tree = hash_tree.build({name.encode(): value for name, value in status.items()})
                self._requests = self._requests.insert(request_id, tree)

    def certificate(self, paths: Sequence[Path]) -> bytes:
        """A signed certificate (CBOR) that proves presence or absence of `paths`, and always the time."""
        wanted: dict[bytes, list[Sequence[bytes]]] = {}
        for first, *rest in paths:
            wanted.setdefault(first, []).append(rest)
        with self._lock:
            tries = {b"canister": self._canisters, b"request_status": self._requests}
        levels: dict[bytes, bytes | HashTree] = {b"time": leb128.unsigned(self._clock.now_ns())}
        for name, trie in tries.items():
            levels[name] = trie.witness(wanted[name]) if name in wanted else (PRUNED, trie.hash)
        for name, tree in self._fixed.items():
            levels[name] = hash_tree.prune(tree, wanted.get(name, []))
        tree = hash_tree.build(levels)
        signature = self._keys.root.sign(STATE_ROOT + hash_tree.root_hash(tree))
        return cbor.encode({"tree": tree, "signature": signature})

    def data_certificate(self, canister_id: bytes) -> bytes:
        """The certificate over a canister's certified data, which only the canister itself is shown."""
        return self.certificate([(b"canister", canister_id, b"certified_data")])
