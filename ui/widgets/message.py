"""One message of a conversation, and the notices between messages."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QEnterEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
)
from PySide6.QtWidgets import QFrame, QMessageBox, QVBoxLayout, QWidget

from personal_ai.chat.conversation import Turn
from personal_ai.common.errors import UserFacingError
from ui import markdown
from ui.text import clock, facts_line, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS
from ui.widgets.basic import Button, clear, column, frame, label, row
from ui.widgets.prose import CodeView, ProseView

_BUBBLE_SHARE = 0.75


class MessageView(QFrame):
    """A message that the arrow keys reach; Ctrl+C copies it, Tab or the pointer shows what can be done with it."""

    def __init__(self, speaker: str, text: str, created_at_ns: int) -> None:
        super().__init__()
        self.setProperty("kind", "message")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._speaker = speaker
        self.text = text
        self._name_it()
        self._time = label(clock(created_at_ns), "small")
        self._copy = Button(tr("Copy"), "action", icon="copy", on_click=self.copy)
        self._copy.setAccessibleName(tr("Copy this message"))
        self._copy.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # Ctrl+C on the message is the keyboard's way
        self._copy.setToolTip(tr("Copy this message ({keys})").format(keys=_copy_keys()))
        for shown_on_demand in (self._time, self._copy):
            policy = shown_on_demand.sizePolicy()
            policy.setRetainSizeWhenHidden(True)
            shown_on_demand.setSizePolicy(policy)
            shown_on_demand.hide()

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        super().enterEvent(event)
        self._show_actions(shown=True)

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().leaveEvent(event)
        self._show_actions(shown=self.hasFocus())

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusInEvent(event)
        self._show_actions(shown=True)

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusOutEvent(event)
        self._show_actions(shown=self.underMouse())

    def _show_actions(self, *, shown: bool) -> None:
        self._time.setVisible(shown)
        self._copy.setVisible(shown)

    def _name_it(self) -> None:
        self.setAccessibleName(f"{self._speaker}: {self.text}")


class UserMessage(MessageView):
    """The user's words in a bubble on the right."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(tr("You"), turn.text, turn.created_at_ns)
        self._bubble, inside = frame("bubble", margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_S), spacing=0)
        self._words = ProseView()
        self._words.setAccessibleName(tr("Your words"))
        self._words.set_plain(turn.text)
        self._width_wanted = self._words.width_wanted() + 2 * SPACE_L
        inside.addWidget(self._words)
        layout = row(self, spacing=SPACE_S)
        layout.addStretch(1)
        layout.addWidget(self._time)
        layout.addWidget(self._copy)
        layout.addWidget(self._bubble, 1000)

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._bubble.setMaximumWidth(min(self._width_wanted, int(_BUBBLE_SHARE * self.width())))


class ReplyMessage(MessageView):
    """A reply: plain while it streams, Markdown and its facts once it is whole."""

    def __init__(self, created_at_ns: int) -> None:
        super().__init__(tr("Reply"), "", created_at_ns)
        self._parts: QVBoxLayout = column(spacing=SPACE_M)
        self._facts = label("", "small", wrap=True)
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout = column(self, spacing=SPACE_XS)
        layout.addLayout(self._parts)
        line = row(spacing=SPACE_XS)
        line.addWidget(self._facts, 1)
        line.addWidget(self._time)
        line.addWidget(self._copy)
        layout.addLayout(line)
        self._stream: ProseView | None = None

    @classmethod
    def whole(cls, turn: Turn) -> ReplyMessage:
        made = cls(turn.created_at_ns)
        made.finish(turn)
        return made

    def add(self, piece: str) -> None:
        """Appends what has just come."""
        self.text += piece
        if self._stream is None:
            self._stream = self._prose()
        self._stream.add_plain(piece)

    def say(self, facts: str) -> None:
        """The grey line while the reply is on its way."""
        self._facts.setText(facts)

    def finish(self, turn: Turn) -> None:
        """Renders the whole text once."""
        self.text = turn.text
        self._name_it()
        clear(self._parts)
        self._stream = None
        for part in markdown.split(turn.text):
            if isinstance(part, markdown.Code):
                self._parts.addWidget(CodeView(part.text, part.language))
            else:
                self._prose().set_markdown(part.text)
        self._facts.setText(facts_line(turn.facts) if turn.facts else "")

    def _prose(self) -> ProseView:
        view = ProseView(_ask_before_opening)
        view.setAccessibleName(tr("Text of the reply"))
        self._parts.addWidget(view)
        return view


class Notice(QFrame):
    """A plain sentence inside the conversation."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.setProperty("kind", "notice")
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M))
        self._words = label(text, wrap=True)
        layout.addWidget(self._words)
        self.setAccessibleName(text)

    @property
    def text(self) -> str:
        return self._words.text()


class Problem(QFrame):
    """An error in words: what happened, what is safe, what to do."""

    def __init__(self, error: UserFacingError, *, closable: bool = False) -> None:
        super().__init__()
        self.error = error
        self.setProperty("kind", "notice")
        self.setProperty("tone", "bad")
        self.setAccessibleName(str(error))
        layout = column(self, margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_M), spacing=SPACE_S)
        layout.addWidget(_selectable(error.what, "strong"))
        for text in (error.not_lost, error.next_step):
            if text:
                layout.addWidget(_selectable(text, ""))
        if closable:
            close = Button(tr("Close"), "action", icon="cross", on_click=self._close)
            layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)

    def _close(self) -> None:
        self.hide()
        self.deleteLater()


def _selectable(text: str, kind: str) -> QWidget:
    made = label(text, kind, wrap=True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def _ask_before_opening(link: QUrl) -> None:
    """A link in a reply opens in the browser after the user has seen where it really goes."""
    if link.scheme() not in ("http", "https"):
        return
    question = QMessageBox.question(
        None, tr("Open a link"), tr("Open this address in your browser?") + f"\n\n{link.toString()}"
    )
    if question == QMessageBox.StandardButton.Yes:
        QDesktopServices.openUrl(link)


def _copy_keys() -> str:
    return QKeySequence(QKeySequence.StandardKey.Copy).toString(QKeySequence.SequenceFormat.NativeText)
