from __future__ import annotations

from typing import Any

import pytest

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal
from personal_ai.identities.vault_notes import MAX_ENTRIES, Contact, Notes, Watched


def test_a_contact_is_a_principal_or_an_account_alone() -> None:
    assert Contact("Ann", "2vxsx-fae").principal == Principal(b"\x04")
    assert Contact("Exchange", "0f" * 32).principal is None


def test_contacts_come_change_and_go() -> None:
    notes = Notes().with_contact(" Ann ", " aaaaa-aa ").with_contact("Ben", "2vxsx-fae")
    assert notes.contacts == (Contact("Ann", "aaaaa-aa"), Contact("Ben", "2vxsx-fae"))
    changed = notes.with_contact("Ann", "2vxsx-fae")
    assert changed.contacts == (Contact("Ben", "2vxsx-fae"), Contact("Ann", "2vxsx-fae"))
    assert changed.without_contact("Ann").without_contact("Ben") == Notes()
    with pytest.raises(BadInputError, match="no contact"):
        notes.without_contact("Eve")


def test_principals_are_watched_under_one_name() -> None:
    notes = Notes().watching("a", ANONYMOUS).watching("b", ANONYMOUS)
    assert notes.watched == (Watched("b", ANONYMOUS),)
    assert notes.not_watching(ANONYMOUS) == Notes()
    with pytest.raises(BadInputError, match="not watched"):
        notes.not_watching(MANAGEMENT)


@pytest.mark.parametrize(("name", "address"), [("", "a"), ("a\nb", "a"), ("a", ""), ("a", "x" * 201), ("a", "b\x1b")])
def test_contacts_that_are_none(name: str, address: str) -> None:
    with pytest.raises(BadInputError):
        Notes().with_contact(name, address)


@pytest.mark.parametrize("token", ["", "a b\n", "é", "x" * 1001])
def test_tokens_that_are_none(token: str) -> None:
    with pytest.raises(BadInputError) as raised:
        Notes().with_hub_token(token)
    assert not token or token not in str(raised.value)
    with pytest.raises(BadInputError):
        Notes().with_proxy(token)


@pytest.mark.parametrize("idle_lock_s", [-1, 1, 29, 10**7])
def test_idle_times_that_are_none(idle_lock_s: int) -> None:
    with pytest.raises(BadInputError):
        Notes().with_idle_lock(idle_lock_s)
    assert Notes().with_idle_lock(0).idle_lock_s == 0


def test_a_list_has_an_end() -> None:
    full = Notes(contacts=tuple(Contact(str(number), "x") for number in range(MAX_ENTRIES)))
    with pytest.raises(BadInputError, match="room"):
        full.with_contact("one more", "x")


def test_merging_keeps_what_is_here() -> None:
    here = Notes().with_contact("Ann", "aaaaa-aa").with_idle_lock(60).with_hub_token("here")
    there = Notes().with_contact("Ann", "2vxsx-fae").with_contact("Ben", "2vxsx-fae").with_hub_token("there")
    merged = here.merged(there.watching("cold", ANONYMOUS).with_proxy("socks5h://127.0.0.1:9050"))
    assert [(one.name, one.address) for one in merged.contacts] == [("Ann", "aaaaa-aa"), ("Ben", "2vxsx-fae")]
    assert (merged.hub_token, merged.proxy, merged.idle_lock_s) == ("here", "socks5h://127.0.0.1:9050", 60)
    assert merged.watched == (Watched("cold", ANONYMOUS),)


@pytest.mark.parametrize(
    "change",
    [
        {"contacts": None},
        {"contacts": [{"name": "a"}]},
        {"contacts": ["a"]},
        {"watched": [{"name": "a", "principal": "text"}]},
        {"watched": [{"name": "a", "principal": bytes(30)}]},
        {"hub_token": 5},
        {"proxy": b"x"},
        {"idle_lock_s": "long"},
        {"idle_lock_s": 5},
        {"more": 1},
    ],
)
def test_notes_that_are_malformed(change: dict[str, Any]) -> None:
    good = Notes().to_wire()
    assert Notes.from_wire(good) == Notes()
    wrong: list[Any] = [good | change, [], None]
    for wire in wrong:
        with pytest.raises(FormatError):
            Notes.from_wire(wire)
