"""Pages of one question: a narrow column in the middle of the window."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from ui.theme import pixmap, theme
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS, SPACE_XXL
from ui.widgets.basic import centred, column, label

FORM_WIDTH = 460
_MARK_SIZE = 40


class FormPage(QScrollArea):
    """A page with one column of limited width, in the middle; it scrolls where the window is low."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        content.setProperty("kind", "page")
        inner = QWidget()
        self.column: QVBoxLayout = column(inner, spacing=SPACE_L)
        outer = column(content)
        outer.addStretch(2)
        outer.addLayout(centred(inner, width_max=FORM_WIDTH, margins=(SPACE_XL, SPACE_XXL, SPACE_XL, SPACE_XXL)))
        outer.addStretch(3)
        self.setWidget(content)


class Mark(QLabel):
    """The program's mark."""

    def __init__(self) -> None:
        super().__init__()
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
        self.field.setAccessibleName(name)
        layout = column(self, spacing=SPACE_XS)
        title = label(name, "strong")
        title.setBuddy(self.field)
        layout.addWidget(title)
        layout.addWidget(self.field)

    @property
    def text(self) -> str:
        return self.field.text()


def buttons(*widgets: QWidget) -> QHBoxLayout:
    """A row of buttons, the last at the right edge."""
    layout = QHBoxLayout()
    layout.setSpacing(SPACE_S)
    for widget in widgets[:-1]:
        layout.addWidget(widget)
    layout.addStretch()
    layout.addWidget(widgets[-1])
    return layout
