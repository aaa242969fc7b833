"""Settings: how the window looks, and where the data lies."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QRadioButton, QScrollArea, QWidget

from ui.text import tr
from ui.theme import Appearance
from ui.theme.tokens import SPACE_L, SPACE_S, SPACE_XL, SPACE_XS, SPACE_XXL
from ui.widgets.basic import centred, column, frame, label


class SettingsPage(QScrollArea):
    """`appearance_chosen` carries the new look."""

    appearance_chosen = Signal(Appearance)

    def __init__(self, appearance: Appearance, home: Path) -> None:
        super().__init__()
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        content.setProperty("kind", "page")
        inner = QWidget()
        layout = column(inner, spacing=SPACE_L)
        layout.addWidget(label(tr("Settings"), "heading1"))
        layout.addWidget(self._appearance(appearance))
        layout.addWidget(_data(home))
        outer = column(content)
        outer.addLayout(centred(inner, margins=(SPACE_XXL, SPACE_XL, SPACE_XXL, SPACE_XL)))
        outer.addStretch()
        self.setWidget(content)

    def _appearance(self, current: Appearance) -> QFrame:
        card, layout = frame("card", margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_XS)
        layout.addWidget(label(tr("Look"), "heading2"))
        layout.addSpacing(SPACE_XS)
        self._choices = QButtonGroup(self)
        names = {
            Appearance.SYSTEM: tr("Like the system"),
            Appearance.LIGHT: tr("Light"),
            Appearance.DARK: tr("Dark"),
        }
        for appearance, name in names.items():
            choice = QRadioButton(name)
            choice.setChecked(appearance is current)
            choice.toggled.connect(
                lambda on, appearance=appearance: self.appearance_chosen.emit(appearance) if on else None
            )
            self._choices.addButton(choice)
            layout.addWidget(choice)
        return card


def _data(home: Path) -> QFrame:
    card, layout = frame("card", margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_S)
    layout.addWidget(label(tr("Your data"), "heading2"))
    layout.addWidget(
        label(
            tr("Keys and conversations are encrypted in this folder. Nothing is sent to us, and nobody is counted."),
            wrap=True,
        )
    )
    folder = label(str(home), "small", wrap=True)
    folder.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    folder.setAccessibleName(tr("Folder of your data: {folder}").format(folder=home))
    layout.addWidget(folder)
    layout.addWidget(label(tr("Personal AI {version}").format(version=version("personal-ai")), "small"))
    return card
