"""Files that are dropped on the chat or pasted into the message: their text becomes part of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QDropEvent
from PySide6.QtWidgets import QWidget

from personal_ai.chat import text_files
from ui.bridge import OwnedBridge
from ui.widgets.composer import Composer, local_files


class GivenFiles(QObject):
    """`refused` carries why a file is not taken; of several none is then."""

    refused = Signal(object)

    def __init__(self, page: QWidget, composer: Composer, bridge: OwnedBridge) -> None:
        super().__init__(page)
        self._composer = composer
        self._bridge = bridge
        composer.files_given.connect(self.take)
        page.setAcceptDrops(True)
        page.installEventFilter(self)

    def take(self, paths: Sequence[Path]) -> None:
        """Adds the files' text to the message."""
        self._bridge.run(lambda _: [text_files.quoted(path) for path in paths]).on_success(self._add).on_failure(
            self.refused.emit
        )

    def _add(self, texts: Sequence[str]) -> None:
        self._composer.insert("".join(texts))
        self._composer.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:  # noqa: N802 - Qt's name
        if isinstance(event, QDropEvent) and (paths := local_files(event.mimeData())):
            if event.type() == QEvent.Type.Drop:
                self.take(paths)
            event.acceptProposedAction()
            return True
        return super().eventFilter(watched, event)
