"""One model of the library: what it is, what is known of it, and what can be done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from ui.model_words import facts
from ui.text import DOT, progress_line, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, chip, clear, column, label, row
from ui.widgets.fit_view import FitView, verdict_line
from ui.widgets.notice import Problem

if TYPE_CHECKING:
    from personal_ai.app.workspace import ModelSummary
    from personal_ai.deployments.fit import Fit
    from personal_ai.models.loss import Loss


class ModelCard(QFrame):
    """One thing at a time is asked of a model; while it is, the card says what and can stop it."""

    fit_wanted = Signal()
    measure_wanted = Signal()
    verify_wanted = Signal()
    remove_wanted = Signal()
    stop_wanted = Signal()

    def __init__(self, model: ModelSummary, *, bundled: bool) -> None:
        super().__init__()
        self.model = model
        self.setProperty("kind", "card")
        name = model.label or model.name
        self.setAccessibleName(name)
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        words = column(spacing=2)
        words.addWidget(label(name, "heading2", wrap=True))
        words.addWidget(label(_facts(model), "small", wrap=True))
        head = row(spacing=SPACE_S)
        head.addLayout(words, 1)
        kind = tr("For search: texts to numbers") if model.embeds else tr("For chats")
        head.addWidget(chip(kind, "plain"), 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(head)
        if model.loss is not None:
            layout.addWidget(label(loss_sentence(model.loss), "small", wrap=True))
        self._verdicts = label("", "small", wrap=True)
        self._verdicts.hide()
        layout.addWidget(self._verdicts)
        self._found = column(spacing=SPACE_M)
        layout.addLayout(self._found)
        self._line = label("", "small", wrap=True)
        self._line.hide()
        layout.addWidget(self._line)
        layout.addWidget(self._row_of_buttons(name, bundled=bundled))

    def _row_of_buttons(self, name: str, *, bundled: bool) -> QWidget:
        bar = QWidget()
        inside = row(bar, spacing=SPACE_S)
        self._stop = Button(tr("Stop"), on_click=self.stop_wanted.emit)
        self._stop.hide()
        self._acts = [Button(tr("Check the files"), on_click=self.verify_wanted.emit)]
        if not self.model.embeds:
            self._acts = [
                Button(tr("How well does it fit?"), on_click=self.fit_wanted.emit),
                Button(tr("Measure"), on_click=self.measure_wanted.emit),
                *self._acts,
            ]
            self._acts[1].setToolTip(tr("How well it foretells a page of prose, on this computer"))
        for button in self._acts:
            button.setAccessibleName(f"{button.text()} ({name})")
            inside.addWidget(button)
        inside.addWidget(self._stop)
        inside.addStretch()
        if not bundled:
            remove = Button(tr("Remove"), "quiet", on_click=self.remove_wanted.emit)
            remove.setAccessibleName(tr("Remove {name}").format(name=name))
            self._acts.append(remove)
            inside.addWidget(remove)
        return bar

    def set_busy(self, words: str) -> None:
        """What is being done; empty when nothing is any more."""
        for button in self._acts:
            button.setVisible(not words)
        self._stop.setVisible(bool(words))
        self._line.setText(words)
        self._line.setVisible(bool(words))
        if words:
            clear(self._found)
            self._stop.setFocus()

    def report(self, progress: Progress) -> None:
        self._line.setText(DOT.join(part for part in (progress.step, progress_line(progress)) if part))

    def say(self, words: str) -> None:
        """What came of it."""
        clear(self._found)
        self._found.addWidget(label(words, wrap=True))

    def show_verdicts(self, fit: Fit) -> None:
        """How it runs, in one line."""
        self._verdicts.setText(verdict_line(fit))
        self._verdicts.show()

    def show_fits(self, fits: Sequence[Fit]) -> None:
        """How it runs, and why."""
        self.show_verdicts(fits[0])
        clear(self._found)
        for fit in fits:
            self._found.addWidget(FitView(fit))

    def show_problem(self, error: UserFacingError) -> None:
        clear(self._found)
        self._found.addWidget(Problem(error))


class LineCard(QFrame):
    """A single line about a model that is not in use, with what can be done about it."""

    def __init__(self, words: str, *buttons: Button, tone: str = "") -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        if tone:
            self.setProperty("tone", tone)
        self.setAccessibleName(words)
        layout = row(self, margins=(SPACE_L, SPACE_S, SPACE_S, SPACE_S), spacing=SPACE_S)
        said: QLabel = label(words, wrap=True)
        layout.addWidget(said, 1)
        for button in buttons:
            button.setAccessibleDescription(words)
            layout.addWidget(button)


def loss_sentence(loss: Loss) -> str:
    """What packing the weights into fewer bits cost, in plain words."""
    return tr(
        "Beside the original it would choose the same next word in {agreement} of {tokens} places; perplexity "
        "{perplexity} instead of {original} (lower is better)."
    ).format(
        agreement=f"{loss.agreement:.1%}",
        tokens=loss.tokens,
        perplexity=f"{loss.perplexity:.2f}",
        original=f"{loss.original_perplexity:.2f}",
    )


def _facts(model: ModelSummary) -> str:
    licence = tr("licence {licence}").format(licence=model.licence) if model.licence else model.name
    return DOT.join((facts(model), licence))
