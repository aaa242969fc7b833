"""What is shown after a bug: exactly what could be shared, and nothing is sent."""

from __future__ import annotations

from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QPlainTextEdit, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, frame, label, row
from ui.widgets.focus_ring import FocusRing


class CrashDialog(QDialog):
    """Shows a report (see `ui.report`) that the user may copy."""

    def __init__(self, report: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.report = report
        self.setWindowTitle(tr("Something broke"))
        self.resize(620, 440)
        layout = column(self, margins=(SPACE_XL, SPACE_XL, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(tr("Something in this program broke"), "heading1"))
        layout.addWidget(
            label(
                tr(
                    "This is a fault of ours, not of yours. What you saved is on disk as it was. If you want to report "
                    "it, this is all there is to share: it holds none of your words and none of your keys, and it is "
                    "not sent by itself."
                ),
                wrap=True,
            )
        )
        box, inside = frame("code", margins=(SPACE_M, SPACE_S, SPACE_M, SPACE_S), spacing=0)
        text = QPlainTextEdit(report)
        text.setReadOnly(True)
        text.setProperty("kind", "mono")
        text.setTabChangesFocus(True)
        text.setAccessibleName(tr("Report"))
        inside.addWidget(text)
        layout.addWidget(box, 1)
        self._copy = Button(tr("Copy the report"), icon="copy", on_click=self._copy_report)
        close = Button(tr("Close"), "primary", on_click=self.accept)
        buttons = row(spacing=SPACE_S)
        buttons.addWidget(self._copy)
        buttons.addStretch()
        buttons.addWidget(close)
        layout.addLayout(buttons)
        FocusRing(self)
        close.setDefault(True)
        close.setFocus()

    def _copy_report(self) -> None:
        QGuiApplication.clipboard().setText(self.report)
        self._copy.setText(tr("Copied"))
