"""One thing that was begun, as its journal knows it: what, when, how far, the way on, and every step."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from personal_ai.app.activity import DELIVER, PAY, Entry, Standing, Step, Undertaking
from personal_ai.deployments.deployer import ACTIVATE, CREATE, INSTALL, UPLOAD
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.replacement import REPLACE
from personal_ai.deployments.upgrade import CHECK, ROLL_BACK, SNAPSHOT
from personal_ai.deployments.upgrade import INSTALL as UPGRADE_INSTALL
from personal_ai.wallet.amounts import Token
from personal_ai.wallet.journal import Payment
from ui.payment_words import kind_words, state_words, whole_address
from ui.text import DOT, clock, network_name, sentence, tr
from ui.theme import pixmap, theme
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, chip, column, label, row

_ICON = 16


class ActivityCard(QFrame):
    """`go_on_wanted`: the button of what is not finished. `unfolded` carries whether the details are shown."""

    go_on_wanted = Signal()
    unfolded = Signal(bool)

    def __init__(self, entry: Entry, *, under_way: bool, can_go_on: bool, details: bool) -> None:
        """under_way: it is being worked on right now. can_go_on: nothing else of its kind is."""
        super().__init__()
        self.setProperty("kind", "card")
        title = _title(entry)
        words, tone = (tr("Under way"), "accent") if under_way else _standing(entry)
        self.setAccessibleName(f"{title}: {words}")
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_S)
        names = column(spacing=2)
        names.addWidget(label(title, "heading2", wrap=True))
        names.addWidget(label(_line(entry), "small", wrap=True))
        head = row(spacing=SPACE_S)
        head.addLayout(names, 1)
        head.addWidget(chip(words, tone), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(head)
        self._details = _Details(entry)
        layout.addWidget(self._details)
        self.fold = Button("", "quiet", on_click=lambda: self._show_details(shown=self._details.isHidden()))
        buttons = row(spacing=SPACE_S)
        if entry.open and not under_way:
            go = Button(tr("Continue"), on_click=self.go_on_wanted.emit)
            go.setAccessibleName(tr("Continue: {title}").format(title=title))
            go.setEnabled(can_go_on)
            buttons.addWidget(go)
        buttons.addWidget(self.fold)
        buttons.addStretch()
        layout.addLayout(buttons)
        self._title = title
        self._show_details(shown=details)

    def _show_details(self, *, shown: bool) -> None:
        self._details.setVisible(shown)
        self.fold.setText(tr("Hide details") if shown else tr("Details"))
        self.fold.setAccessibleName(f"{self.fold.text()}: {self._title}")
        self.unfolded.emit(shown)


class _Details(QWidget):
    """The steps with their marks, then what else is known."""

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        layout = column(self, spacing=SPACE_S)
        for step in entry.steps:
            layout.addWidget(_StepLine(step))
        for fact in _facts(entry):
            words = label(fact, "small", wrap=True)
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(words)


class _StepLine(QWidget):
    def __init__(self, step: Step) -> None:
        super().__init__()
        self._standing = step.standing
        self._mark = QLabel()
        self._mark.setFixedSize(_ICON, _ICON)
        self._mark.setAccessibleName(_standing_words(step.standing))
        self._draw_mark()
        line = row(self, spacing=SPACE_S)
        line.addWidget(self._mark)
        line.addWidget(label(_step_words(step.name), "muted" if step.standing is Standing.TO_COME else ""), 1)
        if details := _step_details(step):
            line.addWidget(label(details, "small"))

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._draw_mark()

    def _draw_mark(self) -> None:
        tokens = theme().tokens
        name, colour = {
            Standing.DONE: ("check", tokens.good),
            Standing.BEGUN: ("dot", tokens.accent),
            Standing.FAILED: ("cross", tokens.bad),
            Standing.TO_COME: ("dot", tokens.line),
        }[self._standing]
        self._mark.setPixmap(pixmap(name, colour, _ICON, self.devicePixelRatioF()))


def _title(entry: Entry) -> str:
    subject = entry.subject
    if isinstance(subject, Payment):
        return f"{kind_words(subject.kind)}: {subject.kind.token.show(subject.amount)}"
    words = {
        Undertaking.UPGRADE: tr("Upgrade the engine of {name}"),
        Undertaking.REPLACEMENT: tr("Put {model} into {name}"),
    }
    return words.get(entry.undertaking, tr("Deploy {name}")).format(name=subject.name, model=entry.model)


def _line(entry: Entry) -> str:
    subject = entry.subject
    parts = [network_name(subject.network), clock(entry.begun_at_ns)]
    if isinstance(subject, Deployment) and entry.undertaking is not Undertaking.REPLACEMENT:
        parts.insert(0, subject.model)
    return DOT.join(parts)


def _standing(entry: Entry) -> tuple[str, str]:
    """Where it stands, and the tone of a mark that says so."""
    if isinstance(entry.subject, Payment):
        return state_words(entry.subject.state)
    if entry.failed:
        taken_back = entry.undertaking is Undertaking.UPGRADE
        return (tr("Taken back"), "warning") if taken_back else (tr("Stopped by an error"), "bad")
    return (tr("Not finished"), "warning") if entry.open else (tr("Done"), "good")


def _facts(entry: Entry) -> list[str]:
    subject = entry.subject
    if isinstance(subject, Deployment):
        engine = whole_address(subject.module_hash or "")
        facts = [(tr("Canister {value}"), subject.canister_id), (tr("Engine {value}"), engine)]
    else:
        block = None if subject.block_index is None else str(subject.block_index)
        fee = subject.kind.token.show(subject.fee)
        facts = [(tr("To {value}"), whole_address(subject.target)), (tr("Fee {value}"), fee)]
        facts.append((tr("Block {value} of the ledger"), block))
        if subject.cycles is not None:
            facts.append((tr("Brought {value}"), Token.CYCLES.show(subject.cycles)))
    shown = [words.format(value=value) for words, value in facts if value]
    return [sentence(entry.failure), *shown] if entry.failure else shown


def _step_words(name: str) -> str:
    known = {
        CREATE: tr("Create the canister"),
        INSTALL: tr("Install the engine and check it"),
        UPLOAD: tr("Upload the model"),
        ACTIVATE: tr("Check and start the model"),
        SNAPSHOT: tr("Keep a snapshot of the state of before"),
        UPGRADE_INSTALL: tr("Install the new engine and check it"),
        CHECK: tr("Ask the model a question"),
        ROLL_BACK: tr("Put the old engine back"),
        REPLACE: tr("Upload the new model"),
        PAY: tr("Pay, on the ledger"),
        DELIVER: tr("Receive the cycles"),
    }
    return known.get(name, name)


def _step_details(step: Step) -> str:
    parts = [] if step.begun_at_ns is None else [clock(step.begun_at_ns)]
    if step.amount_cycles is not None:
        parts.insert(0, Token.CYCLES.show(step.amount_cycles))
    return DOT.join(parts)


def _standing_words(standing: Standing) -> str:
    return {
        Standing.DONE: tr("done"),
        Standing.BEGUN: tr("begun"),
        Standing.FAILED: tr("failed"),
        Standing.TO_COME: tr("still to come"),
    }[standing]
