"""My AIs: what there is and how it is at a glance, deploying, and one AI in full."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from personal_ai.app.activity import Entry, Undertaking
from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.deployments.names import next_name
from ui.ai_desk import AiDesk
from ui.bridge import Lane, Operation
from ui.pages.ai_detail import AiDetail
from ui.profile import Profile
from ui.text import DOT, network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.ai_dialogs import adopt_dialog
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.deployment_card import AiCard, RunCard, UnfinishedCard, empty_card
from ui.widgets.network_row import NetworkRow
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast

_LOOK_AGAIN_MS = 60_000


class AisPage(ScrollPage):
    """One deployment is under way at a time. `chat_wanted` carries a deployment.

    `deployed` carries one that was just finished, `failed` the name of one that an error stopped. `wallet_wanted`
    where cycles must be brought first; `setup_wanted` leads through it step by step, with a model where one is named.
    """

    chat_wanted = Signal(object)
    wallet_wanted = Signal()
    setup_wanted = Signal(str)
    deployed = Signal(object)
    failed = Signal(str)

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self._profile = profile
        self._toast = toast
        self.desk = AiDesk(profile, self)
        self.detail: AiDetail | None = None
        self._ais: dict[str, AiCard] = {}
        self._watch = QTimer(self, interval=_LOOK_AGAIN_MS)
        self._watch.timeout.connect(self._look)
        self._operation: Operation[Deployment] | None = None
        self._run: RunCard | None = None
        self._run_name = ""
        self._network_ran = profile.overview.network_running
        self.models = QComboBox()
        self.models.setAccessibleName(tr("Model to deploy"))
        self.models.setMinimumWidth(170)
        self.deploy_button = Button(tr("Deploy"), "primary", on_click=self.deploy)
        self._cards = column(spacing=SPACE_L)
        self._network = NetworkRow(profile)
        self._list = QWidget()
        self._arrange()
        profile.changed.connect(self._refresh)
        self.desk.seen.connect(self._show_ai)
        self.desk.work.changed.connect(self._show_all)
        self._refresh()

    def _arrange(self) -> None:
        layout = column(self._list, spacing=SPACE_L)
        layout.addLayout(self._header())
        layout.addLayout(self._cards)
        self.adopt = Button(tr("Take on a canister that you control already…"), "quiet", on_click=self._adopt)
        step_by_step = Button(
            tr("Set one up step by step, on any network…"), "quiet", on_click=lambda: self.setup_wanted.emit("")
        )
        layout.addWidget(step_by_step, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.adopt, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self._network)
        self.column.addWidget(self._list)

    def _header(self) -> QHBoxLayout:
        header = row(spacing=SPACE_S)
        header.addWidget(label(tr("My AIs"), "heading1"))
        header.addStretch()
        header.addWidget(self.models)
        header.addWidget(self.deploy_button)
        return header

    # Deploying

    def deploy(self) -> None:
        """Begins a new deployment of the model that is chosen."""
        overview = self._profile.overview
        model = self.models.currentData()
        self._start(model, PRACTICE, next_name([one.name for one in overview.deployments]), None)

    def resume(self, deployment: Deployment) -> None:
        """Goes on with one that was paused, failed or killed."""
        self._start(deployment.model, deployment.network, deployment.name, deployment.id)

    def pause(self) -> None:
        if self._operation and self._run:
            self._operation.cancel()
            self._run.show_pausing()

    def _start(self, model: str, network: str, name: str, resume: str | None) -> None:
        if self._operation:
            return
        self._drop_run()
        core = self._profile.core
        self._run_name = name
        self._run = RunCard(name, self._profile.overview.model_label(model) + DOT + network_name(network))
        self._run.pause_wanted.connect(self.pause)
        self._run.resume_wanted.connect(self._resume_run)
        self._operation = self._profile.bridge.run(
            lambda task: core.deploy(model, name=name, resume=resume, on_progress=task.tell, cancel=task.cancel),
            lane=Lane.DEPLOY,
        )
        self._operation.on(Progress, self._run.report)
        self._operation.on_success(self._end_deployed)
        self._operation.on_cancelled(self._drop_run)
        self._operation.on_failure(self._show_problem)
        self._operation.on_end(self._end)
        self._refresh()
        self._run.take_focus()
        self.ensureVisible(0, 0)

    def _resume_run(self) -> None:
        """Try again: the journal knows the deployment by its name; it may not have come so far."""
        begun = next((one for one in self._profile.overview.deployments if one.name == self._run_name), None)
        if begun:
            self.resume(begun)
        else:
            self.deploy()

    def _show_problem(self, error: UserFacingError) -> None:
        if self._run:
            self._run.show_problem(error)
        self.failed.emit(self._run_name)

    def _end_deployed(self, deployment: Deployment) -> None:
        self._drop_run()
        self.deployed.emit(deployment)

    def _drop_run(self) -> None:
        if self._run:
            self._run.hide()
            self._run.deleteLater()
        self._run = None
        self._run_name = ""

    def _end(self) -> None:
        self._operation = None
        self._profile.refresh()

    def works_on(self, entry: Entry) -> bool:
        """Whether this is under way."""
        subject = entry.subject
        if not isinstance(subject, Deployment):
            return False
        if entry.undertaking is Undertaking.DEPLOYMENT:
            return self._operation is not None and subject.name == self._run_name
        return entry.open and self.desk.work.works_on(subject)

    def go_on(self, entry: Entry) -> None:
        """Goes on with what was begun with one AI."""
        deployment = entry.subject
        assert isinstance(deployment, Deployment), "payments are gone on with elsewhere"
        if entry.undertaking is Undertaking.DEPLOYMENT:
            self.resume(deployment)
            return
        self.open_ai(deployment)
        assert self.detail is not None
        if entry.undertaking is Undertaking.UPGRADE:
            self.detail.upgrade()
        else:
            self.detail.replace_model(entry.model)

    @property
    def step(self) -> str:
        """The step that the deployment under way is in; empty if there is none."""
        return self._run.step if self._run else ""

    # Showing

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._profile.refresh().on_end(self._look)
        self._watch.start()

    def hideEvent(self, event: QHideEvent) -> None:  # noqa: N802 - Qt's name
        super().hideEvent(event)
        self._watch.stop()

    def _look(self) -> None:
        """At what is seen: all of them, or the one that is open."""
        if self.detail is not None:
            self.desk.look(self.detail.deployment)
        else:
            self.desk.look_at_all()

    def _refresh(self) -> None:
        overview = self._profile.overview
        for card in (*self._ais.values(), self._run):
            if card is not None:
                self._cards.removeWidget(card)
        clear(self._cards)
        self._drop_stale()
        if self._run:
            self._cards.addWidget(self._run)
        for deployment in overview.deployments:
            if deployment.name != self._run_name:
                self._cards.addWidget(self._card(deployment))
        if not overview.deployments and not self._run:
            self._cards.addWidget(empty_card(overview.models[0]))
        self.deploy_button.setEnabled(self._operation is None)
        self.adopt.setEnabled(self._operation is None)
        self._fill_models()
        self._network.setVisible(self._operation is None and bool(overview.deployments))
        self._network.refresh()
        self._show_all()
        if overview.network_running is not self._network_ran:
            self._network_ran = overview.network_running
            if self.isVisible():
                self._look()

    def _drop_stale(self) -> None:
        """Cards of what has changed or gone; the open AI follows, or goes."""
        there = {one.id: one for one in self._profile.overview.deployments}
        for gone in [key for key, card in self._ais.items() if there.get(key) != card.deployment]:
            card = self._ais.pop(gone)
            card.hide()
            card.deleteLater()
        if self.detail is not None:
            renewed = there.get(self.detail.deployment.id)
            if renewed is None:
                self.close_ai()
            elif renewed != self.detail.deployment:
                self.detail.follow(renewed)

    def _card(self, deployment: Deployment) -> QWidget:
        model = self._profile.overview.model(deployment.model)
        if deployment.state is not DeploymentState.ACTIVE:
            unfinished = UnfinishedCard(deployment, model)
            unfinished.resume_wanted.connect(lambda: self.resume(deployment))
            return unfinished
        if deployment.id not in self._ais:
            card = self._ais[deployment.id] = AiCard(deployment, model)
            card.chat_wanted.connect(lambda: self.chat_wanted.emit(deployment))
            card.details_wanted.connect(lambda: self.open_ai(deployment))
            card.top_up_wanted.connect(lambda: self._top_up(deployment))
            if self.isVisible():
                self.desk.look(deployment)
        return self._ais[deployment.id]

    def _show_all(self) -> None:
        for deployment_id in self._ais:
            self._show_ai(deployment_id)

    def _show_ai(self, deployment_id: str) -> None:
        card = self._ais.get(deployment_id)
        if card is not None:
            work = self.desk.work.current
            mine = work if work is not None and work.deployment.id == deployment_id else None
            card.show_view(self.desk.view(card.deployment), mine)

    # One AI

    def open_ai(self, deployment: Deployment) -> None:
        """Shows all of one AI in the place of the list."""
        self.close_ai()
        self.detail = detail = AiDetail(self.desk, self._toast, deployment, lambda: self._profile.overview.models)
        self.detail.left.connect(self._leave_ai)
        self.detail.chat_wanted.connect(self.chat_wanted)
        self.detail.wallet_wanted.connect(self.wallet_wanted)
        self.detail.elsewhere_wanted.connect(lambda: self.setup_wanted.emit(detail.deployment.model))
        self.detail.problem_shown.connect(lambda: self.verticalScrollBar().setValue(0))
        self._list.hide()
        self.column.addWidget(self.detail)
        self.detail.show()
        self.verticalScrollBar().setValue(0)
        self.detail.back.setFocus()

    def close_ai(self) -> None:
        """Back to the list."""
        if self.detail is not None:
            self.column.removeWidget(self.detail)
            self.detail.hide()
            self.detail.deleteLater()
            self.detail = None
        self._list.show()

    def _leave_ai(self) -> None:
        """The keyboard goes back to where it came from."""
        left = self.detail.deployment.id if self.detail is not None else ""
        self.close_ai()
        if left in self._ais:
            self._ais[left].details.setFocus()

    def _adopt(self) -> None:
        self.desk.networks().on_success(self._ask_what_to_adopt)

    def _ask_what_to_adopt(self, networks: tuple[str, ...]) -> None:
        dialog = adopt_dialog(self, self.desk, networks)
        dialog.done_with.connect(lambda one: self._toast.tell(tr("{name} is among your AIs.").format(name=one.name)))
        dialog.open()

    def _top_up(self, deployment: Deployment) -> None:
        self.open_ai(deployment)
        if self.detail is not None:
            self.detail.top_up()

    def _fill_models(self) -> None:
        overview = self._profile.overview
        names = [model.name for model in overview.models]
        if names != [self.models.itemData(at) for at in range(self.models.count())]:
            self.models.clear()
            for name in names:
                self.models.addItem(overview.model_label(name), name)
        self.models.setVisible(len(names) > 1)
