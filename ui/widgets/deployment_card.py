"""One deployment: what it is, how it is, and what can be done with it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.deployments.journal import Deployment, DeploymentState
from ui.core import Model
from ui.text import DOT, clock, network_name, sentence, shortened, size, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import Button, chip, column, frame, label, row
from ui.widgets.notice import Problem
from ui.widgets.steps import Steps

_HASH_SHOWN = 12


class _Card(QFrame):
    """A card with a name, a line beneath and marks at the right."""

    def __init__(self, name: str, line: str, mark: str, tone: str) -> None:
        super().__init__()
        self.setProperty("kind", "card")
        self.setAccessibleName(f"{name}: {mark}")
        self.body: QVBoxLayout = column(self, margins=(SPACE_XL, SPACE_L + 4, SPACE_XL, SPACE_L + 4), spacing=SPACE_M)
        words = column(spacing=2)
        words.addWidget(label(name, "heading1"))
        words.addWidget(label(line, "small"))
        head = row(spacing=SPACE_S)
        head.addLayout(words, 1)
        self._mark = chip(mark, tone)
        head.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        self.body.addLayout(head)


class DeploymentCard(_Card):
    """A deployment at rest: it answers, it waits to be continued, or it failed."""

    chat_wanted = Signal()
    resume_wanted = Signal()

    def __init__(self, deployment: Deployment, model: Model | None) -> None:
        mark, tone = {
            DeploymentState.ACTIVE: (tr("Deployed"), "good"),
            DeploymentState.RUNNING: (tr("Not finished"), "warning"),
            DeploymentState.FAILED: (tr("Stopped by an error"), "bad"),
        }[deployment.state]
        super().__init__(deployment.name, _line(deployment, model), mark, tone)
        if deployment.state is DeploymentState.ACTIVE:
            self._add_numbers(deployment, model)
            button = Button(tr("Chat with {name}").format(name=deployment.name), icon="chat")
            button.clicked.connect(self.chat_wanted)
        else:
            self.body.addWidget(label(_standing(deployment), wrap=True))
            button = Button(tr("Continue"))
            button.setAccessibleName(tr("Continue deploying {name}").format(name=deployment.name))
            button.clicked.connect(self.resume_wanted)
        buttons = row()
        buttons.addWidget(button)
        buttons.addStretch()
        self.body.addLayout(buttons)

    def _add_numbers(self, deployment: Deployment, model: Model | None) -> None:
        numbers = row(spacing=SPACE_XXL)
        if model is not None:
            numbers.addLayout(_number(tr("Model"), size(model.size_bytes), model.quantisation))
            numbers.addLayout(_number(tr("Context"), f"{model.context_length:,}", tr("tokens at most")))
        numbers.addStretch()
        self.body.addLayout(numbers)
        facts = (
            (tr("Canister"), deployment.canister_id or ""),
            (tr("Engine"), (deployment.module_hash or "")[:_HASH_SHOWN]),
            (tr("Since"), clock(deployment.created_at_ns)),
        )
        self.body.addWidget(_facts([f"{name} {value}" for name, value in facts if value]))


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
        self._mark.setText(tr("Stopped by an error"))
        self._mark.setProperty("tone", "bad")
        self._mark.style().unpolish(self._mark)
        self._mark.style().polish(self._mark)
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


def _line(deployment: Deployment, model: Model | None) -> str:
    parts = [model.label if model else deployment.model, network_name(deployment.network)]
    if deployment.canister_id:
        parts.append(shortened(deployment.canister_id))
    return DOT.join(parts)


def _standing(deployment: Deployment) -> str:
    if deployment.state is DeploymentState.FAILED and deployment.failure:
        return sentence(deployment.failure)
    return tr("It goes on where it stood; nothing is uploaded or paid for twice.")


def _number(name: str, number: str, meaning: str) -> QVBoxLayout:
    layout = column(spacing=1)
    layout.addWidget(label(name, "small"))
    layout.addWidget(label(number, "number"))
    layout.addWidget(label(meaning, "small"))
    return layout


def _facts(parts: list[str]) -> QFrame:
    box = QFrame()
    layout = row(box)
    words = label(DOT.join(parts), "small", wrap=True)
    words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    layout.addWidget(words)
    return box
