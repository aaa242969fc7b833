"""A QR code, dark on light whatever the theme: readers need that."""

from __future__ import annotations

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from personal_ai.identities import qr

_MODULE = 4  # pixels
_DARK, _LIGHT = QColor("#000000"), QColor("#FFFFFF")


class QrCode(QWidget):
    """Shows `text`; `name` says what it is to those who do not see it."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self._rows = qr.modules(text)
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:  # noqa: N802 - Qt's name
        return QSize(_MODULE * len(self._rows[0]), _MODULE * len(self._rows))

    def paintEvent(self, _: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(self.rect(), _LIGHT)
        for down, modules in enumerate(self._rows):
            for across, dark in enumerate(modules):
                if dark:
                    painter.fillRect(QRect(_MODULE * across, _MODULE * down, _MODULE, _MODULE), _DARK)
