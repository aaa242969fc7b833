"""A payment interrupted anywhere is made once: calls lost, answers lost, gone on with a day later.

The oracle is the network's own books: what the receiver has, and the audit of the whole supply.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

import pytest

from personal_ai.common.errors import Cancelled, NetworkTimeoutError
from personal_ai.common.jobs import Cancel
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.cycles_minting import PaymentRefundedError
from personal_ai.ic.icp_ledger import IcpLedger
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.ledger_refusals import InsufficientFundsError, LedgerWindowError
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.principal import Principal
from personal_ai.ic.transport import Request, Response
from personal_ai.replica.clock import Clock
from personal_ai.replica.money.treasury import DEFAULT_XDR_PERMYRIAD_PER_ICP
from personal_ai.wallet.journal import Kind, Payment, State
from personal_ai.wallet.payments import PaymentCameBackError, PaymentNotSentError
from tests.replica.network.running import OWNER, TRILLION, identity
from tests.wallet.conftest import Purse

FRIEND = identity("a friend").principal
CYCLES_PER_ICP = E8S_PER_ICP * DEFAULT_XDR_PERMYRIAD_PER_ICP
LATE = NetworkTimeoutError("Told to be late.")


def lose_call(_: Request, __: Callable[[], Response]) -> Response:
    raise LATE


def lose_answer(_: Request, answer: Callable[[], Response]) -> Response:
    answer()
    raise LATE


def go_through(_: Request, answer: Callable[[], Response]) -> Response:
    return answer()


def open_payment(purse: Purse) -> Payment:
    (payment,) = purse.wallet.open_payments()
    return payment


def received(purse: Purse, kind: Kind) -> int:
    if kind is Kind.SEND_ICP:
        return IcpLedger(purse.agent).balance(AccountIdentifier.of(FRIEND))
    return CyclesLedger(purse.agent).balance(FRIEND)


@pytest.mark.parametrize("kind", [Kind.SEND_ICP, Kind.SEND_CYCLES])
@pytest.mark.parametrize("trouble", [lose_call, lose_answer])
def test_a_transfer_is_made_once(purse: Purse, kind: Kind, trouble: object) -> None:
    preview = purse.wallet.preview(kind, 5, str(FRIEND))
    purse.transport.steps = [trouble, lose_answer]  # type: ignore[list-item]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(preview)
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.go_on(open_payment(purse))
    payment = purse.wallet.go_on(open_payment(purse))
    assert payment.state is State.DONE
    assert (received(purse, kind), purse.wallet.open_payments()) == (5, [])
    assert purse.balanced()


@pytest.mark.parametrize("steps", [[lose_answer], [go_through, lose_call], [go_through, lose_answer, lose_answer]])
def test_a_conversion_is_made_once(purse: Purse, steps: list[object]) -> None:
    before = purse.wallet.balances()
    purse.transport.steps = steps  # type: ignore[assignment]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(purse.wallet.preview(Kind.CONVERT, E8S_PER_ICP))
    while purse.transport.steps:
        with pytest.raises(NetworkTimeoutError):
            purse.wallet.go_on(open_payment(purse))
    assert purse.wallet.go_on(open_payment(purse)).cycles == CYCLES_PER_ICP
    after = purse.wallet.balances()
    assert after.cycles == before.cycles + CYCLES_PER_ICP - CYCLES_LEDGER_FEE
    assert after.icp_e8s == before.icp_e8s - E8S_PER_ICP - 10_000
    assert purse.balanced()


def days_pass(monkeypatch: pytest.MonkeyPatch, purse: Purse, hours: int) -> None:
    """The network's clock goes ahead, and so does that of the agent, which signs and checks with it."""
    ahead_ns = hours * 3600 * 10**9
    now_ns = Clock.now_ns
    monkeypatch.setattr(Clock, "now_ns", lambda self: now_ns(self) + ahead_ns)
    agent_clock = purse.agent.clock_ns
    purse.agent.clock_ns = lambda: agent_clock() + ahead_ns


