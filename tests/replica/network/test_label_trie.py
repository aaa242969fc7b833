"""The trie against the plain tree of `ic.hash_tree`: same order, valid proofs, and changes that stay cheap."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from personal_ai.ic import hash_tree
from personal_ai.ic.hash_tree import Absent, Found, Unknown
from personal_ai.replica.label_trie import LabelTrie
from tests.support.work import counted

labels = st.binary(max_size=3)
content = st.dictionaries(labels, st.binary(max_size=4), max_size=20)


def build(entries: dict[bytes, bytes]) -> LabelTrie:
    trie = LabelTrie()
    for label, value in entries.items():
        trie = trie.insert(label, hash_tree.build({b"v": value, b"w": b"other"}))
    return trie


@given(content, st.lists(labels, min_size=1, max_size=4))
def test_a_witness_proves_presence_and_absence_and_nothing_else(
    entries: dict[bytes, bytes], wanted: list[bytes]
) -> None:
    trie = build(entries)
    tree = hash_tree.parse(trie.witness([(label, b"v") for label in wanted]))
    assert hash_tree.root_hash(tree) == trie.hash
    for label in wanted:
        expected = Found(entries[label]) if label in entries else Absent()
        assert hash_tree.lookup(tree, (label, b"v")) == expected
    for label in set(entries) - set(wanted):
        assert hash_tree.lookup(tree, (label, b"v")) == Unknown()
    assert all(hash_tree.lookup(tree, (label, b"w")) == Unknown() for label in set(entries) & set(wanted))


@given(content, content)
def test_the_shape_depends_on_the_labels_alone(first: dict[bytes, bytes], second: dict[bytes, bytes]) -> None:
    trie = build({**first, **second})
    for label in second:
        trie = trie.remove(label)
    assert trie.hash == build({label: value for label, value in first.items() if label not in second}).hash
    assert trie.remove(b"four").hash == trie.hash


def test_insert_replaces_and_older_tries_stay() -> None:
    old = build({b"a": b"1", b"b": b"2"})
    new = old.insert(b"a", hash_tree.build({b"v": b"3"}))
    path = (b"a", b"v")
    assert hash_tree.lookup(old.witness([path]), path) == Found(b"1")
    assert hash_tree.lookup(new.witness([path]), path) == Found(b"3")


def test_ten_thousand_requests_keep_certificates_quick() -> None:
    trie = LabelTrie()
    ids = [hashlib.sha256(n.to_bytes(4, "big")).digest() for n in range(10_000)]
    for request_id in ids:
        trie = trie.insert(request_id, hash_tree.build({b"status": b"replied", b"reply": b"x"}))
    with counted() as work:
        for request_id in ids[:100]:
            trie = trie.insert(request_id, hash_tree.build({b"status": b"done"}))
            trie.witness([(request_id,)])
    assert work.calls / 100 < 600  # hashing all of it anew takes more than 10,000
