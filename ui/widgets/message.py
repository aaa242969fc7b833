"""One message of a conversation, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from functools import partial

from PySide6.QtCore import QEvent, Qt, QUrl, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDesktopServices,
    QEnterEvent,
    QFocusEvent,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QResizeEvent,
    QTextCursor,
)
from PySide6.QtWidgets import QFrame, QMenu, QMessageBox, QVBoxLayout, QWidget

from personal_ai.chat.conversation import Turn
from ui.colouring import Colouring
from ui.markdown import Code, Cutter, Prose, split
from ui.reply_text import facts_line
from ui.text import clock, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XS
from ui.widgets import marks
from ui.widgets.basic import Button, clear, column, frame, label, row
from ui.widgets.code_view import CodeView
from ui.widgets.long_text import LongText
from ui.widgets.marks import TextView
from ui.widgets.prose import ProseView
from ui.widgets.versions import VersionSwitch

MESSAGE_MARGIN = SPACE_S  # between a message and the frame that shows its focus
_MARGINS = (MESSAGE_MARGIN - 1, SPACE_XS, MESSAGE_MARGIN - 1, SPACE_XS)  # the frame takes the one
_ACTIONS_HEIGHT = 24
_BUBBLE_SHARE = 0.75


_PARTS = (ProseView, CodeView)  # of a reply


class Act(Enum):
    """What the reader can do with a message besides copying it: its icon's name."""

    EDIT = "edit"
    AGAIN = "again"
    GO_ON = "forward"
    BRANCH = "branch"


class MessageView(QFrame):
    """A message that the arrow keys reach. Ctrl+C copies it; the pointer or the menu key show what else can be done.

    `acted` carries an Act, `version_wanted` the id of another version of the message.
    """

    acted = Signal(Act)
    version_wanted = Signal(str)

    def __init__(self, speaker: str, text: str, created_at_ns: int) -> None:
        super().__init__()
        self.setProperty("kind", "message")
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleDescription(tr("The menu key shows what can be done with this message"))
        self._speaker = speaker
        self.text = text
        self._name_it()
        self._created_at_ns = created_at_ns
        self._acts: dict[Act, str] = {}
        self._actions = QWidget()
        self._actions.setFixedHeight(_ACTIONS_HEIGHT)
        self._versions = VersionSwitch()
        self._versions.chosen.connect(self.version_wanted)
        policy = self._actions.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._actions.setSizePolicy(policy)
        self._actions.hide()

    def offer(self, acts: Sequence[Act], versions: Sequence[Turn], turn_id: str) -> None:
        """What can be done with the message from now on, and which versions of it there are."""
        self._versions.show_versions([turn.id for turn in versions], turn_id)
        self._acts = {act: _words(act) for act in acts}

    def mark(self, words: str, current: int | None = None) -> tuple[TextView, QTextCursor] | None:
        """Marks words in the message; see `ui.widgets.marks`."""
        return marks.mark(self._views(), words, current)

    def _views(self) -> Sequence[TextView]:
        """What shows the message's words, in order."""
        raise NotImplementedError

    def copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text)

    def menu(self) -> QMenu:
        """All that can be done with the message, for the menu key and the right button."""
        menu = QMenu(self)
        menu.addAction(tr("Copy"), self.copy)
        for act, words in self._acts.items():
            menu.addAction(words, partial(self.acted.emit, act))
        for words, turn_id in self._versions.neighbours:
            menu.addAction(words, partial(self.version_wanted.emit, turn_id))
        return menu

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # noqa: N802 - Qt's name
        menu = self.menu()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            self.focusNextPrevChild(event.key() == Qt.Key.Key_Down)
        else:
            super().keyPressEvent(event)

    def enterEvent(self, event: QEnterEvent) -> None:  # noqa: N802 - Qt's name
        super().enterEvent(event)
        self._show_actions()

    def leaveEvent(self, event: QEvent) -> None:  # noqa: N802 - Qt's name
        super().leaveEvent(event)
        self._actions.setVisible(self.hasFocus())

    def focusInEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusInEvent(event)
        self._show_actions()

    def focusOutEvent(self, event: QFocusEvent) -> None:  # noqa: N802 - Qt's name
        super().focusOutEvent(event)
        self._actions.setVisible(self.underMouse())

    def _show_actions(self) -> None:
        """Made when they are first looked at: a long conversation has many messages, of which few are pointed at."""
        if self._actions.layout() is None:
            line = row(self._actions)
            line.addWidget(label(clock(self._created_at_ns), "small"))
            copy = _action(tr("Copy this message"), "copy", self.copy)
            copy.setToolTip(tr("Copy this message ({keys})").format(keys=_copy_keys()))
            line.addWidget(copy)
            for act, words in self._acts.items():
                line.addWidget(_action(words, act.value, partial(self.acted.emit, act)))
        self._actions.show()

    def _name_it(self) -> None:
        self.setAccessibleName(f"{self._speaker}: {self.text}")