@pytest.mark.parametrize("kind", [Kind.SEND_ICP, Kind.SEND_CYCLES])
def test_25_hours_later_the_blocks_tell_that_it_was_paid(
    monkeypatch: pytest.MonkeyPatch, purse: Purse, kind: Kind
) -> None:
    purse.transport.steps = [lose_answer]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(purse.wallet.preview(kind, 5, str(FRIEND)))
    for amount in range(6, 9):
        purse.wallet.pay(purse.wallet.preview(kind, amount, str(FRIEND)))
    days_pass(monkeypatch, purse, 25)
    payment = purse.wallet.go_on(open_payment(purse))
    assert payment.state is State.DONE
    assert payment.block_index is not None
    assert received(purse, kind) == 5 + 6 + 7 + 8


@pytest.mark.parametrize("kind", [Kind.SEND_ICP, Kind.SEND_CYCLES])
def test_25_hours_later_the_blocks_tell_that_it_was_not(
    monkeypatch: pytest.MonkeyPatch, purse: Purse, kind: Kind
) -> None:
    purse.transport.steps = [lose_call]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(purse.wallet.preview(kind, 5, str(FRIEND)))
    purse.wallet.pay(purse.wallet.preview(kind, 5, str(FRIEND)))  # the same in all but its time
    days_pass(monkeypatch, purse, 25)
    with pytest.raises(PaymentNotSentError, match="never reached"):
        purse.wallet.go_on(open_payment(purse))
    assert received(purse, kind) == 5
    assert purse.wallet.open_payments() == []


def test_a_conversion_25_hours_later(monkeypatch: pytest.MonkeyPatch, purse: Purse) -> None:
    purse.transport.steps = [lose_answer]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(purse.wallet.preview(Kind.CONVERT, E8S_PER_ICP))
    days_pass(monkeypatch, purse, 25)
    assert purse.wallet.go_on(open_payment(purse)).cycles == CYCLES_PER_ICP


def test_a_canister_that_icp_bought_is_the_same_one_days_later(monkeypatch: pytest.MonkeyPatch, purse: Purse) -> None:
    preview = purse.wallet.preview(Kind.CREATE, E8S_PER_ICP)
    costs = purse.agent.profile.costs
    assert preview.cycles == CYCLES_PER_ICP - costs.on_subnet(costs.creation)
    purse.transport.steps = [go_through, lose_answer]  # made, and nobody was told
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(preview)
    [made] = purse.network.canisters_of(OWNER.principal)
    days_pass(monkeypatch, purse, 25)
    payment = purse.wallet.go_on(open_payment(purse))
    assert (payment.state, payment.said) == (State.DONE, str(made))
    assert purse.network.canisters_of(OWNER.principal) == purse.wallet.created() == [made]
    assert purse.balanced()


def test_a_repeat_that_is_refused_was_perhaps_paid_all_the_same(purse: Purse) -> None:
    """The account was emptied in between, and the fee that the journal remembers is not today's."""
    preview = purse.wallet.preview(Kind.SEND_ICP, 5, str(FRIEND))
    purse.transport.steps = [lose_answer]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(preview)
    changed = dataclasses.replace(open_payment(purse), fee=1)
    payment = purse.wallet.go_on(changed)
    assert (payment.state, received(purse, Kind.SEND_ICP)) == (State.DONE, 5)


def test_what_is_ahead_of_the_ledgers_clock_may_yet_arrive(monkeypatch: pytest.MonkeyPatch, purse: Purse) -> None:
    """Closed and made again, it would be paid twice as soon as the ledger's clock has come so far."""
    ahead_ns = 90 * 10**9
    monkeypatch.setattr(purse.journal, "_clock_ns", lambda: time.time_ns() + ahead_ns)
    purse.transport.steps = [lose_call]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(purse.wallet.preview(Kind.SEND_CYCLES, 5, str(FRIEND)))
    with pytest.raises(LedgerWindowError, match="ahead of the ledger's clock"):
        purse.wallet.go_on(open_payment(purse))
    now_ns = Clock.now_ns
    monkeypatch.setattr(Clock, "now_ns", lambda self: now_ns(self) + ahead_ns)
    purse.agent.clock_ns = lambda: time.time_ns() + ahead_ns
    assert purse.wallet.go_on(open_payment(purse)).state is State.DONE
    assert received(purse, Kind.SEND_CYCLES) == 5


