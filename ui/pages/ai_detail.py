"""One AI: how it is, and everything that can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.journal import Payment
from ui.ai_desk import AiDesk, AiView
from ui.ai_words import engine_words, health_advice, view_words
from ui.core import Model
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, chip, clear, column, label, row, set_look
from ui.widgets.cycles_card import CyclesCard
from ui.widgets.deployment_card import deployment_line, unreached_words
from ui.widgets.notice import Notice
from ui.widgets.toast import Toast
from ui.widgets.top_up_dialog import TopUpDialog


class AiDetail(QWidget):
    """`chat_wanted` carries the deployment; `left` when its owner goes back to the list."""

    chat_wanted = Signal(object)
    wallet_wanted = Signal()
    left = Signal()

    def __init__(self, desk: AiDesk, toast: Toast, deployment: Deployment, model: Model | None) -> None:
        super().__init__()
        self.column = column(self, spacing=SPACE_L)
        self._desk = desk
        self._toast = toast
        self.deployment = deployment
        self.back = Button(tr("All AIs"), "quiet", icon="left", on_click=self.left.emit)
        self.chat = Button(tr("Chat"), "primary", icon="chat", on_click=lambda: self.chat_wanted.emit(self.deployment))
        self.chat.setAccessibleName(tr("Chat with {name}").format(name=deployment.name))
        self.again = Button(tr("Look again"), "quiet", icon="again", on_click=lambda: self._desk.look(self.deployment))
        self._mark, self._engine = chip("", "plain"), chip("", "plain")
        self._news = column(spacing=SPACE_L)
        self.cycles = CyclesCard()
        self._arrange(model)
        self._connect()
        self._refresh(deployment.id)

    def _arrange(self, model: Model | None) -> None:
        way = row()
        way.addWidget(self.back)
        way.addStretch()
        way.addWidget(self.again)
        self.column.addLayout(way)
        self.column.addLayout(self._header(model))
        self.column.addLayout(self._news)
        for section in self._sections():
            self.column.addWidget(section)

    def _header(self, model: Model | None) -> QHBoxLayout:
        words = column(spacing=2)
        words.addWidget(label(self.deployment.name, "heading1"))
        line = label(deployment_line(self.deployment, model), "small", wrap=True)
        line.setToolTip(self.deployment.canister_id or "")
        words.addWidget(line)
        marks = row(spacing=SPACE_S)
        for mark in (self._mark, self._engine):
            marks.addWidget(mark)
        marks.addStretch()
        words.addSpacing(SPACE_S)
        words.addLayout(marks)
        header = row(spacing=SPACE_S)
        header.addLayout(words, 1)
        header.addWidget(self.chat, 0, Qt.AlignmentFlag.AlignTop)
        return header

    def _sections(self) -> tuple[QWidget, ...]:
        return (self.cycles,)

    def _connect(self) -> None:
        self._desk.seen.connect(self._refresh)
        self.cycles.top_up_wanted.connect(self.top_up)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._desk.look(self.deployment)

    # Showing

    def _refresh(self, deployment_id: str) -> None:
        if deployment_id != self.deployment.id:
            return
        view = self._desk.view(self.deployment)
        words, tone = view_words(view)
        self._mark.setText(words)
        set_look(self._mark, "tone", tone)
        self._engine.setVisible(view.sight is not None)
        if view.sight is not None:
            words, tone = engine_words(view.sight.look.engine)
            self._engine.setText(words)
            set_look(self._engine, "tone", tone)
        self._show_news(view)
        self.cycles.show_view(view)

    def _show_news(self, view: AiView) -> None:
        """What its owner should know before anything else."""
        clear(self._news)
        if view.problem is not None:
            self._news.addWidget(Notice(unreached_words(view)))
        elif view.sight is not None and (advice := health_advice(view.sight.look.health)):
            self._news.addWidget(Notice(advice))

    # Cycles

    def top_up(self) -> None:
        sight = self._desk.view(self.deployment).sight
        if sight is None:
            return
        dialog = TopUpDialog(self._desk, self.deployment, sight, self)
        dialog.paid.connect(self._tell_paid)
        dialog.stopped.connect(lambda: self._toast.tell(tr("Stopped. If anything was sent, Activity goes on with it.")))
        dialog.wallet_wanted.connect(self.wallet_wanted)
        dialog.open()

    def _tell_paid(self, payment: Payment) -> None:
        amount = payment.kind.token.show(payment.amount)
        self._toast.tell(tr("{amount} are in {name}.").format(amount=amount, name=self.deployment.name))
