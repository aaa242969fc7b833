from __future__ import annotations

import pytest

from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal
from personal_ai.identities import linking

ROWAN, BIRCH, STRANGER = Principal(b"\x01\x02"), Principal(b"\x03\x02"), ANONYMOUS
OWN = {ROWAN: "Rowan", BIRCH: "Birch"}
LEDGER = "the ICP ledger"


@pytest.mark.parametrize("recipient", [BIRCH, AccountIdentifier.of(BIRCH)])
def test_paying_oneself_is_seen_on_the_ledger(recipient: Principal | AccountIdentifier) -> None:
    warning = linking.transfer(ROWAN, recipient, LEDGER, OWN)
    assert warning is not None and warning.ledger == LEDGER
    assert "Rowan" in str(warning) and "Birch" in str(warning) and "ICP ledger" in str(warning)


@pytest.mark.parametrize(
    ("sender", "recipient"), [(ROWAN, STRANGER), (ROWAN, ROWAN), (ROWAN, AccountIdentifier.of(ROWAN))]
)
def test_paying_others_links_nothing(sender: Principal, recipient: Principal | AccountIdentifier) -> None:
    assert linking.transfer(sender, recipient, LEDGER, OWN) is None


def test_two_controllers_of_one_canister_are_seen() -> None:
    warning = linking.add_controller([ROWAN, STRANGER], BIRCH, OWN)
    assert warning is not None and warning.ledger == linking.NETWORK_STATE
    assert "Birch and Rowan" in warning.what


@pytest.mark.parametrize(
    ("present", "added"),
    [([ROWAN], STRANGER), ([STRANGER], BIRCH), ([ROWAN], ROWAN), ([ROWAN, BIRCH], BIRCH), ([], BIRCH)],
)
def test_other_controllers_link_nothing(present: list[Principal], added: Principal) -> None:
    assert linking.add_controller(present, added, OWN) is None


def test_two_canisters_of_one_identity_are_seen() -> None:
    warning = linking.share(ROWAN, {"Tutor", "Diary"}, OWN)
    assert warning is not None and warning.ledger == linking.NETWORK_STATE
    assert "the new canister and Diary and Tutor" in warning.what and "Rowan controls" in warning.what
    assert linking.share(ROWAN, [], OWN) is None


def test_nothing_is_said_to_be_public_where_it_is_rehearsed() -> None:
    warning = linking.share(ROWAN, {"Diary"}, OWN)
    assert warning is not None and warning.where == f"It stands in {warning.ledger}, for everybody and for ever."
    rehearsed = warning.rehearsed()
    assert "nobody else sees it" in str(rehearsed) and "It stands in" not in str(rehearsed)


def test_one_purse_for_two_canisters_is_seen() -> None:
    for payer, owner, before in ((ROWAN, BIRCH, []), (STRANGER, BIRCH, [ROWAN]), (ROWAN, ROWAN, [MANAGEMENT])):
        warning = linking.fund(payer, owner, before, "the cycles ledger", OWN)
        assert warning is not None and warning.ledger == "the cycles ledger"
    assert linking.fund(ROWAN, ROWAN, [ROWAN], "the cycles ledger", OWN) is None
    assert linking.fund(STRANGER, BIRCH, [], "the cycles ledger", OWN) is None
