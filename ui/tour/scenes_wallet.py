"""The wallet in its states."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QDialog

from personal_ai.common.errors import NetworkUnreachableError
from personal_ai.common.jobs import Cancel
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.scripted_wallet import FRIEND, LINKED, filled_money
from ui.tour.stage import Stage
from ui.widgets.pay_dialog import PayDialog
from ui.widgets.rail import Page

_NARROW = (640, 760)


def wallet_scenes() -> list[Scene]:
    return [
        Scene("wallet", "empty", _open, core=_nobody),
        Scene("wallet", "stopped", _open),
        Scene("wallet", "busy", _busy, core=_rich),
        Scene("wallet", "error", _error, core=_rich),
        Scene("wallet", "filled", _open, core=_rich),
        Scene("wallet", "nothing", _open, core=_running),
        Scene("wallet", "narrow", _open, _NARROW, _rich),
        Scene("wallet", "receive", _receive, core=_rich),
        Scene("wallet", "send", _send, core=_rich),
        Scene("wallet", "preview", _preview, core=_rich),
        Scene("wallet", "linked", _linked, core=_rich),
        Scene("wallet", "too-much", _too_much, core=_rich),
        Scene("wallet", "not-paid", _not_paid, core=_rich),
        Scene("wallet", "convert", _convert, core=_rich),
    ]


def _running() -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    return core


def _nobody() -> ScriptedCore:
    core = ScriptedCore()
    core.money.labels.clear()
    return core


def _rich() -> ScriptedCore:
    core = _running()
    core.money = filled_money()
    return core


def _away(call: str) -> Callable[[str, Cancel], None]:
    """A network that goes away at one call."""

    def before(name: str, _: Cancel) -> None:
        if name == call:
            raise NetworkUnreachableError(
                "The practice network does not answer.",
                not_lost="Your money is untouched: what was begun can be gone on with, and is never paid twice.",
                next_step="Start the network, then try again.",
            )

    return before


def _open(stage: Stage, look: Appearance) -> None:
    stage.enter(look).shell.show_page(Page.WALLET)
    stage.settle()


def _busy(stage: Stage, look: Appearance) -> None:
    stage.core.money.before = lambda name, cancel: stage.hold(cancel) if name == "account" else None
    stage.enter(look).shell.show_page(Page.WALLET)
    stage.until(lambda: stage.shell.wallet.till.reading)


def _error(stage: Stage, look: Appearance) -> None:
    stage.core.money.before = _away("account")
    _open(stage, look)


def _receive(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.wallet.balance.receive.click()
    stage.draw()


def _send(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.wallet.balance.send.click()
    stage.settle()


def _previewed(stage: Stage, look: Appearance, amount: str) -> PayDialog:
    _send(stage, look)
    dialog = stage.find(PayDialog)
    dialog.amount.setText(amount)
    dialog.target.setEditText(str(FRIEND))
    dialog.go.click()
    stage.settle()
    return dialog


def _preview(stage: Stage, look: Appearance) -> None:
    _previewed(stage, look, "1.5")


def _linked(stage: Stage, look: Appearance) -> None:
    stage.core.money.warning = LINKED
    _previewed(stage, look, "1.5")


def _too_much(stage: Stage, look: Appearance) -> None:
    _previewed(stage, look, "150")


def _not_paid(stage: Stage, look: Appearance) -> None:
    stage.core.money.before = _away("pay")
    _previewed(stage, look, "1.5").go.click()
    stage.settle()


def _convert(stage: Stage, look: Appearance) -> None:
    _open(stage, look)
    stage.shell.wallet.balance.convert.click()
    dialog = next(one for one in stage.window.findChildren(QDialog) if one.isVisible())
    assert isinstance(dialog, PayDialog)
    dialog.amount.setText("2")
    dialog.go.click()
    stage.settle()
