"""One AI: how it is, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.journal import Payment
from ui.ai_desk import AiDesk, AiView
from ui.ai_words import cycles_words, engine_words, health_advice, view_words
from ui.bridge import Operation
from ui.core import Model
from ui.pages.ai_control import AiControl
from ui.pages.ai_snapshots import AiSnapshots
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets import ai_dialogs
from ui.widgets.ai_settings import AiSettingsCard
from ui.widgets.ai_work_card import AiWorkCard
from ui.widgets.basic import Button, chip, clear, column, label, row, set_look
from ui.widgets.cycles_card import CyclesCard
from ui.widgets.deployment_card import deployment_line, unreached_words
from ui.widgets.engine_card import EngineCard
from ui.widgets.form_dialog import FormDialog
from ui.widgets.life_card import LifeCard
from ui.widgets.log_view import LogCard
from ui.widgets.notice import Notice, Problem
from ui.widgets.question import ask
from ui.widgets.toast import Toast
from ui.widgets.top_up_dialog import TopUpDialog

if TYPE_CHECKING:
    from personal_ai.deployments.removal import Loss


class AiDetail(QWidget):
    """`chat_wanted` carries the deployment; `left` when its owner goes back to the list."""

    chat_wanted = Signal(object)
    wallet_wanted = Signal()
    elsewhere_wanted = Signal()
    left = Signal()
    problem_shown = Signal()

    def __init__(
        self, desk: AiDesk, toast: Toast, deployment: Deployment, models: Callable[[], Sequence[Model]]
    ) -> None:
        """models: of the library, to choose from."""
        super().__init__()
        self.column = column(self, spacing=SPACE_L)
        self._desk = desk
        self._toast = toast
        self._models = models
        self.deployment = deployment
        self.back = Button(tr("All AIs"), "quiet", icon="left", on_click=self.left.emit)
        self.chat = Button(tr("Chat"), "primary", icon="chat", on_click=lambda: self.chat_wanted.emit(self.deployment))
        self.again = Button(tr("Look again"), "quiet", icon="again", on_click=lambda: self._desk.look(self.deployment))
        self._name, self._line = label("", "heading1"), label("", "small", wrap=True)
        self._mark, self._engine = chip("", "plain"), chip("", "plain")
        self._news = column(spacing=SPACE_L)
        self._trouble = column()
        self._work_place = column()
        self._work: AiWorkCard | None = None
        self.cycles = CyclesCard()
        self.engine = EngineCard(deployment.model, self._model)
        self.snapshots = AiSnapshots(desk, toast, deployment)
        self.controllers = AiControl(desk, toast, deployment)
        self.settings = AiSettingsCard()
        self.log = LogCard()
        self.life = LifeCard()
        self._arrange()
        self._connect()
        self._show_deployment()

    def _arrange(self) -> None:
        way = row()
        way.addWidget(self.back)
        way.addStretch()
        way.addWidget(Button(tr("Deploy it on another network…"), "quiet", on_click=self.elsewhere_wanted.emit))
        way.addWidget(self.again)
        self.column.addLayout(way)
        self.column.addLayout(self._header())
        self.column.addLayout(self._news)
        self.column.addLayout(self._trouble)
        self.column.addLayout(self._work_place)
        for section in (
            self.cycles,
            self.engine,
            self.snapshots,
            self.controllers,
            self.settings,
            self.log,
            self.life,
        ):
            self.column.addWidget(section)

    def _header(self) -> QHBoxLayout:
        words = column(spacing=2)
        words.addWidget(self._name)
        words.addWidget(self._line)
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

    def _connect(self) -> None:
        self._desk.seen.connect(self._refresh)
        self._desk.work.changed.connect(self._show_work)
        self.cycles.top_up_wanted.connect(self.top_up)
        self.cycles.budget_wanted.connect(self._set_budget)
        self.engine.upgrade_wanted.connect(self._upgrade)
        self.engine.replace_wanted.connect(self._replace_model)
        self.controllers.asked.connect(self._watch)
        self.settings.change_wanted.connect(self._change_settings)
        self.log.lines_wanted.connect(self._read_log)
        self.life.switch_wanted.connect(self._switch)
        self.life.delete_wanted.connect(self._delete)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._desk.look(self.deployment)
        self.snapshots.read()

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Escape leads back to the list."""
        if event.key() == Qt.Key.Key_Escape:
            self.left.emit()
        else:
            super().keyPressEvent(event)

    # Showing

    @property
    def _model(self) -> Model | None:
        return next((one for one in self._models() if one.name == self.deployment.model), None)

    def follow(self, deployment: Deployment) -> None:
        """It has changed, by what was done here or elsewhere. Open dialogs and the place that is read stay."""
        self.deployment = self.snapshots.deployment = self.controllers.deployment = deployment
        self._show_deployment()
        if self.isVisible():
            self._desk.look(deployment)
            self.snapshots.read()

    def _show_deployment(self) -> None:
        deployment, model = self.deployment, self._model
        self._name.setText(deployment.name)
        self._line.setText(deployment_line(deployment, model))
        self._line.setToolTip(deployment.canister_id or "")
        self.chat.setAccessibleName(tr("Chat with {name}").format(name=deployment.name))
        self.engine.show_model(deployment.model, model)
        self._refresh(deployment.id)

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
            self.controllers.show_control(view.sight.control)
            self.settings.show_status(view.sight.look.status)
        self._show_news(view)
        self.cycles.show_view(view)
        self._show_work()

    def _show_news(self, view: AiView) -> None:
        """What its owner should know before anything else."""
        clear(self._news)
        if view.problem is not None:
            self._news.addWidget(Notice(unreached_words(view)))
        elif view.sight is not None and (advice := health_advice(view.sight.look.health)):
            self._news.addWidget(Notice(advice))

    def _show_work(self) -> None:
        """The long work on this AI, and what it keeps from being done meanwhile."""
        view, work = self._desk.view(self.deployment), self._desk.work.current
        busy = self._desk.work.busy
        self.engine.show_view(view, busy=busy)
        self.snapshots.set_busy(busy=busy)
        health = None if view.sight is None else view.sight.look.health
        self.life.show_state(stopped=health is Health.STOPPED, known=health is not None, busy=busy)
        if work is None or work.deployment.id != self.deployment.id:
            self._drop_work()
            return
        if self._work is None or self._work.work is not work:
            self._drop_work()
            self._work = AiWorkCard(work)
            self._work.stop_wanted.connect(self._desk.work.stop)
            self._work.again_wanted.connect(self._desk.work.again)
            self._work.closed.connect(self._desk.work.dismiss)
            self._work_place.addWidget(self._work)
            if self.isVisible():
                self._work.take_focus()
        self._work.show_work()

    @property
    def step(self) -> str:
        """The step that the long work is in; empty if there is none."""
        return "" if self._work is None else self._work.step

    def _drop_work(self) -> None:
        clear(self._work_place)
        self._work = None

    def _show_problem(self, error: UserFacingError) -> None:
        """What stopped something short; it stays until it is closed, or something is done again."""
        clear(self._trouble)
        self._trouble.addWidget(Problem(error, closable=True))
        self.problem_shown.emit()

    def _watch(self, operation: Operation[Any]) -> None:
        """Something short was asked for without a dialog: the page tells where it fails."""
        clear(self._trouble)
        operation.on_failure(self._show_problem)

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

    def _set_budget(self) -> None:
        sight = self._desk.view(self.deployment).sight
        budget = None if sight is None else sight.look.budget
        self._open(ai_dialogs.budget_dialog(self, self._desk, self.deployment, budget), tr("It is kept in mind."))

    # Engine and model

    def _upgrade(self) -> None:
        ask(ai_dialogs.upgrade_question(self, self.deployment.name), self.upgrade)

    def upgrade(self) -> None:
        """Puts this program's engine in, or goes on with that."""
        self._desk.work.upgrade(self.deployment, self._tell_upgraded)

    def _tell_upgraded(self, changed: bool) -> None:
        words = tr("{name} runs the new engine.") if changed else tr("{name} runs this engine already.")
        self._toast.tell(words.format(name=self.deployment.name))

    def _replace_model(self) -> None:
        others = [one for one in self._models() if one.name != self.deployment.model]
        dialog, choice = ai_dialogs.replace_question(self, self.deployment.name, others)
        ask(dialog, lambda: self.replace_model(choice.currentData()))

    def replace_model(self, model: str) -> None:
        """Puts a model of the library in, or goes on with that."""
        self._desk.work.replace_model(self.deployment, model, self._tell_replaced)

    def _tell_replaced(self, deployment: Deployment) -> None:
        self._toast.tell(tr("{name} answers with its new model.").format(name=deployment.name))

    # Settings, log, life

    def _change_settings(self) -> None:
        sight = self._desk.view(self.deployment).sight
        if sight is not None:
            dialog = ai_dialogs.settings_dialog(self, self._desk, self.deployment, sight.look.status)
            self._open(dialog, tr("The network has the new settings."))

    def _read_log(self, from_index: int) -> None:
        reading = self._desk.read_log(self.deployment, from_index)
        reading.on_success(self.log.show_lines).on_failure(self.log.show_problem)

    def _switch(self, running: bool) -> None:
        self.life.switch.setEnabled(False)
        self._watch(self._desk.switch(self.deployment, running=running))

    def _delete(self) -> None:
        self._watch(self._desk.loss(self.deployment).on_success(self._ask_to_delete))

    def _ask_to_delete(self, loss: Loss | None) -> None:
        dialog = ai_dialogs.delete_dialog(self, self._desk, self.deployment, loss)
        dialog.done_with.connect(self._tell_deleted)
        dialog.open()

    def _tell_deleted(self, recovered_cycles: int) -> None:
        words = tr("{name} is deleted; {cycles} cycles came back.") if recovered_cycles else tr("{name} is deleted.")
        self._toast.tell(words.format(name=self.deployment.name, cycles=cycles_words(recovered_cycles)))

    # Dialogs

    def _open(self, dialog: FormDialog, done: str) -> None:
        dialog.accepted.connect(lambda: self._toast.tell(done))
        dialog.open()
