"""The conversation as it is read: messages in a column that scrolls by itself only for a reader at its end."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from personal_ai.chat.conversation import Conversation, Turn
from ui.colouring import Colouring
from ui.reply_text import cut_sentence, fallback_sentence
from ui.text import tr
from ui.theme.tokens import READING_WIDTH_MAX, SPACE_S, SPACE_XL, SPACE_XXL
from ui.widgets.basic import Button, centred, clear, column
from ui.widgets.message import MESSAGE_MARGIN, Act, MessageView, ReplyMessage, UserMessage, acts_for
from ui.widgets.notice import Notice

_END_TOLERANCE = 4
_SIDE = SPACE_XXL - MESSAGE_MARGIN  # so that words stand in line with header and composer
# So many turns are laid out at once: a long conversation opens as fast as a short one.
_TURNS_AT_ONCE = 24


class Transcript(QScrollArea):
    """Messages of one conversation. Follows new text while the reader is at the end, and stays put otherwise.

    `acted` carries an Act and the id of the turn it is about, `version_wanted` the id of the turn to show instead.
    """

    acted = Signal(Act, str)
    version_wanted = Signal(str)

    def __init__(self, colouring: Colouring) -> None:
        super().__init__()
        self._colouring = colouring
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._following = True
        self._held_below: int | None = None  # where reading goes on while earlier turns are laid out above
        self._placing = False
        self._conversation: Conversation | None = None
        self._by_turn: dict[str, MessageView] = {}
        self._unshown: tuple[Turn, ...] = ()
        self._earlier: Button | None = None
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
        """Replaces everything by the last turns of a conversation; a button brings those before them."""
        clear(self._messages)
        self._by_turn.clear()
        self._earlier = None
        self._conversation = conversation
        self._unshown = conversation.turns
        self._prepend()
        self.follow()

    def append(self, conversation: Conversation) -> None:
        """Adds the last turn of a conversation whose other turns are shown."""
        self._conversation = conversation
        for widget in self._widgets(conversation.turns[-1]):
            self.add(widget)

    def begin_reply(self, created_at_ns: int) -> ReplyMessage:
        """An empty reply at the end, for what is on its way."""
        reply = ReplyMessage(created_at_ns, self._colouring)
        self.add(reply)
        return reply

    def conclude(self, conversation: Conversation, reply: ReplyMessage) -> None:
        """The reply that came is the last turn of the conversation."""
        self._conversation = conversation
        reply.finish(conversation.turns[-1])
        self._known(conversation.turns[-1], reply)

    def show_earlier(self) -> None:
        """Brings earlier turns, and leaves what is being read where it is."""
        bar = self.verticalScrollBar()
        self._held_below = bar.maximum() - bar.value()
        self._prepend()

    def _prepend(self) -> None:
        if self._earlier is not None:
            self.remove(self._earlier)
            self._earlier = None
        self._unshown, turns = self._unshown[:-_TURNS_AT_ONCE], self._unshown[-_TURNS_AT_ONCE:]
        for at, widget in enumerate(widget for turn in turns for widget in self._widgets(turn)):
            self._messages.insertWidget(at, widget)
        if self._unshown:
            self._earlier = Button(tr("Earlier messages"), "quiet", on_click=self.show_earlier)
            self._messages.insertWidget(0, self._earlier, 0, Qt.AlignmentFlag.AlignHCenter)

    def reveal(self, turn_id: str) -> None:
        """Scrolls to a turn and gives it the focus; earlier turns are laid out if it is one of them."""
        while turn_id not in self._by_turn and self._unshown:
            self.show_earlier()
        if (message := self._by_turn.get(turn_id)) is not None:
            self._held_below = None
            message.show()  # Qt shows what was just added only when it is idle
            self._content.adjustSize()
            self.ensureWidgetVisible(message, 0, SPACE_XL)
            message.setFocus(Qt.FocusReason.OtherFocusReason)

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
        return message

    def _act(self, turn_id: str, act: Act) -> None:
        self.acted.emit(act, turn_id)

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
        self._sides.setContentsMargins(_SIDE, SPACE_S, _SIDE - scroll_bar, SPACE_XL)
        self._place_jump()

    def _moved(self, value: int) -> None:
        if not self._placing:
            self._held_below = None
        self._following = value >= self.verticalScrollBar().maximum() - _END_TOLERANCE
        self._jump.setVisible(not self._following)
        self._place_jump()

    def _grown(self, _: int, maximum: int) -> None:
        if self._held_below is not None:
            self._placing = True
            self.verticalScrollBar().setValue(maximum - self._held_below)
            self._placing = False
        elif self._following:
            self.verticalScrollBar().setValue(maximum)

    def _place_jump(self) -> None:
        self._jump.adjustSize()
        self._jump.move((self.width() - self._jump.width()) // 2, self.height() - self._jump.height() - SPACE_S)
        self._jump.raise_()