class UserMessage(MessageView):
    """The user's words in a bubble on the right."""

    def __init__(self, turn: Turn) -> None:
        super().__init__(tr("You"), turn.text, turn.created_at_ns)
        self._bubble, inside = frame("bubble", margins=(SPACE_L, SPACE_M, SPACE_L, SPACE_S), spacing=0)
        self._words = LongText(turn.text)
        self._words.setAccessibleName(tr("Your words"))
        self._width_wanted = self._words.width_wanted() + 2 * SPACE_L
        inside.addWidget(self._words)
        self._more: Button | None = None
        if self._words.folded:
            words = tr("Show all {number} characters").format(number=f"{len(turn.text):,}")
            self._more = Button(words, "quiet", on_click=self._unfold)
            inside.addWidget(self._more, 0, Qt.AlignmentFlag.AlignLeft)
        layout = row(self, margins=_MARGINS, spacing=SPACE_S)
        layout.addStretch(1)
        layout.addWidget(self._actions)
        layout.addWidget(self._versions)
        layout.addWidget(self._bubble, 1000)

    def mark(self, words: str, current: int | None = None) -> tuple[TextView, QTextCursor] | None:
        if words and current is not None:
            self._unfold()  # they may stand in what is not shown
        return super().mark(words, current)

    def _unfold(self) -> None:
        self._words.unfold()
        if self._more is not None:
            self._more.hide()

    def _views(self) -> Sequence[TextView]:
        return [self._words]

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        self._bubble.setMaximumWidth(min(self._width_wanted, int(_BUBBLE_SHARE * (self.width() - 2 * MESSAGE_MARGIN))))


class ReplyMessage(MessageView):
    """A reply. Of what streams, each part is plain while it grows, and dressed and coloured once it is whole."""

    def __init__(self, created_at_ns: int, colouring: Colouring) -> None:
        super().__init__(tr("Reply"), "", created_at_ns)
        self._colouring = colouring
        self._cutter = Cutter()
        self._growing: ProseView | CodeView | None = None
        self._parts: QVBoxLayout = column(spacing=SPACE_M)
        self._facts = label("", "small", wrap=True)
        self._facts.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._facts.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # it may be empty, and then has no name
        layout = column(self, margins=_MARGINS, spacing=SPACE_XS)
        layout.addLayout(self._parts)
        line = row(spacing=SPACE_XS)
        line.addWidget(self._versions)
        line.addWidget(self._facts, 1)
        line.addWidget(self._actions)
        layout.addLayout(line)

    @classmethod
    def whole(cls, turn: Turn, colouring: Colouring) -> ReplyMessage:
        made = cls(turn.created_at_ns, colouring)
        made.finish(turn)
        return made

    def add(self, piece: str) -> None:
        """Appends what has just come."""
        self.text += piece
        for whole in self._cutter.add(piece):
            self._close(whole)
        if (part := self._cutter.open) is not None:
            self._growing = self._growing or self._view(part)
            self._growing.show_text(part.text)

    def say(self, facts: str) -> None:
        """The grey line while the reply is on its way."""
        self._facts.setText(facts)

    def finish(self, turn: Turn) -> None:
        """The whole reply; drawn anew only where it is not what has come."""
        if self.text.strip() == turn.text.strip():
            rest = self._cutter.end()
        else:
            clear(self._parts)
            self._growing = None
            rest = split(turn.text)
        for part in rest:
            self._close(part)
        self.text = turn.text
        self._name_it()
        self._facts.setText(facts_line(turn.facts) if turn.facts else "")

    def _views(self) -> Sequence[TextView]:
        items = (self._parts.itemAt(at) for at in range(self._parts.count()))
        parts = (item.widget() for item in items if item is not None)
        return [part.editor if isinstance(part, CodeView) else part for part in parts if isinstance(part, _PARTS)]

    def _close(self, part: Prose | Code) -> None:
        """A part is whole: the one that was growing, if any was."""
        view, self._growing = self._growing or self._view(part), None
        if isinstance(view, CodeView):
            view.finish(part.text, self._colouring)
        else:
            view.set_markdown(part.text)

    def _view(self, part: Prose | Code) -> ProseView | CodeView:
        view = CodeView(part.language) if isinstance(part, Code) else ProseView(_ask_before_opening)
        if isinstance(view, ProseView):
            view.setAccessibleName(tr("Text of the reply"))
        self._parts.addWidget(view)
        return view


def acts_for(turn: Turn) -> list[Act]:
    """What can be done with a message. A reply that was cut short can be carried on."""
    if turn.role == "user":
        return [Act.EDIT, Act.BRANCH]
    cut_short = turn.facts is not None and turn.facts.finish in ("cancelled", "max_tokens", "interrupted")
    return [*([Act.GO_ON] if cut_short else []), Act.AGAIN, Act.BRANCH]


def _action(words: str, icon: str, on_click: Callable[[], object]) -> Button:
    button = Button("", "action", icon=icon, on_click=on_click)
    button.setAccessibleName(words)
    button.setToolTip(words)
    button.setFocusPolicy(Qt.FocusPolicy.ClickFocus)  # the message's menu is the keyboard's way
    return button


def _words(act: Act) -> str:
    return {
        Act.EDIT: tr("Edit and send again"),
        Act.AGAIN: tr("Ask for another reply"),
        Act.GO_ON: tr("Let it go on"),
        Act.BRANCH: tr("New chat from here"),
    }[act]


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
