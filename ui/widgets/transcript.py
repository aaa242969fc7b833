"""The conversation as it is read: messages in a column that scrolls by itself only for a reader at its end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent, QTextCursor
from PySide6.QtWidgets import QPlainTextEdit, QScrollArea, QVBoxLayout, QWidget

from personal_ai.chat.conversation import Conversation, Turn
from ui.colouring import Colouring
from ui.reply_text import cut_sentence, fallback_sentence
from ui.text import tr
from ui.theme.tokens import READING_WIDTH_MAX, SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import Button, centred, clear, column
from ui.widgets.marks import TextView
from ui.widgets.message import MESSAGE_MARGIN, Act, MessageView, ReplyMessage, UserMessage, acts_for
from ui.widgets.notice import Notice

_END_TOLERANCE = 4
_SIDE = SPACE_XXL - MESSAGE_MARGIN  # so that words stand in line with header and composer
# So many turns are laid out at once: a long conversation opens as fast as a short one.
_TURNS_AT_ONCE = 24
_AROUND_WORDS = 80  # pixels above and below words that were looked for


class Transcript(QScrollArea):
    """Messages of one conversation. Follows new text while the reader is at the end, and stays put otherwise.

    `acted` carries an Act and the id of the turn it is about, `version_wanted` the id of the turn to show instead.
    `laid_out` follows where the reader went to other turns: what was added beside the turns is gone.
    """

    acted = Signal(Act, str)
    version_wanted = Signal(str)
    laid_out = Signal()

    def __init__(self, colouring: Colouring) -> None:
        super().__init__()
        self._colouring = colouring
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._following = True
        self._held_below: int | None = None  # where reading goes on while earlier turns are laid out above
        self._place: tuple[TextView, QTextCursor] | None = None  # that stays in view while things are laid out
        self._placing = False
        self._conversation: Conversation | None = None
        self._by_turn: dict[str, MessageView] = {}
        self._first = self._end = 0
        self._earlier: Button | None = None
        self._later: Button | None = None
        self._words = ""  # that are looked for
        self._column = QWidget()
        self._messages: QVBoxLayout = column(self._column, spacing=SPACE_S)
        self._content = QWidget()
        self._content.setProperty("kind", "clear")
        outer = column(self._content)
        self._sides = centred(
            self._column, width_max=READING_WIDTH_MAX + 2 * MESSAGE_MARGIN, margins=(_SIDE, SPACE_S, _SIDE, SPACE_XL)
        )
        outer.addLayout(self._sides)
        outer.addStretch()
        self.setWidget(self._content)
        self._jump = Button(tr("To the latest"), "jump", icon="down", on_click=self.show_latest)
        self._jump.setParent(self)
        self._jump.hide()
        bar = self.verticalScrollBar()
        bar.valueChanged.connect(self._moved)
        bar.rangeChanged.connect(self._grown)

    @property
    def following(self) -> bool:
        """Whether new text scrolls into view."""
        return self._following

    @property
    def at_end(self) -> bool:
        """Whether the last turns are among those that are laid out."""
        return self._conversation is None or self._end == len(self._conversation.turns)

    def show_conversation(self, conversation: Conversation) -> None:
        """Replaces everything by the last turns of a conversation; a button brings those before them."""
        self._conversation = conversation
        self._lay_out(len(conversation.turns))
        self.follow()

    def append(self, conversation: Conversation) -> None:
        """Adds the last turn of a conversation whose other turns are known."""
        if not self.at_end:
            self.show_conversation(conversation)
            return
        self._conversation = conversation
        self._end += 1
        self._append(conversation.turns[-1:])

    def begin_reply(self, created_at_ns: int) -> ReplyMessage:
        """An empty reply at the end, for what is on its way."""
        reply = ReplyMessage(created_at_ns, self._colouring)
        self.add(reply)
        return reply

    def conclude(self, conversation: Conversation, reply: ReplyMessage | None) -> None:
        """The reply that came, if it is among what is laid out, is the last turn of the conversation."""
        self._conversation = conversation
        if reply is not None:
            reply.finish(conversation.turns[-1])
            self._known(conversation.turns[-1], reply)
            self._end += 1

    # Which turns are laid out: those from `_first` to before `_end`

    def _lay_out(self, end: int) -> None:
        """Replaces everything by the turns before `end`."""
        clear(self._messages)
        self._by_turn.clear()
        self._earlier = self._later = None
        self._held_below = self._place = None
        self._first = self._end = end
        self._prepend()
        self._offer_later()

    def show_earlier(self) -> None:
        """Brings earlier turns, and leaves what is being read where it is."""
        bar = self.verticalScrollBar()
        self._held_below = bar.maximum() - bar.value()
        self._prepend()

    def show_later(self) -> None:
        """Brings later turns beneath; at the end also what is on its way there."""
        assert self._conversation is not None
        if self._later is not None:
            self.remove(self._later)
            self._later = None
        turns = self._conversation.turns[self._end : self._end + _TURNS_AT_ONCE]
        self._end += len(turns)
        self._append(turns)
        self._offer_later()
        if self.at_end:
            self.laid_out.emit()

    def show_latest(self) -> None:
        """To the end, and along with it from now on."""
        if not self.at_end:
            assert self._conversation is not None
            self._lay_out(len(self._conversation.turns))
            self.laid_out.emit()
        self.follow()

    def _prepend(self) -> None:
        assert self._conversation is not None
        if self._earlier is not None:
            self.remove(self._earlier)
            self._earlier = None
        turns = self._conversation.turns[max(0, self._first - _TURNS_AT_ONCE) : self._first]
        self._first -= len(turns)
        for at, widget in enumerate(widget for turn in turns for widget in self._widgets(turn)):
            self._messages.insertWidget(at, widget)
        if self._first:
            self._earlier = Button(tr("Earlier messages"), "quiet", on_click=self.show_earlier)
            self._messages.insertWidget(0, self._earlier, 0, Qt.AlignmentFlag.AlignHCenter)

    def _append(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            for widget in self._widgets(turn):
                self._messages.addWidget(widget)

    def _offer_later(self) -> None:
        if not self.at_end:
            self._later = Button(tr("Later messages"), "quiet", on_click=self.show_later)
            self._messages.addWidget(self._later, 0, Qt.AlignmentFlag.AlignHCenter)

    # Finding

    def reveal(self, turn_id: str) -> None:
        """Scrolls to a turn and gives it the focus."""
        if (message := self._laid_out(turn_id)) is not None:
            self.ensureWidgetVisible(message, 0, SPACE_XL)
            message.setFocus(Qt.FocusReason.OtherFocusReason)

    def mark(self, words: str) -> None:
        """Marks words wherever they stand, in what is laid out later, too; "" marks nothing."""
        self._words = words
        self._place = None
        for message in self._by_turn.values():
            message.mark(words)

    def reveal_words(self, turn_id: str, number: int) -> None:
        """Scrolls to one place of the marked words in a turn; the focus stays where it is."""
        self.mark(self._words)
        if (message := self._laid_out(turn_id)) is None:
            return
        self._place = message.mark(self._words, number)
        if self._place is None:
            self.ensureWidgetVisible(message, 0, SPACE_XL)
        else:
            self._show_place(*self._place)

    def _show_place(self, view: TextView, cursor: QTextCursor) -> None:
        """Scrolls to words in a message, and within it where its lines are long."""
        if isinstance(view, QPlainTextEdit):
            end = QTextCursor(cursor)
            end.setPosition(cursor.selectionEnd())
            view.setTextCursor(end)
        at = view.viewport().mapTo(self._content, view.cursorRect(cursor).center())
        self._placing = True
        self.ensureVisible(0, at.y(), 0, _AROUND_WORDS)
        self._placing = False

    def _laid_out(self, turn_id: str) -> MessageView | None:
        """The message of a turn, laid out with its neighbours where it was not."""
        turns = self._conversation.turns if self._conversation else ()
        at = next((at for at, turn in enumerate(turns) if turn.id == turn_id), None)
        if at is None:
            return None
        if turn_id not in self._by_turn:
            self._following = False
            self._lay_out(min(at + _TURNS_AT_ONCE // 2, len(turns)))
            self.laid_out.emit()
        self._held_below = self._place = None
        for widget in self.widgets():
            widget.show()  # Qt shows what was just added only when it is idle
        self._content.adjustSize()
        self._moved(self.verticalScrollBar().value())
        return self._by_turn.get(turn_id)

    def _widgets(self, turn: Turn) -> list[QWidget]:
        """What stands for one turn: a message, and before a reply why it came from elsewhere."""
        if turn.role == "user":
            return [self._known(turn, UserMessage(turn))]
        if turn.role == "system":
            return [Notice(cut_sentence(turn.text))]
        shown: list[QWidget] = [self._known(turn, ReplyMessage.whole(turn, self._colouring))]
        if turn.facts and turn.facts.fallback_reason:
            continued = turn.facts.continued_locally_at is not None
            shown.insert(0, Notice(fallback_sentence(turn.facts.fallback_reason, continued=continued)))
        return shown

    def _known(self, turn: Turn, message: MessageView) -> MessageView:
        """A message that says which turn it stands for when something is done with it."""
        assert self._conversation is not None
        versions = self._conversation.versions(turn.id) if self._conversation.aside else (turn,)
        message.offer(acts_for(turn), versions, turn.id)
        message.acted.connect(partial(self._act, turn.id))
        message.version_wanted.connect(self.version_wanted)
        self._by_turn[turn.id] = message
        if self._words:
            message.mark(self._words)
        return message

    def _act(self, turn_id: str, act: Act) -> None:
        self.acted.emit(act, turn_id)

    def add(self, widget: QWidget, *, before: QWidget | None = None) -> None:
        """Puts a widget after the last turn, or above `before`."""
        if before is not None:
            self._messages.insertWidget(self._messages.indexOf(before), widget)
            return
        if not self.at_end:
            self.show_latest()
        self._messages.addWidget(widget)

    def remove(self, widget: QWidget) -> None:
        self._messages.removeWidget(widget)
        widget.hide()
        widget.deleteLater()

    def widgets(self) -> list[QWidget]:
        """What the column holds, from top to bottom."""
        items = (self._messages.itemAt(at) for at in range(self._messages.count()))
        return [widget for item in items if item is not None and (widget := item.widget()) is not None]

    def turn_page(self, step: int) -> None:
        """A page down, or up for -1."""
        bar = self.verticalScrollBar()
        bar.setValue(bar.value() + step * bar.pageStep())

    def follow(self) -> None:
        """To the end, and along with it from now on."""
        self._following = True
        self._place = None
        self.verticalScrollBar().setValue(self.verticalScrollBar().maximum())
        self._jump.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        scroll_bar = self.width() - self.viewport().width()
        self._sides.setContentsMargins(_SIDE, SPACE_S, _SIDE - scroll_bar, SPACE_XL)
        self._place_jump()

    def _moved(self, value: int) -> None:
        if not self._placing:
            self._held_below = self._place = None
        self._following = self.at_end and value >= self.verticalScrollBar().maximum() - _END_TOLERANCE
        self._jump.setVisible(not self._following)
        self._place_jump()

    def _grown(self, _: int, maximum: int) -> None:
        if self._held_below is not None:
            self._placing = True
            self.verticalScrollBar().setValue(maximum - self._held_below)
            self._placing = False
        elif self._place is not None:
            self._show_place(*self._place)
        elif self._following:
            self.verticalScrollBar().setValue(maximum)

    def _place_jump(self) -> None:
        self._jump.adjustSize()
        self._jump.move((self.width() - self._jump.width()) // 2, self.height() - self._jump.height() - SPACE_S)
        self._jump.raise_()
