"""Above a conversation: what it is about, whom it asks, and where its words go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from personal_ai.chat.conversation import Conversation, Place
from personal_ai.deployments.journal import Deployment
from ui.reply_text import place_name
from ui.text import DOT, network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XXL
from ui.widgets.basic import Button, centred, column, label, row, set_look
from ui.widgets.elided import Elided

_TONES = {Place.LOCAL: "plain", Place.PRACTICE: "accent", Place.CANISTER: "good"}


class ChatHeader(QWidget):
    """The chip is a menu: the user may send the words elsewhere."""

    deployment_wanted = Signal(str)
    local_wanted = Signal()
    deploy_wanted = Signal()
    network_wanted = Signal()
    find_wanted = Signal()
    style_wanted = Signal()
    rename_wanted = Signal()
    copy_wanted = Signal()
    export_wanted = Signal()
    delete_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._title = Elided("heading2")
        self._whom = label("", "small")
        self._chip = Button("", "chip")
        self._chip.setAccessibleDescription(tr("Opens a menu to send your words elsewhere"))
        self._places = QMenu(self._chip)
        self._chip.setMenu(self._places)
        self._more = Button(tr("More"), "quiet", icon="chevron")
        self._more.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._more.setMenu(self._more_menu())
        inner = QWidget()
        words = column(spacing=2)
        words.addWidget(self._title)
        words.addWidget(self._whom)
        layout = row(inner, spacing=SPACE_S)
        layout.addLayout(words, 1)
        layout.addWidget(self._chip)
        layout.addWidget(self._more)
        outer = column(self)
        outer.addLayout(centred(inner, margins=(SPACE_XXL, SPACE_L, SPACE_XXL, SPACE_S)))

    def _more_menu(self) -> QMenu:
        more = QMenu(self._more)
        more.addAction(tr("Instructions and style…"), self.style_wanted.emit)
        more.addSeparator()
        self._for_stored = [
            more.addAction(tr("Find in this chat…") + "\tCtrl+F", self.find_wanted.emit),
            more.addAction(tr("Rename…"), self.rename_wanted.emit),
            more.addAction(tr("Copy the whole chat"), self.copy_wanted.emit),
            more.addAction(tr("Export…"), self.export_wanted.emit),
            more.addAction(tr("Delete this chat"), self.delete_wanted.emit),
        ]
        return more

    def show_conversation(self, conversation: Conversation, deployment: Deployment | None) -> None:
        self._title.set_words(conversation.title or tr("New chat"))
        if deployment is None:
            self._whom.setText(tr("On this computer, without a network"))
        else:
            self._whom.setText(deployment.name + DOT + network_name(deployment.network))
        for action in self._for_stored:
            action.setEnabled(bool(conversation.turns))

    @property
    def place_shown(self) -> str:
        """What the chip says; empty while it is hidden."""
        return "" if self._chip.isHidden() else self._chip.text()

    @property
    def offers(self) -> list[QAction]:
        """What the chip's menu offers."""
        return [action for action in self._places.actions() if not action.isSeparator()]

    def show_place(self, place: Place | None, *, fallback: bool = False) -> None:
        """The chip; None while it is not known."""
        self._chip.setVisible(place is not None)
        if place is None:
            return
        words = tr("On this computer now") if fallback else place_name(place)
        self._chip.setText(words)
        self._chip.setAccessibleName(tr("Your words go to: {place}").format(place=words))
        self._chip.setToolTip(tr("Operators of the network's nodes can read a canister's memory.") if
                              place is Place.CANISTER else tr("Your words stay on this computer."))  # fmt: skip
        set_look(self._chip, "tone", "warning" if fallback else _TONES[place])

    def offer_places(
        self, conversation: Conversation, deployments: Sequence[Deployment], *, network_running: bool
    ) -> None:
        """The chip's menu: each deployment that answers, this computer alone, and what is missing for more."""
        self._places.clear()
        local = conversation.pinned is Place.LOCAL or conversation.deployment is None
        for one in deployments:
            words = tr("Ask {name} on: {network}").format(name=one.name, network=network_name(one.network))
            action = self._places.addAction(words, partial(self.deployment_wanted.emit, one.id))
            action.setCheckable(True)
            action.setChecked(not local and one.id == conversation.deployment)
        here = self._places.addAction(tr("Keep this chat on this computer"), self.local_wanted.emit)
        here.setCheckable(True)
        here.setChecked(local)
        if not deployments:
            self._places.addSeparator()
            self._places.addAction(tr("Deploy a model…"), self.deploy_wanted.emit)
        elif not network_running:
            self._places.addSeparator()
            self._places.addAction(tr("Start the practice network"), self.network_wanted.emit)
