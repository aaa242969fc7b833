from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError
from personal_ai.ic import cbor, hash_tree
from personal_ai.ic.hash_tree import (
    EMPTY,
    FORK,
    LABELED,
    LEAF,
    PRUNED,
    Absent,
    Found,
    HashTree,
    Unknown,
    build,
    children,
    lookup,
    parse,
    prune,
    root_hash,
    subtree,
)

E: HashTree = (EMPTY,)


def fork(left: HashTree, right: HashTree) -> HashTree:
    return (FORK, left, right)


def labeled(label: bytes, tree: HashTree) -> HashTree:
    return (LABELED, label, tree)


def leaf(value: bytes) -> HashTree:
    return (LEAF, value)


# The worked example of the interface specification.
A_X = labeled(b"x", leaf(b"hello"))
A_Y = labeled(b"y", leaf(b"world"))
B = labeled(b"b", leaf(b"good"))
C = labeled(b"c", E)
D = labeled(b"d", leaf(b"morning"))
FULL = fork(fork(labeled(b"a", fork(fork(A_X, E), A_Y)), B), fork(C, D))


def pruned(tree: HashTree) -> HashTree:
    return (PRUNED, root_hash(tree))


PARTIAL = fork(
    fork(labeled(b"a", fork(pruned(fork(A_X, E)), A_Y)), labeled(b"b", pruned(leaf(b"good")))), fork(pruned(C), D)
)


@pytest.mark.parametrize("tree", [FULL, PARTIAL])
def test_the_specifications_example(tree: HashTree) -> None:
    assert root_hash(tree).hex() == "eb5c5b2195e62d996b84c9bcc8259d19a83786a2f59e0878cec84c811f669aa0"
    assert parse(cbor.decode(cbor.encode(tree))) == tree


def test_the_specifications_example_on_the_wire() -> None:
    wire = (
        "8301830183024161830183018302417882034568656c6c6f810083024179820345776f726c6483024162820344676f6f64"
        "8301830241638100830241648203476d6f726e696e67"
    )
    assert parse(cbor.decode(bytes.fromhex(wire))) == FULL


@pytest.mark.parametrize(
    ("path", "full", "partial"),
    [
        (b"a/x", Found(b"hello"), Unknown()),
        (b"a/y", Found(b"world"), Found(b"world")),
        (b"a/a", Absent(), Unknown()),
        (b"a/z", Absent(), Absent()),
        (b"aa", Absent(), Absent()),
        (b"b", Found(b"good"), Unknown()),
        (b"bb", Absent(), Unknown()),
        (b"c", Absent(), Unknown()),
        (b"d", Found(b"morning"), Found(b"morning")),
        (b"d/x", Absent(), Absent()),
        (b"e", Absent(), Absent()),
        (b"a", Unknown(), Unknown()),  # a subtree is no value
    ],
)
def test_lookup(path: bytes, full: hash_tree.Lookup, partial: hash_tree.Lookup) -> None:
    assert lookup(FULL, path.split(b"/")) == full
    assert lookup(PARTIAL, path.split(b"/")) == partial


def test_children_and_subtrees() -> None:
    assert [label for label, _ in children(FULL)] == [b"a", b"b", b"c", b"d"]
    assert [label for label, _ in children(PARTIAL)] == [b"a", b"b", b"d"]
    below = subtree(FULL, [b"a"])
    assert isinstance(below, tuple)
    assert [label for label, _ in children(below)] == [b"x", b"y"]
    assert subtree(PARTIAL, [b"c"]) == Unknown()


LABELS = st.binary(min_size=1, max_size=3)
CONTENT: st.SearchStrategy[Any] = st.dictionaries(
    LABELS, st.recursive(st.binary(max_size=4), lambda inner: st.dictionaries(LABELS, inner, max_size=6), max_leaves=20)
)
PATHS = st.lists(st.lists(LABELS, max_size=3).map(tuple), max_size=4)


def expected(content: Any, path: tuple[bytes, ...]) -> hash_tree.Lookup:
    for label in path:
        if not isinstance(content, dict) or label not in content:
            return Absent()
        content = content[label]
    if isinstance(content, dict):
        return Unknown() if content else Absent()
    return Found(content)


@given(CONTENT, PATHS, PATHS)
def test_pruning_keeps_the_root_and_proves_exactly_what_was_asked(content: Any, paths: Any, others: Any) -> None:
    tree = build(content)
    kept = prune(tree, paths)
    assert root_hash(kept) == root_hash(tree)
    assert parse(cbor.decode(cbor.encode(kept))) == kept
    for path in paths:
        assert lookup(kept, path) == expected(content, path)
    for path in others:
        assert lookup(kept, path) in (expected(content, path), Unknown())


@given(CONTENT)
def test_pruning_hides_what_was_not_asked(content: Any) -> None:
    kept = prune(build({**content, b"zzzz": b"the secret"}), [(b"zzzy",)])
    assert b"the secret" not in cbor.encode(kept)


def test_built_trees_can_be_parts_and_hashes_can_be_cached() -> None:
    part = build({b"x": b"1"})
    asked: list[HashTree] = []

    def hash_of(tree: HashTree) -> bytes:
        asked.append(tree)
        return root_hash(tree)

    tree = build({b"a": part, b"b": {b"y": b"2"}})
    assert lookup(tree, (b"a", b"x")) == Found(b"1")
    assert root_hash(prune(tree, [(b"b", b"y")], hash_of)) == root_hash(tree)
    assert asked


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        [5],
        [0, 0],
        [1, [0]],
        [2, "text", [0]],
        [3, "text"],
        [4, b"short"],
        [1, [2, b"b", [0]], [2, b"a", [0]]],  # not sorted
        [1, [2, b"a", [0]], [2, b"a", [0]]],  # twice
        [1, [2, b"a", [0]], [3, b"value"]],  # a value among labels
    ],
)
def test_malformed_trees_are_refused(value: object) -> None:
    with pytest.raises(FormatError):
        parse(value)


def test_depth_is_bounded() -> None:
    value: Any = [0]
    for _ in range(300):
        value = [2, b"a", value]
    with pytest.raises(FormatError, match="deep"):
        parse(value)
