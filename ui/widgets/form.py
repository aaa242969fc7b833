"""Pages of one question: a narrow column in the middle of the window."""

from __future__ import annotations

from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from ui.text import tr
from ui.theme import pixmap, theme
from ui.theme.tokens import SPACE_S, SPACE_XS
from ui.widgets.basic import column, label
from ui.widgets.scroll_page import ScrollPage

FORM_WIDTH = 460
_MARK_SIZE = 40


class FormPage(ScrollPage):
    """A page with one narrow column, a little above the middle."""

    def __init__(self) -> None:
        super().__init__(width_max=FORM_WIDTH, space_above=2, space_below=3)


class Step(FormPage):
    """One of several such pages; `first` takes the focus when it is shown."""

    first: QWidget


class Mark(QLabel):
    """The program's mark."""

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName(tr("Personal AI"))
        self._draw()

    def changeEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._draw()

    def _draw(self) -> None:
        self.setPixmap(pixmap("ais", theme().tokens.accent, _MARK_SIZE, self.devicePixelRatioF()))


class PasswordField(QWidget):
    """A field for a password under its name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.field = QLineEdit()
        self.field.setEchoMode(QLineEdit.EchoMode.Password)
        self.setLayout(named(name, self.field))

    @property
    def text(self) -> str:
        return self.field.text()


def named(name: str, control: QWidget) -> QVBoxLayout:
    """A control under its name, which those who do not see it are told, too."""
    control.setAccessibleName(name)
    title = label(name, "strong")
    title.setBuddy(control)
    made = column(spacing=SPACE_XS)
    made.addWidget(title)
    made.addWidget(control)
    return made


def buttons(*widgets: QWidget) -> QHBoxLayout:
    """A row of buttons, the last at the right edge."""
    layout = QHBoxLayout()
    layout.setSpacing(SPACE_S)
    for widget in widgets[:-1]:
        layout.addWidget(widget)
    layout.addStretch()
    layout.addWidget(widgets[-1])
    return layout
