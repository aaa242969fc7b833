"""A path to type, or to be found with the system's dialog."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, row


class FileField(QWidget):
    """A path and a button that finds it."""

    def __init__(self, *, to_write: bool, suggestion: str = "") -> None:
        super().__init__()
        self._to_write = to_write
        self.line = QLineEdit(suggestion)
        self.line.setAccessibleName(tr("File"))
        layout = row(self, spacing=SPACE_S)
        layout.addWidget(self.line, 1)
        layout.addWidget(Button(tr("Choose…"), on_click=self._choose))

    @property
    def path(self) -> Path:
        return Path(self.line.text()).expanduser()

    def _choose(self) -> None:
        dialog = QFileDialog(self, tr("Choose a file"), self.line.text())
        if self._to_write:
            dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(self.line.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
