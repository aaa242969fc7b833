from __future__ import annotations

from typing import Any

import pytest

from personal_ai.ic import candid, ledger_types
from personal_ai.ic.candid import Nat
from personal_ai.ic.ledgers import (
    CYCLES_LEDGER_ID,
    CreatedCanister,
    CyclesLedger,
    InsufficientFundsError,
    LedgerError,
    LedgerWindowError,
)
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT, Principal

TIME_NS = 1_790_000_000 * 10**9


class Ledger:
    """Answers with `outcome` and keeps what it was asked."""

    def __init__(self, network: Any) -> None:
        self.asked: list[Any] = []
        self.outcome: Any = None
        for method, args, result in (
            ("create_canister", ledger_types.CREATE_CANISTER_ARGS, ledger_types.CREATE_CANISTER_RESULT),
            ("withdraw", ledger_types.WITHDRAW_ARGS, ledger_types.WITHDRAW_RESULT),
            ("icrc1_transfer", ledger_types.TRANSFER_ARGS, ledger_types.TRANSFER_RESULT),
            ("icrc1_balance_of", ledger_types.ACCOUNT, Nat),
        ):
            network.handlers[method] = self._handler(args, result)
        network.handlers["icrc1_fee"] = lambda _: candid.encode([Nat], [100_000_000])

    def _handler(self, args: candid.Type, result: candid.Type) -> Any:
        def handle(arg: bytes) -> bytes:
            self.asked += candid.decode([args], arg)
            return candid.encode([result], [self.outcome])

        return handle


@pytest.fixture
def ledger(network: Any) -> Ledger:
    return Ledger(network)


@pytest.fixture
def client(network: Any, ledger: Ledger) -> CyclesLedger:
    return CyclesLedger(network.agent())


def create(client: CyclesLedger) -> CreatedCanister:
    return client.create_canister(10**12, created_at_time_ns=TIME_NS, controllers=[ANONYMOUS])


def test_ids_are_mainnets() -> None:
    assert str(CYCLES_LEDGER_ID) == "um5iw-rqaaa-aaaaq-qaaba-cai"


def test_balance_and_fee(network: Any, client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = 5
    assert (client.balance(ANONYMOUS), client.fee()) == (5, 100_000_000)
    assert ledger.asked == [{"owner": ANONYMOUS, "subaccount": None}]
    assert all(str(CYCLES_LEDGER_ID) in request.path for request in network.requests if "query" in request.path)


def test_a_canister_is_created(client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = ("Ok", {"block_id": 7, "canister_id": MANAGEMENT})
    assert create(client) == CreatedCanister(MANAGEMENT, 7)
    [asked] = ledger.asked
    assert (asked["amount"], asked["created_at_time"], asked["from_subaccount"]) == (10**12, TIME_NS, None)
    assert asked["creation_args"]["settings"]["controllers"] == [ANONYMOUS]
    assert asked["creation_args"]["subnet_selection"] is None


def test_a_subnet_can_be_chosen(client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = ("Ok", {"block_id": 7, "canister_id": MANAGEMENT})
    client.create_canister(1, created_at_time_ns=1, controllers=[], subnet=ANONYMOUS)
    assert ledger.asked[0]["creation_args"]["subnet_selection"] == ("Subnet", {"subnet": ANONYMOUS})


def test_a_repeat_gives_the_same_canister(client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = ("Err", ("Duplicate", {"duplicate_of": 7, "canister_id": MANAGEMENT}))
    assert create(client) == CreatedCanister(MANAGEMENT, 7)


def test_a_repeat_of_a_failed_creation_is_no_success(client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = ("Err", ("Duplicate", {"duplicate_of": 7, "canister_id": None}))
    with pytest.raises(LedgerError) as raised:
        create(client)
    assert (raised.value.variant, raised.value.details["duplicate_of"]) == ("Duplicate", 7)


def test_top_up_and_transfer(client: CyclesLedger, ledger: Ledger, canister: Principal) -> None:
    ledger.outcome = ("Ok", 8)
    assert client.withdraw(canister, 5, TIME_NS) == 8
    assert client.transfer(ANONYMOUS, 6, TIME_NS) == 8
    top_up, transfer = ledger.asked
    assert (top_up["to"], top_up["amount"], top_up["created_at_time"]) == (canister, 5, TIME_NS)
    assert (transfer["to"]["owner"], transfer["amount"], transfer["created_at_time"]) == (ANONYMOUS, 6, TIME_NS)
    ledger.outcome = ("Err", ("Duplicate", {"duplicate_of": 8}))
    assert client.withdraw(canister, 5, TIME_NS) == 8
    assert client.transfer(ANONYMOUS, 6, TIME_NS) == 8


def test_too_little_money(client: CyclesLedger, ledger: Ledger, canister: Principal) -> None:
    ledger.outcome = ("Err", ("InsufficientFunds", {"balance": 1234}))
    for pay in (lambda: create(client), lambda: client.withdraw(canister, 5, TIME_NS)):
        with pytest.raises(InsufficientFundsError, match="1,234") as raised:
            pay()
        assert raised.value.balance == 1234


@pytest.mark.parametrize("error", [("TooOld", None), ("CreatedInFuture", {"ledger_time": 1})])
def test_a_payment_outside_the_ledgers_window(
    client: CyclesLedger, ledger: Ledger, canister: Principal, error: Any
) -> None:
    ledger.outcome = ("Err", error)
    for pay in (lambda: create(client), lambda: client.withdraw(canister, 5, TIME_NS)):
        with pytest.raises(LedgerWindowError) as raised:
            pay()
        assert raised.value.variant == error[0]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (("TemporarilyUnavailable", None), "TemporarilyUnavailable"),
        (("GenericError", {"message": "not\ntoday", "error_code": 3}), "not today"),
        (("InvalidReceiver", {"receiver": ANONYMOUS}), "InvalidReceiver"),
        (
            (
                "FailedToWithdraw",
                {"fee_block": 3, "rejection_code": ("DestinationInvalid", None), "rejection_reason": "no canister"},
            ),
            "no canister",
        ),
    ],
)
def test_other_refusals(client: CyclesLedger, ledger: Ledger, canister: Principal, error: Any, said: str) -> None:
    ledger.outcome = ("Err", error)
    with pytest.raises(LedgerError, match=said) as raised:
        client.withdraw(canister, 5, TIME_NS)
    assert (raised.value.variant, raised.value.details) == error


def test_a_creation_that_failed_says_why(client: CyclesLedger, ledger: Ledger) -> None:
    ledger.outcome = ("Err", ("FailedToCreate", {"fee_block": None, "refund_block": 9, "error": "no subnet"}))
    with pytest.raises(LedgerError, match="no subnet"):
        create(client)


def test_an_answer_of_another_shape_is_refused(network: Any, client: CyclesLedger) -> None:
    network.handlers["create_canister"] = lambda _: candid.encode([Nat], [1])
    with pytest.raises(candid.CandidError):
        create(client)
