"""The conversation as it is read: messages in a column that scrolls by itself only for a reader at its end."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from personal_ai.chat.conversation import Conversation
from ui.text import fallback_sentence, tr
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import Button, centred, clear, column
from ui.widgets.message import Notice, ReplyMessage, UserMessage

_END_TOLERANCE = 4


class Transcript(QScrollArea):
    """Messages of one conversation. Follows new text while the reader is at the end, and stays put otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._following = True
        self._column = QWidget()
        self._messages: QVBoxLayout = column(self._column, spacing=SPACE_L)
        content = QWidget()
        content.setProperty("kind", "clear")
        outer = column(content)
        self._sides = centred(self._column, margins=(SPACE_XXL, SPACE_S, SPACE_XXL, SPACE_XL))
        outer.addLayout(self._sides)
        outer.addStretch()
        self.setWidget(content)
        self._jump = Button(tr("To the latest"), "jump", icon="down", on_click=self.follow)
        self._jump.setParent(self)
        self._jump.hide()
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._moved)
        bar.rangeChanged.connect(self._grown)

    @property
    def following(self) -> bool:
        """Whether new text scrolls into view."""
        return self._following

    def show_conversation(self, conversation: Conversation) -> None:
        """Replaces everything by the turns of a conversation."""
        clear(self._messages)
        for turn in conversation.turns:
            if turn.role == "user":
                self.add(UserMessage(turn))
            elif turn.role == "assistant":
                if turn.facts and turn.facts.fallback_reason:
                    continued = turn.facts.continued_locally_at is not None
                    self.add(Notice(fallback_sentence(turn.facts.fallback_reason, continued=continued)))
                self.add(ReplyMessage.whole(turn))
        self.follow()

    def add(self, widget: QWidget, *, before: QWidget | None = None) -> None:
        """Puts a widget at the end, or above `before`."""
        at = self._messages.count() if before is None else self._messages.indexOf(before)
        self._messages.insertWidget(at, widget)

    def remove(self, widget: QWidget) -> None:
        self._messages.removeWidget(widget)
        widget.hide()
        widget.deleteLater()

    def widgets(self) -> list[QWidget]:
        """What the column holds, from top to bottom."""
        items = (self._messages.itemAt(at) for at in range(self._messages.count()))
        return [widget for item in items if item is not None and (widget := item.widget()) is not None]

    def follow(self) -> None:
        """To the end, and along with it from now on."""
        self._following = True
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self._jump.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        scroll_bar = self.width() - self.viewport().width()
        self._sides.setContentsMargins(SPACE_XXL, SPACE_S, SPACE_XXL - scroll_bar, SPACE_XL)
        self._place_jump()

    def _moved(self, value: int) -> None:
        self._following = value >= self.verticalScrollBar().maximum() - _END_TOLERANCE
        self._jump.setVisible(not self._following)
        self._place_jump()

    def _grown(self, _: int, maximum: int) -> None:
        if self._following:
            self.verticalScrollBar().setValue(maximum)

    def _place_jump(self) -> None:
        self._jump.adjustSize()
        self._jump.move((self.width() - self._jump.width()) // 2, self.height() - self._jump.height() - SPACE_S)
        self._jump.raise_()
