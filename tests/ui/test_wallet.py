"""The wallet: whose money, receiving, paying with its ways out, going on, history, practice money."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton, QWidget

from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.wallet.journal import Kind, State
from ui.payment_words import kind_words, state_words
from ui.tour.scripted import ScriptedCore
from ui.tour.scripted_wallet import CANISTER, FRIEND, LINKED, OWN, ScriptedMoney, filled_money, payment
from ui.tour.stage import Stage
from ui.widgets.pay_dialog import PayDialog
from ui.widgets.rail import Page
from ui.widgets.receive_dialog import ReceiveDialog

MakeStage = Callable[..., Stage]
ICP = 10**8


def words(widget: QWidget) -> str:
    shown = [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
    return " | ".join(shown).replace("\N{NO-BREAK SPACE}", " ").replace("\N{ZERO WIDTH SPACE}", "")


def button(within: QWidget, text: str) -> QPushButton:
    (found,) = [one for one in within.findChildren(QPushButton) if one.text() == text and one.isVisible()]
    return found


@pytest.fixture
def opened(make_stage: MakeStage) -> Callable[[ScriptedMoney], Stage]:
    """The wallet page over some money, the practice network running."""

    def open_wallet(money: ScriptedMoney) -> Stage:
        core = ScriptedCore()
        core.money = money
        core.practice_network.running = True
        stage = make_stage(core).enter()
        stage.shell.show_page(Page.WALLET)
        stage.settle()
        return stage

    return open_wallet


@pytest.fixture
def rich(opened: Callable[[ScriptedMoney], Stage]) -> Stage:
    return opened(filled_money())


def paying(stage: Stage, amount: str, target: str = str(FRIEND), kind: Kind = Kind.SEND_ICP) -> PayDialog:
    """The send dialog, filled in and asked what it costs."""
    stage.shell.wallet.balance.send.click()
    dialog = stage.find(PayDialog)
    dialog.kind.setCurrentIndex(dialog.kind.findData(kind))
    stage.settle()
    dialog.amount.setText(amount)
    dialog.target.setEditText(target)
    dialog.go.click()
    stage.settle()
    return dialog


def fails(call: str) -> Callable[[str, Cancel], None]:
    def before(name: str, _: Cancel) -> None:
        if name == call:
            raise NetworkUnreachableError("Nobody answers.", next_step="Try later.")

    return before


def toast(stage: Stage) -> str:
    return words(stage.shell.toast)


def test_balances_the_rate_with_its_age_and_history(rich: Stage) -> None:
    shown = words(rich.shell.wallet)
    for told in ("6.4998 ICP", "5.000 T cycles", "1 ICP comes to 3.000 T cycles (rate 4 min old).", "-1.5001 ICP"):
        assert told in shown
    assert "Refused" in shown and "Paid, cycles still to come" in shown
    assert shown.index("Send cycles") < shown.index("Newly made")


def test_nothing_is_asked_on_the_windows_thread(opened: Callable[[ScriptedMoney], Stage]) -> None:
    money, asked = filled_money(), set()
    money.before = lambda name, _: asked.add((name, threading.current_thread().name))
    stage = opened(money)
    paying(stage, "1").go.click()
    stage.settle()
    assert asked == {(name, "lane money") for name in ("account", "history", "offer", "pay")}


def test_nobody_to_hold_money_and_the_first_who_does(opened: Callable[[ScriptedMoney], Stage]) -> None:
    stage = opened(ScriptedMoney(labels=[]))
    assert not stage.shell.wallet.balance.isVisible()
    button(stage.shell.wallet, "Make an identity for money").click()
    stage.settle()
    assert stage.shell.wallet.purses.currentText() == "Wallet"
    assert "Nothing was received or sent yet." in words(stage.shell.wallet)


def test_a_network_that_is_stopped_is_started_from_here(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    stage.shell.show_page(Page.WALLET)
    stage.settle()
    assert not stage.shell.wallet.balance.isVisible()
    button(stage.shell.wallet, "Start the network").click()
    stage.settle()
    assert stage.core.practice_network.running
    assert stage.shell.wallet.balance.isVisible()


def test_what_cannot_be_read_can_be_tried_again(opened: Callable[[ScriptedMoney], Stage]) -> None:
    money = filled_money()
    money.before = fails("account")
    stage = opened(money)
    assert "Nobody answers." in words(stage.shell.wallet)
    money.before = lambda _, __: None
    button(stage.shell.wallet, "Try again").click()
    stage.settle()
    assert "Nobody answers." not in words(stage.shell.wallet)
    assert stage.shell.wallet.balance.isVisible()


def test_another_identity_and_another_network(rich: Stage) -> None:
    page = rich.shell.wallet
    page.purses.setCurrentIndex(1)
    page.purses.activated.emit(1)
    rich.settle()
    assert page.till.purse is not None and page.till.purse.label == "Rowan"
    page.networks.setCurrentIndex(1)
    page.networks.activated.emit(1)
    rich.settle()
    assert (page.till.purse.network, page.till.purse.label) == ("ic", "Rowan")
    assert not page.balance.gift.isVisible()  # money comes out of nothing on the practice network only


def test_both_addresses_are_explained_and_copied(rich: Stage) -> None:
    rich.shell.wallet.balance.receive.click()
    rich.until(lambda: rich.window.findChild(ReceiveDialog) is not None)
    dialog = rich.find(ReceiveDialog)
    assert str(OWN) in words(dialog)
    for copy in dialog.findChildren(QPushButton):
        if copy.text() == "Copy":
            copy.click()
            assert QGuiApplication.clipboard().text() in (str(OWN), str(AccountIdentifier.of(OWN)))
    assert "clipboard" in toast(rich)
    button(dialog, "Close").click()
    assert not dialog.isVisible()


def test_a_payment_is_previewed_then_made(rich: Stage) -> None:
    dialog = paying(rich, "1.5")
    shown = words(dialog)
    assert "1.5 ICP, and a fee of 0.0001 ICP" in shown
    assert "1.5001 ICP leave the account; 4.9997 ICP stay." in shown
    before = len(rich.core.money.payments)
    button(dialog, "Pay 1.5001 ICP").click()
    rich.settle()
    assert len(rich.core.money.payments) == before + 1
    assert "Send ICP: 1.5 ICP, done." in toast(rich)
    assert "4.9997 ICP" in words(rich.shell.wallet)


def test_the_address_book_and_ones_own_canisters_are_suggested(rich: Stage) -> None:
    rich.shell.wallet.balance.send.click()
    dialog = rich.find(PayDialog)
    rich.settle()
    assert dialog.target.itemText(0).startswith("Ada")
    dialog.target.setCurrentIndex(0)
    dialog.target.activated.emit(0)
    assert dialog.target.currentText() == str(FRIEND)
    dialog.kind.setCurrentIndex(dialog.kind.findData(Kind.TOP_UP))
    rich.settle()
    assert dialog.target.itemData(0) == CANISTER
    assert dialog.target.currentText() == ""


def test_what_is_changed_after_the_preview_is_previewed_again(rich: Stage) -> None:
    dialog = paying(rich, "1")
    QTest.keyClicks(dialog.amount, "0")
    assert dialog.go.text() == "See what it costs"
    dialog.go.click()
    rich.settle()
    assert "6.4998 ICP are there. Pay less" in words(dialog)
    assert not dialog.go.isEnabled()
    dialog.reject()
    assert not dialog.isVisible()


@pytest.mark.parametrize(("amount", "target", "told"), [("1,5", str(FRIEND), "amount"), ("1", "nobody", "neither")])
def test_what_makes_no_sense_is_said_and_nothing_is_paid(rich: Stage, amount: str, target: str, told: str) -> None:
    dialog = paying(rich, amount, target)
    assert told in words(dialog)
    assert dialog.go.text() == "See what it costs" and dialog.go.isEnabled()


def test_a_payment_that_links_identities_is_agreed_to_first(rich: Stage) -> None:
    rich.core.money.warning = LINKED
    dialog = paying(rich, "1")
    assert LINKED.what in words(dialog) and "the ICP ledger, for everybody" in words(dialog)
    assert not dialog.go.isEnabled()
    dialog.agreed.setChecked(True)
    assert dialog.go.isEnabled()
    dialog.agreed.setChecked(False)
    assert not dialog.go.isEnabled()


def test_a_payment_that_failed_is_gone_on_with_and_not_made_again(rich: Stage) -> None:
    rich.core.money.before = fails("pay")
    dialog = paying(rich, "1")
    dialog.go.click()
    rich.settle()
    assert "Nobody answers." in words(dialog)
    assert not dialog.go.isVisible()  # a second press would be a second payment
    button(dialog, "Close").click()
    made = len(rich.core.money.payments)
    rich.core.money.before = lambda _, __: None
    waiting = [one for one in rich.shell.wallet.findChildren(QPushButton) if one.text() == "Go on" and one.isVisible()]
    waiting[0].click()
    after = [one for one in rich.shell.wallet.findChildren(QPushButton) if one.text() == "Go on" and one.isVisible()]
    assert len(after) == 2 and not any(one.isEnabled() for one in after)  # one at a time
    rich.settle()
    assert len(rich.core.money.payments) == made
    assert rich.core.money.payments[0].state is State.DONE


def test_going_on_that_fails_says_so_and_stays(rich: Stage) -> None:
    rich.core.money.before = fails("go_on")
    button(rich.shell.wallet, "Go on").click()
    rich.settle()
    assert "Nobody answers." in words(rich.shell)
    assert button(rich.shell.wallet, "Go on").isEnabled()


def test_a_payment_under_way_is_stopped(rich: Stage) -> None:
    began: list[str] = []

    def wait(name: str, cancel: Cancel) -> None:
        if name == "pay":
            began.append(name)
            rich.hold(cancel)

    rich.core.money.before = wait
    dialog = paying(rich, "1")
    dialog.go.click()
    rich.until(lambda: bool(began))
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert dialog.isVisible()  # until it has come to a safe place
    rich.settle()
    assert rich.window.findChild(PayDialog) is None
    assert "you can go on here" in toast(rich)
    assert rich.core.money.payments[0].state is State.INTENDED


def test_icp_become_cycles_with_what_they_bring_shown_first(rich: Stage) -> None:
    rich.shell.wallet.balance.convert.click()
    dialog = rich.find(PayDialog)
    rich.settle()
    assert not dialog.target.isVisible()
    dialog.amount.setText("2")
    dialog.go.click()
    rich.settle()
    assert "It brings about 6 T cycles" in words(dialog)
    button(dialog, "Pay 2.0001 ICP").click()
    rich.settle()
    assert rich.core.money.payments[0].kind is Kind.CONVERT


def test_practice_money(opened: Callable[[ScriptedMoney], Stage]) -> None:
    stage = opened(ScriptedMoney())
    assert not stage.shell.wallet.balance.convert.isEnabled()
    stage.shell.wallet.balance.gift.click()
    stage.settle()
    assert "10 ICP of practice money came in." in toast(stage)
    assert stage.shell.wallet.balance.convert.isEnabled()


def test_history_goes_back_page_by_page(opened: Callable[[ScriptedMoney], Stage]) -> None:
    money = filled_money()
    money.movements = [money.movements[-1]] * 40
    stage = opened(money)
    assert words(stage.shell.wallet.history).count("Newly made") == 25
    button(stage.shell.wallet, "Show older").click()
    stage.settle()
    assert words(stage.shell.wallet.history).count("Newly made") == 40
    assert not stage.shell.wallet.history.older.isVisible()


def test_every_kind_and_state_has_words() -> None:
    assert len({kind_words(kind) for kind in Kind}) == len(Kind)
    assert len({state_words(state) for state in State}) == len(State)
    assert payment(Kind.TOP_UP, ICP, CANISTER, State.DONE).kind.into_canister
