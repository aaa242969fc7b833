"""Activity: everything that was begun, how far it is, and going on with what is not finished."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QFrame

from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.journal import Payment
from ui.activity_log import ActivityLog
from ui.bridge import Lane
from ui.payment_words import kind_words
from ui.profile import Profile
from ui.text import tr
from ui.theme.tokens import SPACE_M, SPACE_XL
from ui.widgets.activity_card import ActivityCard
from ui.widgets.basic import Button, clear, column, frame, label
from ui.widgets.notice import Problem
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.app.activity import Entry

_SHOWN_AT_FIRST = 30


class ActivityPage(ScrollPage):
    """`resume_wanted` carries an entry to go on with, of a deployment: the page of the AIs does that."""

    resume_wanted = Signal(object)

    def __init__(self, profile: Profile, toast: Toast, under_way: Callable[[Entry], bool]) -> None:
        """under_way: whether something is being worked on now."""
        super().__init__()
        self._profile = profile
        self._toast = toast
        self._under_way = under_way
        self._unfolded: set[str] = set()
        self._shown = _SHOWN_AT_FIRST
        self.log = ActivityLog(profile)
        self.column.addWidget(label(tr("Activity"), "heading1"))
        self._cards = column(spacing=SPACE_M)
        self.column.addLayout(self._cards)
        self.older = Button(tr("Show older"), on_click=self._show_older)
        self.column.addWidget(self.older, 0, Qt.AlignmentFlag.AlignLeft)
        self.log.changed.connect(self._refresh)
        profile.changed.connect(self._read_if_seen)
        self._refresh()

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.log.watch(seen=True)
        self._refresh()  # what is under way may have changed where the journal has not

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        super().hideEvent(event)
        self.log.watch(seen=False)

    def _read_if_seen(self) -> None:
        if self.isVisible():
            self.log.read()
            self._refresh()

    def _show_older(self) -> None:
        self._shown += _SHOWN_AT_FIRST
        self._refresh()

    def _refresh(self) -> None:
        """Draws the cards anew; the keyboard stays on the button that it was on."""
        focused = QApplication.focusWidget()
        name = focused.accessibleName() if focused is not None and self.isAncestorOf(focused) else ""
        self._draw()
        for button in self.findChildren(Button):
            if name and not button.isHidden() and button.accessibleName() == name:
                button.setFocus()

    def _draw(self) -> None:
        clear(self._cards)
        log = self.log
        if log.problem is not None:
            self._cards.addWidget(Problem(log.problem))
            self._cards.addWidget(Button(tr("Try again"), on_click=log.read), 0, Qt.AlignmentFlag.AlignLeft)
        elif log.entries is None:
            self._cards.addWidget(label(tr("Reading the journals…"), "muted"))
        elif not log.entries:
            self._cards.addWidget(_empty())
        else:
            for entry in log.entries[: self._shown]:
                self._cards.addWidget(self._card(entry))
        self.older.setVisible(log.problem is None and len(log.entries or ()) > self._shown)

    def _card(self, entry: Entry) -> ActivityCard:
        subject = entry.subject
        deploying = self._profile.bridge.runs(Lane.DEPLOY)
        card = ActivityCard(
            entry,
            under_way=self._under_way(entry),
            can_go_on=not (deploying if isinstance(subject, Deployment) else self.log.going_on),
            details=entry.id in self._unfolded,
        )
        card.go_on_wanted.connect(lambda: self._go_on(entry))
        card.unfolded.connect(lambda shown: self._unfolded.add(entry.id) if shown else self._unfolded.discard(entry.id))
        return card

    def _go_on(self, entry: Entry) -> None:
        if isinstance(entry.subject, Deployment):
            self.resume_wanted.emit(entry)
        else:
            self.log.go_on(entry.subject).on_success(self._tell_done)

    def _tell_done(self, payment: Payment) -> None:
        amount = payment.kind.token.show(payment.amount)
        self._toast.tell(tr("{what}: {amount}, done.").format(what=kind_words(payment.kind), amount=amount))


def _empty() -> QFrame:
    card, layout = frame("card", margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL), spacing=SPACE_M)
    layout.addWidget(label(tr("Nothing was begun yet"), "heading1"))
    layout.addWidget(
        label(
            tr(
                "Deployments and payments are written down here before anything is sent. Whatever interrupts them, "
                "they can be gone on with from here, and nothing is paid twice."
            ),
            wrap=True,
        )
    )
    return card