def test_a_payment_from_far_in_the_future_ends(monkeypatch: pytest.MonkeyPatch, purse: Purse) -> None:
    with monkeypatch.context() as wrong:
        wrong.setattr(purse.journal, "_clock_ns", lambda: time.time_ns() + 3600 * 10**9)
        purse.transport.steps = [lose_call]
        with pytest.raises(NetworkTimeoutError):
            purse.wallet.pay(purse.wallet.preview(Kind.SEND_CYCLES, 5, str(FRIEND)))
    with pytest.raises(LedgerWindowError):
        purse.wallet.go_on(open_payment(purse))
    assert purse.wallet.open_payments() == []
    assert purse.wallet.pay(purse.wallet.preview(Kind.SEND_CYCLES, 6, str(FRIEND))).state is State.DONE, "its own time"
    assert received(purse, Kind.SEND_CYCLES) == 6


def test_a_refusal_ends_a_payment(purse: Purse) -> None:
    preview = purse.wallet.preview(Kind.SEND_CYCLES, 9 * TRILLION, str(FRIEND))
    CyclesLedger(purse.agent).transfer(FRIEND, 5 * TRILLION, time.time_ns())
    with pytest.raises(InsufficientFundsError) as caught:
        purse.wallet.pay(preview)
    assert caught.value.balance == 5 * TRILLION - CYCLES_LEDGER_FEE
    (payment,) = purse.journal.payments("practice", str(OWNER.principal))
    assert payment.state is State.REFUSED
    assert "only" in (payment.said or "")


def test_a_refund_is_told(purse: Purse) -> None:
    """A canister that is deleted between preview and payment."""
    absent = Principal((0xFFFF_FFFF_FFEF_FFFF).to_bytes(8, "big") + b"\x01\x01")
    preview = dataclasses.replace(
        purse.wallet.preview(Kind.CONVERT, E8S_PER_ICP), kind=Kind.CONVERT_TOP_UP, target=str(absent)
    )
    with pytest.raises(PaymentRefundedError) as caught:
        purse.wallet.pay(preview)
    assert caught.value.block_index is not None
    (payment,) = purse.journal.payments("practice", str(OWNER.principal))
    assert payment.state is State.REFUNDED
    assert purse.balanced()


def test_a_top_up_that_came_back_is_not_taken_for_done(purse: Purse) -> None:
    """The canister is deleted before the cycles arrive, and the answer that says so is lost."""
    absent = Principal((0xFFFF_FFFF_FFEF_FFFF).to_bytes(8, "big") + b"\x01\x01")
    preview = dataclasses.replace(
        purse.wallet.preview(Kind.SEND_CYCLES, TRILLION, str(FRIEND)), kind=Kind.TOP_UP, target=str(absent)
    )
    purse.transport.steps = [lose_answer]
    with pytest.raises(NetworkTimeoutError):
        purse.wallet.pay(preview)
    with pytest.raises(PaymentCameBackError, match="came back"):
        purse.wallet.go_on(open_payment(purse))
    assert purse.wallet.open_payments() == []
    assert purse.wallet.balances().cycles == 10 * TRILLION - 2 * CYCLES_LEDGER_FEE
    assert purse.balanced()


def test_a_cancelled_payment_is_not_sent(purse: Purse) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        purse.wallet.pay(purse.wallet.preview(Kind.SEND_ICP, 5, str(FRIEND)), cancel)
    assert received(purse, Kind.SEND_ICP) == 0
    assert open_payment(purse).state is State.INTENDED
