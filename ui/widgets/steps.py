"""The steps of a deployment: those done with a tick, the one under way with its bar, rate and time left."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QLabel, QProgressBar, QWidget

from personal_ai.common.jobs import Progress
from ui.text import progress_line, tr
from ui.theme import pixmap, theme
from ui.theme.tokens import SPACE_S, SPACE_XS
from ui.widgets.basic import column, label, row

_ICON = 16
_RESOLUTION = 1000


class Steps(QWidget):
    """Grows with each new step that is reported."""

    def __init__(self) -> None:
        super().__init__()
        self._layout = column(self, spacing=SPACE_S)
        self._steps: list[_Step] = []

    @property
    def current(self) -> str:
        """The name of the newest step."""
        return self._steps[-1].name if self._steps else ""

    def report(self, progress: Progress) -> None:
        """Takes one report; a new step's name ends the step before it."""
        if not self._steps or self._steps[-1].name != progress.step:
            self.finish()
            step = _Step(progress.step)
            self._steps.append(step)
            self._layout.addWidget(step)
        self._steps[-1].report(progress)

    def finish(self) -> None:
        """Ticks the last step."""
        if self._steps:
            self._steps[-1].finish()

    def hold(self) -> None:
        """Leaves the last step where it stands."""
        if self._steps:
            self._steps[-1].hold()


class _Step(QWidget):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self._done = False
        self._mark = QLabel()
        self._mark.setFixedSize(_ICON, _ICON)
        self._line = label("", "small")
        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setAccessibleName(name)
        self._bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        layout = column(self, spacing=SPACE_XS)
        self._draw_mark()
        head = row(spacing=SPACE_S)
        head.addWidget(self._mark)
        head.addWidget(label(name), 1)
        layout.addLayout(head)
        inside = column(margins=(_ICON + SPACE_S, SPACE_XS, 0, SPACE_XS), spacing=SPACE_S)
        inside.addWidget(self._bar)
        inside.addWidget(self._line)
        layout.addLayout(inside)

    def report(self, progress: Progress) -> None:
        if progress.total > 1:
            self._bar.setRange(0, _RESOLUTION)
            self._bar.setValue(round(_RESOLUTION * progress.done / progress.total))
        else:
            self._bar.setRange(0, 0)  # no measure: the bar only shows that work is being done
        self._line.setText(progress_line(progress))
        self._line.setVisible(bool(self._line.text()))

    def finish(self) -> None:
        self._done = True
        self._bar.hide()
        self._line.hide()
        self._draw_mark()

    def hold(self) -> None:
        if self._bar.maximum() == 0:
            self._bar.setRange(0, _RESOLUTION)
        self._line.setText(tr("stands still"))
        self._line.show()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._draw_mark()

    def _draw_mark(self) -> None:
        tokens = theme().tokens
        name, colour = ("check", tokens.good) if self._done else ("dot", tokens.accent)
        self._mark.setPixmap(pixmap(name, colour, _ICON, self.devicePixelRatioF()))
        self._mark.setAccessibleName(tr("done") if self._done else tr("under way"))
