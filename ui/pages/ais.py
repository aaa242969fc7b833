"""My AIs: what is deployed, and deploying."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.names import next_name
from ui.bridge import Lane, Operation
from ui.profile import Profile
from ui.text import DOT, network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.deployment_card import DeploymentCard, RunCard, empty_card
from ui.widgets.scroll_page import ScrollPage

_PRACTICE = "practice"


class AisPage(ScrollPage):
    """One deployment is under way at a time. `chat_wanted` carries a deployment.

    `deployed` carries one that was just finished, `failed` the name of one that an error stopped.
    """

    chat_wanted = Signal(object)
    deployed = Signal(object)
    failed = Signal(str)

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._profile = profile
        self._operation: Operation[Deployment] | None = None
        self._run: RunCard | None = None
        self._run_name = ""
        self.models = QComboBox()
        self.models.setAccessibleName(tr("Model to deploy"))
        self.models.setMinimumWidth(170)
        self.deploy_button = Button(tr("Deploy"), "primary", on_click=self.deploy)
        self._cards = column(spacing=SPACE_L)
        self._network = _NetworkRow(profile)
        self._arrange()
        profile.changed.connect(self._refresh)
        self._refresh()

    def _arrange(self) -> None:
        self.column.addLayout(self._header())
        self.column.addLayout(self._cards)
        self.column.addWidget(self._network)

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
        self._start(model, next_name([one.name for one in overview.deployments]), None)

    def resume(self, deployment: Deployment) -> None:
        """Goes on with one that was paused, failed or killed."""
        self._start(deployment.model, deployment.name, deployment.id)

    def pause(self) -> None:
        if self._operation and self._run:
            self._operation.cancel()
            self._run.show_pausing()

    def _start(self, model: str, name: str, resume: str | None) -> None:
        if self._operation:
            return
        self._drop_run()
        core = self._profile.core
        self._run_name = name
        self._run = RunCard(name, self._profile.overview.model_label(model) + DOT + network_name(_PRACTICE))
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

    def works_on(self, deployment: Deployment) -> bool:
        """Whether this is the deployment under way."""
        return self._operation is not None and deployment.name == self._run_name

    @property
    def step(self) -> str:
        """The step that the deployment under way is in; empty if there is none."""
        return self._run.step if self._run else ""

    # Showing

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self._profile.refresh()

    def _refresh(self) -> None:
        overview = self._profile.overview
        if self._run:
            self._cards.removeWidget(self._run)
        clear(self._cards)
        if self._run:
            self._cards.addWidget(self._run)
        for deployment in overview.deployments:
            if deployment.name != self._run_name:
                self._cards.addWidget(self._card(deployment))
        if not overview.deployments and not self._run:
            self._cards.addWidget(empty_card(overview.models[0]))
        self.deploy_button.setEnabled(self._operation is None)
        self._fill_models()
        self._network.setVisible(self._operation is None and bool(overview.deployments))
        self._network.refresh()

    def _card(self, deployment: Deployment) -> DeploymentCard:
        card = DeploymentCard(deployment, self._profile.overview.model(deployment.model))
        card.chat_wanted.connect(lambda: self.chat_wanted.emit(deployment))
        card.resume_wanted.connect(lambda: self.resume(deployment))
        return card

    def _fill_models(self) -> None:
        overview = self._profile.overview
        names = [model.name for model in overview.models]
        if names != [self.models.itemData(at) for at in range(self.models.count())]:
            self.models.clear()
            for name in names:
                self.models.addItem(overview.model_label(name), name)
        self.models.setVisible(len(names) > 1)


class _NetworkRow(QWidget):
    """The practice network's state, and its switch."""

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._profile = profile
        self._words = label("", "small", wrap=True)
        self._switch = Button("", "quiet", on_click=self._toggle)
        layout = row(self, spacing=SPACE_S)
        layout.addWidget(self._words, 1)
        layout.addWidget(self._switch)

    def refresh(self) -> None:
        running = self._profile.overview.network_running
        self._words.setText(
            tr("The practice network is running on this computer.")
            if running
            else tr("The practice network is not running. Chats are answered by this computer meanwhile.")
        )
        self._switch.setText(tr("Stop the network") if running else tr("Start the network"))
        self._switch.setEnabled(True)

    def _toggle(self) -> None:
        self._switch.setEnabled(False)
        if self._profile.overview.network_running:
            self._profile.stop_network()
        else:
            self._words.setText(tr("Starting the practice network…"))
            self._profile.start_network()
