"""The network's labelled hash trees: reading, proving, and, for the practice network, building and pruning.

A node is a tuple in the shape it has on the wire: (0,) empty, (1, left, right) fork, (2, label, tree) labelled,
(3, value) leaf, (4, hash) pruned. Source: the interface specification, "Certification".
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError
from personal_ai.ic.domains import domain

EMPTY, FORK, LABELED, LEAF, PRUNED = range(5)
MAX_DEPTH = 200

HashTree = tuple[Any, ...]
Path = Sequence[bytes]

_EMPTY_HASH = hashlib.sha256(domain("ic-hashtree-empty")).digest()
_FORK_DOMAIN = domain("ic-hashtree-fork")
_LABELED_DOMAIN = domain("ic-hashtree-labeled")
_LEAF_DOMAIN = domain("ic-hashtree-leaf")
_HASH_SIZE_BYTES = 32
_EMPTY_TREE: HashTree = (EMPTY,)


@dataclass(frozen=True, slots=True)
class Found:
    """The tree holds this value at the path."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Absent:
    """The tree proves that nothing is at the path."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The tree does not say: what would be there is pruned, or it is a subtree and not a value."""


Lookup = Found | Absent | Unknown


def parse(value: object, max_depth: int = MAX_DEPTH) -> HashTree:
    """Checks a decoded CBOR value and gives the tree; labels must be strictly sorted. Raises FormatError."""
    tree = _parse_node(value, max_depth)
    _check_labels_sorted(tree)
    return tree


def _parse_node(value: object, depth_left: int) -> HashTree:
    if depth_left <= 0:
        raise FormatError("The hash tree is nested too deeply.")
    match value:
        case [0]:
            return _EMPTY_TREE
        case [1, left, right]:
            return (FORK, _parse_node(left, depth_left - 1), _parse_node(right, depth_left - 1))
        case [2, bytes(label), child]:
            return (LABELED, label, _parse_node(child, depth_left - 1))
        case [3, bytes(content)]:
            return (LEAF, content)
        case [4, bytes(digest)] if len(digest) == _HASH_SIZE_BYTES:
            return (PRUNED, digest)
    raise FormatError("The hash tree has a node that is malformed.")


def _check_labels_sorted(tree: HashTree) -> None:
    previous: bytes | None = None
    for node in flatten(tree):
        if node[0] == LEAF and node is not tree:
            raise FormatError("The hash tree has a value where labels belong.")
        if node[0] != LABELED:
            continue
        if previous is not None and node[1] <= previous:
            raise FormatError("The hash tree's labels are not sorted.")
        previous = node[1]
        _check_labels_sorted(node[2])


def root_hash(tree: HashTree) -> bytes:
    """SHA-256 with domain separation over the whole tree (32 bytes)."""
    kind = tree[0]
    if kind == FORK:
        return hashlib.sha256(_FORK_DOMAIN + root_hash(tree[1]) + root_hash(tree[2])).digest()
    if kind == LABELED:
        return hashlib.sha256(_LABELED_DOMAIN + tree[1] + root_hash(tree[2])).digest()
    if kind == LEAF:
        return hashlib.sha256(_LEAF_DOMAIN + tree[1]).digest()
    return bytes(tree[1]) if kind == PRUNED else _EMPTY_HASH


def flatten(tree: HashTree) -> list[HashTree]:
    """The nodes of one level in order: forks are dissolved and empty trees left out."""
    nodes: list[HashTree] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if node[0] == FORK:
            waiting += (node[2], node[1])
        elif node[0] != EMPTY:
            nodes.append(node)
    return nodes


def subtree(tree: HashTree, path: Path) -> HashTree | Absent | Unknown:
    """The tree below `path`; Absent only where the neighbouring labels prove that there is none."""
    for label in path:
        step = _child(flatten(tree), label)
        if not isinstance(step, tuple):
            return step
        tree = step
    return tree


def _child(nodes: list[HashTree], label: bytes) -> HashTree | Absent | Unknown:
    """Looks `label` up among a level's sorted nodes: a pruned node may hide it, unless labels between rule that out."""
    hidden = False  # a pruned node lies between the last smaller label and here
    for node in nodes:
        if node[0] == PRUNED:
            hidden = True
        elif node[0] == LABELED:
            if node[1] == label:
                child: HashTree = node[2]
                return child
            if node[1] > label:
                break
            hidden = False
    return Unknown() if hidden else Absent()


def lookup(tree: HashTree, path: Path) -> Lookup:
    """What the tree says about the value at `path`."""
    below = subtree(tree, path)
    if not isinstance(below, tuple):
        return below
    if below[0] == LEAF:
        return Found(below[1])
    return Absent() if below[0] == EMPTY else Unknown()


def children(tree: HashTree) -> list[tuple[bytes, HashTree]]:
    """The visible labels of a level with their trees, in order."""
    return [(node[1], node[2]) for node in flatten(tree) if node[0] == LABELED]


def build(content: Mapping[bytes, Any] | bytes | HashTree) -> HashTree:
    """A balanced tree of nested maps with byte-string leaves; a tuple is a tree that is built already."""
    if isinstance(content, tuple):
        return content
    if isinstance(content, bytes):
        return (LEAF, content)
    return join([(LABELED, label, build(content[label])) for label in sorted(content)])


def join(nodes: Sequence[HashTree]) -> HashTree:
    """Balances the sorted nodes of one level under forks."""
    if not nodes:
        return _EMPTY_TREE
    if len(nodes) == 1:
        return nodes[0]
    middle = len(nodes) // 2
    return (FORK, join(nodes[:middle]), join(nodes[middle:]))


def prune(tree: HashTree, paths: Iterable[Path], hash_of: Callable[[HashTree], bytes] = root_hash) -> HashTree:
    """Keeps what proves presence or absence of `paths` and replaces all else by hashes; the root hash stays.

    A missing label keeps its two neighbours. `hash_of` lets a caller cache the hashes of subtrees.
    """
    wanted = [tuple(path) for path in paths]
    if any(not path for path in wanted) or tree[0] in (EMPTY, LEAF, PRUNED):
        return tree
    labels = [node[1] for node in flatten(tree) if node[0] == LABELED]
    below: dict[bytes, list[tuple[bytes, ...]]] = {}
    for first, *rest in wanted:
        for label in _witnesses(labels, first):
            below.setdefault(label, [])
            if label == first:
                below[label].append(tuple(rest))
    return _prune_level(tree, below, hash_of)


def _witnesses(labels: list[bytes], label: bytes) -> list[bytes]:
    """The label itself where it exists, else its neighbours."""
    index = bisect_left(labels, label)
    if index < len(labels) and labels[index] == label:
        return [label]
    return labels[max(index - 1, 0) : index + 1]


def _prune_level(
    tree: HashTree, below: Mapping[bytes, list[tuple[bytes, ...]]], hash_of: Callable[[HashTree], bytes]
) -> HashTree:
    if tree[0] == FORK:
        left, right = (_prune_level(side, below, hash_of) for side in tree[1:])
        return (PRUNED, hash_of(tree)) if left[0] == right[0] == PRUNED else (FORK, left, right)
    if tree[0] == LABELED and tree[1] in below:
        paths = below[tree[1]]
        return (LABELED, tree[1], prune(tree[2], paths, hash_of) if paths else (PRUNED, hash_of(tree[2])))
    return tree if tree[0] in (EMPTY, PRUNED) else (PRUNED, hash_of(tree))
