"""Opens a window of plain widgets and says when it can be used: `tests.benchmarks.ui` compares it."""

from __future__ import annotations

import sys

from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget

from tests.benchmarks.usable import show_and_tell


def main() -> None:
    """argv: how many widgets."""
    application = QApplication([])
    window = QMainWindow()
    content = QWidget()
    layout = QVBoxLayout(content)
    for number in range(int(sys.argv[1]) - 2):
        layout.addWidget(QPushButton(f"Button {number}") if number % 2 else QLabel(f"Label {number}"))
    window.setCentralWidget(content)
    window.resize(1180, 760)
    show_and_tell(application, window)


if __name__ == "__main__":
    main()
