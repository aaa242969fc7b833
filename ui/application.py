"""The Qt application: its name and its theme."""

from __future__ import annotations

import sys

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QApplication

from ui.garbage import look_between_events
from ui.theme import pixmap, theme


def make_application() -> QApplication:
    """The dressed application. It ends when it is told to, not with its last window: closing may take a moment."""
    # By an argument, since `setStyle` gives the style back, for which PySide would load all its classes.
    application = QApplication([*sys.argv[:1], "-style", "Fusion"])
    look_between_events(application)
    application.setApplicationName("Personal AI")
    application.setDesktopFileName("personal-ai")
    application.setQuitOnLastWindowClosed(False)
    dressed = theme()
    application.setWindowIcon(QIcon(pixmap("ais", dressed.tokens.accent, 128)))
    return application
