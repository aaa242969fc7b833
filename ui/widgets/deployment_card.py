"""One deployment: what it is, how it is, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.deployments.journal import Deployment, DeploymentState
from ui.ai_desk import AiView
from ui.ai_words import (
    cycles_words,
    engine_words,
    health_advice,
    last_known,
    runway_advice,
    runway_number,
    runway_words,
    view_words,
)
from ui.ai_work import Work
from ui.core import Model
from ui.text import DOT, network_name, progress_line, sentence, shortened, size, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, Number, chip, column, frame, label, row, set_look
from ui.widgets.burn_chart import BurnChart
from ui.widgets.notice import Problem
from ui.widgets.steps import Steps


class _Card(QFrame):
    """A card with a name, a line beneath and marks at the right."""

    def __init__(self, name: str, line: str, mark: str, tone: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self._name = name
        self.body: QVBoxLayout = column(self, margins=(SPACE_XL, SPACE_L + 4, SPACE_XL, SPACE_L + 4), spacing=SPACE_M)
        words = column(spacing=2)
        words.addWidget(label(name, "heading1"))
        words.addWidget(label(line, "small", wrap=True))
        self._head = row(spacing=SPACE_S)
        self._head.addLayout(words, 1)
        self._mark = chip("", tone)
        self._head.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(self._head)
        self.set_mark(mark, tone)

    def set_mark(self, mark: str, tone: str) -> None:
        """How it is, in a few words."""
        self.setAccessibleName(f"{self._name}: {mark}")
        self._mark.setText(mark)
        set_look(self._mark, "tone", tone)


class AiCard(_Card):
    """An AI that is there: how it is and how long it lasts, at a glance."""

    chat_wanted = Signal()
    details_wanted = Signal()
    top_up_wanted = Signal()

    def __init__(self, deployment: Deployment, model: Model | None) -> None:
        mark, tone = view_words(AiView())
        super().__init__(deployment.name, deployment_line(deployment, model), mark, tone)
        self.deployment = deployment
        name = deployment.name
        self._engine = chip("", "plain")
        self._head.addWidget(self._engine, 0, Qt.AlignmentFlag.AlignTop)
        self._cycles, self._runway = Number(tr("Cycles")), Number(tr("Runway"))
        self._chart = BurnChart(small=True)
        self._glance = QWidget()
        glance = row(self._glance, spacing=SPACE_XL)
        glance.addWidget(self._cycles)
        glance.addWidget(self._runway)
        glance.addStretch(1)
        glance.addWidget(self._chart, 1000)
        self._said = label("", wrap=True)
        self._work = label("", "small", wrap=True)
        self.chat = Button(tr("Chat with {name}").format(name=name), icon="chat", on_click=self.chat_wanted.emit)
        self.details = Button(tr("Look after it"), on_click=self.details_wanted.emit)
        self.details.setAccessibleName(tr("Look after {name}").format(name=name))
        self.top_up = Button(tr("Top up…"), on_click=self.top_up_wanted.emit)
        self.top_up.setAccessibleName(tr("Top up {name}").format(name=name))
        for widget in (self._glance, self._said, self._work):
            self.body.addWidget(widget)
        buttons = row(spacing=SPACE_S)
        for button in (self.chat, self.details, self.top_up):
            buttons.addWidget(button)
        buttons.addStretch()
        self.body.addLayout(buttons)

    def show_view(self, view: AiView, work: Work | None) -> None:
        """work: what is being done with it, or has failed."""
        self.set_mark(*view_words(view))
        sight = view.sight
        self._glance.setVisible(sight is not None)
        self._engine.setVisible(sight is not None)
        advice = ""
        if sight is not None:
            runway = sight.look.runway
            words, tone = engine_words(sight.look.engine)
            self._engine.setText(words)
            set_look(self._engine, "tone", tone)
            self._cycles.show_figure(cycles_words(runway.cycles), tr("in it"))
            self._runway.show_figure(runway_number(runway), runway_words(runway, sight.seen_at_ns))
            self._chart.show_curve(view.readings, runway)
            advice = health_advice(sight.look.health) or runway_advice(runway) or (sight.control.worry or "")
        self._said.setText(unreached_words(view) if view.problem is not None else advice)
        self._said.setVisible(bool(self._said.text()))
        self.top_up.setVisible(sight is not None and view.problem is None and bool(runway_advice(sight.look.runway)))
        self._work.setText("" if work is None else work_line(work))
        self._work.setVisible(work is not None)


class UnfinishedCard(_Card):
    """A deployment that waits to be continued, or failed."""

    resume_wanted = Signal()

    def __init__(self, deployment: Deployment, model: Model | None) -> None:
        failed = deployment.state is DeploymentState.FAILED
        mark, tone = (tr("Stopped by an error"), "bad") if failed else (tr("Not finished"), "warning")
        super().__init__(deployment.name, deployment_line(deployment, model), mark, tone)
        self.body.addWidget(label(_standing(deployment), wrap=True))
        button = Button(tr("Continue"), on_click=self.resume_wanted.emit)
        button.setAccessibleName(tr("Continue deploying {name}").format(name=deployment.name))
        buttons = row()
        buttons.addWidget(button)
        buttons.addStretch()
        self.body.addLayout(buttons)


class RunCard(_Card):
    """A deployment under way, or one that has just failed or been paused."""

    pause_wanted = Signal()
    resume_wanted = Signal()

    def __init__(self, name: str, line: str) -> None:
        super().__init__(name, line, tr("Deploying"), "accent")
        self._steps = Steps()
        self._tail = column(spacing=SPACE_M)
        self._pause = Button(tr("Pause"), icon="pause", on_click=self.pause_wanted.emit)
        self._pause.setToolTip(tr("Stops at the next safe place; what is uploaded stays uploaded"))
        self._resume = Button(tr("Try again"), on_click=self.resume_wanted.emit)
        self._resume.hide()
        self.body.addWidget(self._steps)
        self.body.addLayout(self._tail)
        buttons = row()
        buttons.addStretch()
        buttons.addWidget(self._resume)
        buttons.addWidget(self._pause)
        self.body.addLayout(buttons)

    def report(self, progress: Progress) -> None:
        self._steps.report(progress)

    @property
    def step(self) -> str:
        return self._steps.current

    def take_focus(self) -> None:
        """The key that began it can pause it."""
        self.show()
        self._pause.setFocus()

    def show_pausing(self) -> None:
        self._pause.setEnabled(False)
        self._pause.setText(tr("Pausing…"))

    def show_problem(self, error: UserFacingError) -> None:
        """The error where it happened, and the way on."""
        self._steps.hold()
        self.set_mark(tr("Stopped by an error"), "bad")
        self._tail.addWidget(Problem(error))
        self._pause.hide()
        self._resume.show()


def empty_card(model: Model) -> QFrame:
    """What deploying means, for someone who has not done it."""
    card, layout = frame("card", margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_XL), spacing=SPACE_M)
    layout.addWidget(label(tr("Nothing is deployed yet"), "heading1"))
    for text in (
        tr(
            "Deploying makes a canister that only your key controls, checks the engine in it against the one that "
            "came with this program, and uploads the model into it: {name}, {size}."
        ).format(name=model.label, size=size(model.size_bytes)),
        tr(
            "It happens on the practice network, a process on this computer: it costs nothing, and you can pause and "
            "continue at any time. Against the public network it is a rehearsal, not a proof."
        ),
    ):
        layout.addWidget(label(text, wrap=True))
    return card


def deployment_line(deployment: Deployment, model: Model | None) -> str:
    """Model, network and canister."""
    parts = [model.label if model else deployment.model, network_name(deployment.network)]
    if deployment.canister_id:
        parts.append(shortened(deployment.canister_id))
    return DOT.join(parts)


def unreached_words(view: AiView) -> str:
    """Why an AI cannot be reached, and what was seen of it last."""
    why = "" if view.problem is None else sentence(view.problem.what)
    return " ".join(part for part in (why, last_known(view)) if part)


def work_line(work: Work) -> str:
    """What is being done, how far and how fast; or that it failed."""
    if work.problem is not None:
        return DOT.join((work.title, tr("stopped by an error: see there")))
    parts = [work.title]
    if work.progress is not None:
        parts += [work.progress.step, progress_line(work.progress)]
    return DOT.join(part for part in parts if part)


def _standing(deployment: Deployment) -> str:
    if deployment.state is DeploymentState.FAILED and deployment.failure:
        return sentence(deployment.failure)
    return tr("It goes on where it stood; nothing is uploaded or paid for twice.")
