"""One AI: how it is, and everything that can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from personal_ai.common.errors import NetworkUnreachableError, UserFacingError
from personal_ai.deployments.health import Health
from personal_ai.deployments.journal import Deployment
from personal_ai.wallet.journal import Payment
from ui.ai_desk import AiDesk, AiView
from ui.ai_words import cycles_words, engine_words, health_advice, view_words
from ui.bridge import Operation
from ui.core import Model
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets import ai_dialogs
from ui.widgets.add_controller_dialog import AddControllerDialog
from ui.widgets.ai_settings import AiSettingsCard
from ui.widgets.ai_work import AiWorkCard
from ui.widgets.basic import Button, chip, clear, column, label, row, set_look
from ui.widgets.controllers import ControllersCard
from ui.widgets.cycles_card import CyclesCard
from ui.widgets.deployment_card import deployment_line, unreached_words
from ui.widgets.engine_card import EngineCard
from ui.widgets.form_dialog import FormDialog
from ui.widgets.life_card import LifeCard
from ui.widgets.log_view import LogCard
from ui.widgets.notice import Notice, Problem
from ui.widgets.question import Question
from ui.widgets.snapshots import SnapshotsCard
from ui.widgets.toast import Toast
from ui.widgets.top_up_dialog import TopUpDialog

if TYPE_CHECKING:
    from personal_ai.app.snapshots import SnapshotPrice
    from personal_ai.deployments.controllers import Controller
    from personal_ai.deployments.removal import Loss
    from personal_ai.ic.management import Snapshot
    from personal_ai.identities.vault import IdentityRecord

T = TypeVar("T")


class AiDetail(QWidget):
    """`chat_wanted` carries the deployment; `left` when its owner goes back to the list."""

    chat_wanted = Signal(object)
    wallet_wanted = Signal()
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
        model = next((one for one in models() if one.name == deployment.model), None)
        self.back = Button(tr("All AIs"), "quiet", icon="left", on_click=self.left.emit)
        self.chat = Button(tr("Chat"), "primary", icon="chat", on_click=lambda: self.chat_wanted.emit(self.deployment))
        self.chat.setAccessibleName(tr("Chat with {name}").format(name=deployment.name))
        self.again = Button(tr("Look again"), "quiet", icon="again", on_click=lambda: self._desk.look(self.deployment))
        self._mark, self._engine = chip("", "plain"), chip("", "plain")
        self._news = column(spacing=SPACE_L)
        self._trouble = column()
        self._work_place = column()
        self._work: AiWorkCard | None = None
        self.cycles = CyclesCard()
        self.engine = EngineCard(deployment.model, model)
        self.snapshots = SnapshotsCard()
        self.controllers = ControllersCard(deployment.principal)
        self.settings = AiSettingsCard()
        self.log = LogCard()
        self.life = LifeCard()
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

    def _connect(self) -> None:
        self._desk.seen.connect(self._refresh)
        self._desk.worked.connect(self._show_work)
        self.cycles.top_up_wanted.connect(self.top_up)
        self.cycles.budget_wanted.connect(self._set_budget)
        self.engine.upgrade_wanted.connect(self._upgrade)
        self.engine.replace_wanted.connect(self._replace_model)
        self.snapshots.take_wanted.connect(self._take_snapshot)
        self.snapshots.restore_wanted.connect(self._restore)
        self.snapshots.download_wanted.connect(self._download)
        self.snapshots.delete_wanted.connect(self._forget)
        self.controllers.add_wanted.connect(self._add_controller)
        self.controllers.prove_wanted.connect(self._prove)
        self.controllers.remove_wanted.connect(self._remove_controller)
        self.settings.change_wanted.connect(self._change_settings)
        self.log.lines_wanted.connect(self._read_log)
        self.life.switch_wanted.connect(self._switch)
        self.life.delete_wanted.connect(self._delete)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._desk.look(self.deployment)
        self._read_snapshots()

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
        view, work, busy = self._desk.view(self.deployment), self._desk.work, self._desk.busy
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
            self._work.stop_wanted.connect(self._desk.stop_work)
            self._work.again_wanted.connect(self._desk.begin_again)
            self._work.closed.connect(self._desk.dismiss_work)
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

    def _watch(self, operation: Operation[T], done: Callable[[T], object]) -> None:
        """What comes of something short that was asked for without a dialog."""
        clear(self._trouble)
        operation.owned_by(self).on_success(done).on_failure(self._show_problem)

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
        self._ask(ai_dialogs.upgrade_question(self, self.deployment.name), self.upgrade)

    def upgrade(self) -> None:
        """Puts this program's engine in, or goes on with that."""
        self._desk.upgrade(self.deployment, self._tell_upgraded)

    def _tell_upgraded(self, changed: bool) -> None:
        words = tr("{name} runs the new engine.") if changed else tr("{name} runs this engine already.")
        self._toast.tell(words.format(name=self.deployment.name))

    def _replace_model(self) -> None:
        others = [one for one in self._models() if one.name != self.deployment.model]
        dialog, choice = ai_dialogs.replace_question(self, self.deployment.name, others)
        self._ask(dialog, lambda: self.replace_model(choice.currentData()))

    def replace_model(self, model: str) -> None:
        """Puts a model of the library in, or goes on with that."""
        self._desk.replace_model(self.deployment, model, self._tell_replaced)

    def _tell_replaced(self, deployment: Deployment) -> None:
        self._toast.tell(tr("{name} answers with its new model.").format(name=deployment.name))

    # Snapshots

    def _read_snapshots(self) -> None:
        reading = self._desk.read_snapshots(self.deployment)
        reading.on_success(self._show_snapshots).on_failure(self._leave_snapshots)

    def _show_snapshots(self, found: tuple[list[Snapshot], SnapshotPrice]) -> None:
        self.snapshots.show_kept(*found, busy=self._desk.busy)

    def _leave_snapshots(self, error: UserFacingError) -> None:
        """That it cannot be reached is said above all; anything else belongs here."""
        if not isinstance(error, NetworkUnreachableError):
            self.snapshots.show_problem(error)

    def _take_snapshot(self) -> None:
        self.snapshots.show_busy()
        taking = self._desk.take_snapshot(self.deployment)
        taking.on_success(self._tell_taken).on_failure(self._fail_snapshot)

    def _tell_taken(self, _: Snapshot) -> None:
        self._toast.tell(tr("The snapshot is taken."))
        self._read_snapshots()

    def _fail_snapshot(self, error: UserFacingError) -> None:
        self.snapshots.set_busy(busy=self._desk.busy)
        self.snapshots.show_problem(error)

    def _restore(self, snapshot: Snapshot) -> None:
        self._ask(
            ai_dialogs.restore_question(self, self.deployment.name, snapshot),
            lambda: self._desk.restore_snapshot(self.deployment, snapshot, self._tell_restored),
        )

    def _tell_restored(self, deployment: Deployment) -> None:
        self._toast.tell(tr("{name} is as it was then.").format(name=deployment.name))

    def _download(self, snapshot: Snapshot) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("An empty folder for the snapshot")):
            self._desk.download_snapshot(self.deployment, snapshot, Path(path), self._tell_downloaded)

    def _tell_downloaded(self, _: Snapshot) -> None:
        self._toast.tell(tr("The snapshot is downloaded. It holds the model, and lies in the folder unencrypted."))

    def _forget(self, snapshot: Snapshot) -> None:
        def forget() -> None:
            gone = self._desk.delete_snapshot(self.deployment, snapshot)
            gone.on_success(lambda _: self._read_snapshots()).on_failure(self._fail_snapshot)

        self._ask(ai_dialogs.forget_snapshot_question(self, snapshot), forget)

    # Who controls it

    def _add_controller(self) -> None:
        self._desk.identities().on_success(self._ask_for_controller)

    def _ask_for_controller(self, identities: Sequence[IdentityRecord]) -> None:
        sight = self._desk.view(self.deployment).sight
        present = () if sight is None else tuple(one.principal for one in sight.control.controllers)
        own = [one for one in identities if one.principal not in present]
        self._open(
            AddControllerDialog(self, self._desk, self.deployment, own), tr("The network's own list shows it now.")
        )

    def _prove(self, controller: Controller) -> None:
        name = "" if controller.identity is None else controller.identity.label
        said = tr("{who} did what only a controller can.").format(who=name)
        proving = self._desk.prove_controller(self.deployment, controller.principal)
        self._watch(proving, lambda _: self._toast.tell(said))

    def _remove_controller(self, controller: Controller) -> None:
        def remove() -> None:
            removing = self._desk.remove_controller(self.deployment, controller.principal)
            self._watch(removing, lambda _: self._toast.tell(tr("It has no power any more.")))

        self._ask(ai_dialogs.remove_controller_question(self, self.deployment.name, controller), remove)

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
        self._watch(self._desk.switch(self.deployment, running=running), lambda _: None)

    def _delete(self) -> None:
        self._watch(self._desk.loss(self.deployment), self._ask_to_delete)

    def _ask_to_delete(self, loss: Loss | None) -> None:
        dialog = ai_dialogs.delete_dialog(self, self._desk, self.deployment, loss)
        dialog.done_with.connect(self._tell_deleted)
        dialog.open()

    def _tell_deleted(self, recovered_cycles: int) -> None:
        words = tr("{name} is deleted; {cycles} cycles came back.") if recovered_cycles else tr("{name} is deleted.")
        self._toast.tell(words.format(name=self.deployment.name, cycles=cycles_words(recovered_cycles)))

    # Dialogs

    def _ask(self, question: Question, act: Callable[[], object]) -> None:
        question.accepted.connect(act)
        question.open()

    def _open(self, dialog: FormDialog, done: str) -> None:
        dialog.accepted.connect(lambda: self._toast.tell(done))
        dialog.open()
