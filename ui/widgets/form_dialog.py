"""A dialog that asks for a few things and has them done; where that fails, it stays open with the error."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from ui.bridge import Operation
from ui.text import tr
from ui.theme.tokens import SPACE_M
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.dialog import Dialog
from ui.widgets.file_field import FileField
from ui.widgets.form import buttons, named
from ui.widgets.notice import Problem
from ui.widgets.steps import Steps


class FormDialog(Dialog):
    """`act` begins the work when the button `go` is pressed; `done_with` carries its result, and the dialog closes.

    Left while the work goes on, it asks the work to stop and closes when that has stopped.
    """

    done_with = Signal(object)

    def __init__(self, parent: QWidget, title: str, intro: str = "", *, go: str) -> None:
        super().__init__(parent, title)
        self.act: Callable[[], Operation[Any]] | None = None
        self._ready: Callable[[], bool] = lambda: True
        self._operation: Operation[Any] | None = None
        self._steps: Steps | None = None
        self.lines: list[QLineEdit] = []
        self.files: list[FileField] = []
        self.fields = column(spacing=SPACE_M)
        self._news = column(spacing=SPACE_M)
        self.go = Button(go, "primary", on_click=self._begin)
        self.leave = Button(tr("Cancel"), on_click=self.reject)
        layout = self.column
        if intro:
            layout.addWidget(label(intro, wrap=True))
        layout.addLayout(self.fields)
        layout.addLayout(self._news)
        layout.addLayout(buttons(self.leave, self.go))

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        reached = [one for one in self.findChildren(QWidget) if one.focusPolicy() & Qt.FocusPolicy.TabFocus]
        fields = [one for one in reached if one not in (self.leave, self.go)]
        for before, after in pairwise((*fields[-1:], self.leave, self.go)):  # the buttons were there first
            QWidget.setTabOrder(before, after)
        super().showEvent(event)

    def add(self, name: str, field: QWidget) -> None:
        """A field under its name."""
        self.fields.addLayout(named(name, field))

    def add_line(self, name: str, text: str = "", *, secret: bool = False) -> QLineEdit:
        """A line to type, under its name."""
        line = QLineEdit(text)
        if secret:
            line.setEchoMode(QLineEdit.EchoMode.Password)
        self.lines.append(line)
        self.add(name, line)
        line.textChanged.connect(self.refresh)
        return line

    def add_file(self, suggestion: str = "", *, to_write: bool = False) -> FileField:
        """A path, to be read or written."""
        file = FileField(to_write=to_write, suggestion=suggestion)
        self.files.append(file)
        self.add(tr("File"), file)
        file.line.textChanged.connect(self.refresh)
        return file

    def ready_when(self, ready: Callable[[], bool]) -> None:
        """The button can be pressed while this holds; `refresh` looks again."""
        self._ready = ready
        self.refresh()

    def refresh(self) -> None:
        self.go.setEnabled(self._operation is None and self._ready())

    def _begin(self) -> None:
        if not self.go.isEnabled() or self.act is None:
            return
        clear(self._news)
        self._steps = None
        self._operation = self.act()
        self._operation.on(Progress, self._report).on_success(self._succeed).on_failure(self._fail)
        self._operation.on_cancelled(super().reject).on_end(self._end)
        self._look_busy(busy=True)

    def reject(self) -> None:
        if self._operation is None:
            super().reject()
        else:
            self._operation.cancel()
            self.leave.setEnabled(False)

    def _report(self, progress: Progress) -> None:
        if self._steps is None:
            self._steps = Steps()
            self._news.addWidget(self._steps)
        self._steps.report(progress)

    def _succeed(self, result: object) -> None:
        self._operation = None
        self.done_with.emit(result)
        self.accept()

    def _fail(self, error: UserFacingError) -> None:
        if self._steps:
            self._steps.hold()
        self._news.addWidget(Problem(error))

    def _end(self) -> None:
        self._operation = None
        self.leave.setEnabled(True)
        self._look_busy(busy=False)
        self.take_focus()

    def _look_busy(self, *, busy: bool) -> None:
        for line in self.findChildren(QLineEdit):
            line.setReadOnly(busy)
        self.refresh()
