"""What a refused stranger costs the owner, in instructions as the network counts them (page touches included)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from personal_ai.ic import candid
from personal_ai.ic.candid import Blob
from personal_ai.replica.execution import Entry, Message, Outcome
from tests.canister.installed import ANONYMOUS, QUERY_LIMIT, STRANGER, UPDATE_LIMIT, Installed
from tests.canister.test_canister import ARGUMENTS, QUERIES, UPDATES

INSPECT_LIMIT = 200_000_000
# docs/formats/canister.md says these.
INSPECT_MOST = 200_000
REFUSAL_MOST = 400_000
LONGEST = candid.encode([Blob], [bytes(2_000_000)])


def _outcomes(canister: Installed, entry: Entry, methods: list[str], limit: int) -> Iterator[Outcome]:
    """Of strangers of both kinds, with what the method takes and with the longest argument."""
    for caller in (STRANGER, ANONYMOUS):
        for method in methods:
            for argument in (candid.encode(*ARGUMENTS[method]), LONGEST):
                replicated = entry is Entry.UPDATE
                message = Message(entry, caller.bytes, argument, 1, limit, replicated=replicated, method=method)
                yield canister.executor.execute(canister.id.bytes, message)


def test_inspection_keeps_a_strangers_update_out_and_is_free(canister: Installed) -> None:
    outcomes = list(_outcomes(canister, Entry.INSPECT, UPDATES, INSPECT_LIMIT))
    assert not any(outcome.accepted for outcome in outcomes)
    most = max(outcome.instructions for outcome in outcomes)
    print(f"inspect_message: {most} instructions")
    assert most < INSPECT_MOST


@pytest.mark.parametrize(
    ("entry", "methods", "limit"),
    [(Entry.UPDATE, UPDATES, UPDATE_LIMIT), (Entry.UPDATE, QUERIES, UPDATE_LIMIT), (Entry.QUERY, QUERIES, QUERY_LIMIT)],
    ids=["a canister's call of an update", "a canister's call of a query", "a query"],
)
def test_a_stranger_that_gets_in_costs_next_to_nothing(
    canister: Installed, entry: Entry, methods: list[str], limit: int
) -> None:
    """Calls from canisters are not inspected; neither are queries."""
    outcomes = list(_outcomes(canister, entry, methods, limit))
    assert all(outcome.reject is not None and outcome.reject.code == 4 for outcome in outcomes)
    most = max(outcome.instructions for outcome in outcomes)
    print(f"{entry.value}: {most} instructions")
    assert most < REFUSAL_MOST, "its argument is not even copied"
