"""A chat before its first word: what can be asked."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QWidget

from ui.text import tr
from ui.theme.tokens import READING_WIDTH_MAX, SPACE_L, SPACE_S, SPACE_XXL
from ui.widgets.basic import Button, centred, column, label


class EmptyChat(QWidget):
    """`asked` carries a suggestion that the user took."""

    asked = Signal(str)
    deploy_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._about = label("", "muted", wrap=True)
        inner = QWidget()
        layout = column(inner, spacing=SPACE_S)
        layout.addWidget(label(tr("What would you like to know?"), "heading1"))
        layout.addWidget(self._about)
        layout.addSpacing(SPACE_L)
        for question in (
            tr("What is a canister?"),
            tr("Who can read what I write here?"),
            tr("What happens when the network is away?"),
        ):
            layout.addWidget(self._suggestion(question), 0, Qt.AlignmentFlag.AlignLeft)
        self._deploy = Button(tr("Deploy this model to a canister of your own"), "quiet", icon="ais")
        self._deploy.clicked.connect(self.deploy_wanted)
        layout.addSpacing(SPACE_S)
        layout.addWidget(self._deploy, 0, Qt.AlignmentFlag.AlignLeft)
        outer = column(self)
        outer.addStretch(2)
        outer.addLayout(centred(inner, width_max=READING_WIDTH_MAX, margins=(SPACE_XXL, 0, SPACE_XXL, 0)))
        outer.addStretch(3)

    def show_model(self, label: str, *, deployed: bool) -> None:
        """The model that answers, and the way into a canister where nothing is deployed yet."""
        self._deploy.setVisible(not deployed)
        self._about.setText(tr("Answers come from: {model}").format(model=label))

    def _suggestion(self, question: str) -> Button:
        return Button(question, "suggestion", on_click=lambda: self.asked.emit(question))
