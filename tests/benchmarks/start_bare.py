"""Opens a window of plain widgets and says when it can be used: `tests.benchmarks.ui` compares it."""

from __future__ import annotations

import os
import sys

from PySide6.QtWidgets import QApplication, QLabel, QMainWindow, QPushButton, QVBoxLayout, QWidget


def main() -> None:
    """argv: how many widgets. Prints how many there are once they are drawn."""
    application = QApplication([])
    window = QMainWindow()
    content = QWidget()
    layout = QVBoxLayout(content)
    for number in range(int(sys.argv[1]) - 2):
        layout.addWidget(QPushButton(f"Button {number}") if number % 2 else QLabel(f"Label {number}"))
    window.setCentralWidget(content)
    window.resize(1180, 760)
    window.show()
    application.processEvents()
    print(len(application.allWidgets()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main()
