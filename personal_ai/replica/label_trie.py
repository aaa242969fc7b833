"""A level of the state tree with very many labels: changing one label rehashes only what lies above it.

A binary trie over the labels that forks at the first differing bit, so about log2(n) hashes stand above each
label. Any binary shape is a valid hash tree as long as the labels stay in order. Nodes never change: whoever
holds a trie can go on proving from it while the next one is made.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from personal_ai.ic import hash_tree
from personal_ai.ic.domains import domain
from personal_ai.ic.hash_tree import EMPTY, FORK, LABELED, PRUNED, HashTree, Path

_FORK_DOMAIN = domain("ic-hashtree-fork")
_LABELED_DOMAIN = domain("ic-hashtree-labeled")
_NOWHERE = sys.maxsize
_BITS_PER_BYTE = 9  # one that says that there is a byte at all, then its eight: "ab" sorts after "a"


@dataclass(frozen=True, slots=True)
class _Entry:
    label: bytes
    tree: HashTree
    tree_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class _Fork:
    """All labels below share the bits before `position`; there the left ones have 0 and the right ones 1."""

    position: int
    left: _Node
    right: _Node
    hash: bytes


_Node = _Entry | _Fork


@dataclass(frozen=True, slots=True)
class LabelTrie:
    """An immutable map of labels to hash trees."""

    _root: _Node | None = field(default=None)

    @property
    def hash(self) -> bytes:
        """The root hash of the level as a hash tree."""
        return hash_tree.root_hash((EMPTY,)) if self._root is None else self._root.hash

    def insert(self, label: bytes, tree: HashTree) -> LabelTrie:
        """With `tree` at `label`, in place of what was there."""
        entry = _entry(label, tree)
        if self._root is None:
            return LabelTrie(entry)
        return LabelTrie(_insert(self._root, entry, _first_difference(label, _closest(self._root, label).label)))

    def remove(self, label: bytes) -> LabelTrie:
        """Without `label`; the same map where it has none."""
        return LabelTrie(None if self._root is None else _remove(self._root, label))

    def witness(self, paths: Iterable[Path]) -> HashTree:
        """The level pruned to what proves presence or absence of `paths`, each of one label at least."""
        if self._root is None:
            return (EMPTY,)
        below: dict[bytes, list[Sequence[bytes]]] = {}
        for first, *rest in paths:
            found = _closest(self._root, first)
            if found.label == first:
                below.setdefault(first, []).append(rest)
            else:
                for neighbour in _neighbours(self._root, first, _first_difference(first, found.label)):
                    below.setdefault(neighbour, [])
        return _prune(self._root, below)


def _entry(label: bytes, tree: HashTree) -> _Entry:
    tree_hash = hash_tree.root_hash(tree)
    return _Entry(label, tree, tree_hash, hashlib.sha256(_LABELED_DOMAIN + label + tree_hash).digest())


def _fork(position: int, left: _Node, right: _Node) -> _Fork:
    return _Fork(position, left, right, hashlib.sha256(_FORK_DOMAIN + left.hash + right.hash).digest())


def _bit(label: bytes, position: int) -> bool:
    index, offset = divmod(position, _BITS_PER_BYTE)
    if index >= len(label):
        return False
    return offset == 0 or bool(label[index] >> (8 - offset) & 1)


def _first_difference(one: bytes, other: bytes) -> int:
    """The first position where two labels differ, _NOWHERE where they are equal."""
    if one == other:
        return _NOWHERE
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index * _BITS_PER_BYTE + _BITS_PER_BYTE - (a ^ b).bit_length()
    return min(len(one), len(other)) * _BITS_PER_BYTE


def _closest(node: _Node, label: bytes) -> _Entry:
    """The entry that shares the longest beginning with `label`, which is itself where it exists."""
    while isinstance(node, _Fork):
        node = node.right if _bit(label, node.position) else node.left
    return node


def _insert(node: _Node, entry: _Entry, position: int) -> _Node:
    if isinstance(node, _Fork) and node.position < position:
        if _bit(entry.label, node.position):
            return _fork(node.position, node.left, _insert(node.right, entry, position))
        return _fork(node.position, _insert(node.left, entry, position), node.right)
    if position == _NOWHERE:
        return entry
    return _fork(position, node, entry) if _bit(entry.label, position) else _fork(position, entry, node)


def _remove(node: _Node, label: bytes) -> _Node | None:
    if isinstance(node, _Entry):
        return None if node.label == label else node
    left, right = node.left, node.right
    if _bit(label, node.position):
        changed = _remove(right, label)
        return left if changed is None else node if changed is right else _fork(node.position, left, changed)
    changed = _remove(left, label)
    return right if changed is None else node if changed is left else _fork(node.position, changed, right)


def _neighbours(node: _Node, label: bytes, position: int) -> list[bytes]:
    """The labels directly before and after a missing one, whose bits leave the trie at `position`."""
    lower: _Node | None = None
    upper: _Node | None = None
    while isinstance(node, _Fork) and node.position < position:
        if _bit(label, node.position):
            lower, node = node.left, node.right
        else:
            upper, node = node.right, node.left
    if _bit(label, position):
        lower = node
    else:
        upper = node
    before = [] if lower is None else [_last(lower)]
    return before if upper is None else [*before, _first(upper)]


def _first(node: _Node) -> bytes:
    while isinstance(node, _Fork):
        node = node.left
    return node.label


def _last(node: _Node) -> bytes:
    while isinstance(node, _Fork):
        node = node.right
    return node.label


def _prune(node: _Node, below: Mapping[bytes, list[Sequence[bytes]]]) -> HashTree:
    """`below`: the labels to show, all of them in this part of the trie, with the paths wanted under each."""
    if not below:
        return (PRUNED, node.hash)
    if isinstance(node, _Entry):
        paths = below[node.label]
        return (LABELED, node.label, hash_tree.prune(node.tree, paths) if paths else (PRUNED, node.tree_hash))
    right = {label: paths for label, paths in below.items() if _bit(label, node.position)}
    left = {label: paths for label, paths in below.items() if label not in right}
    return (FORK, _prune(node.left, left), _prune(node.right, right))
