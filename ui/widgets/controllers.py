"""Who controls an AI."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame

from ui.text import tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.notice import Notice
from ui.widgets.section import Section, from_the_left

if TYPE_CHECKING:
    from personal_ai.app.controllers import Control
    from personal_ai.deployments.controllers import Controller


class ControllersCard(Section):
    """`prove_wanted` and `remove_wanted` carry the controller."""

    add_wanted = Signal()
    prove_wanted = Signal(object)
    remove_wanted = Signal(object)

    def __init__(self, acting: str) -> None:
        """acting: the principal of the deployment's own identity, which is never removed from here."""
        super().__init__(tr("Who controls it"))
        self._acting = acting
        self.body.addWidget(
            label(
                tr(
                    "Who controls a canister can read and change all that is in it. Everybody can see who that is, by "
                    "their principal: the public number of an identity."
                ),
                wrap=True,
            )
        )
        self._worry = column()
        self._rows = column(spacing=SPACE_S)
        self.body.addLayout(self._worry)
        self.body.addLayout(self._rows)
        self.add = Button(tr("Add a backup controller…"), on_click=self.add_wanted.emit)
        self.add.setEnabled(False)
        self.body.addLayout(from_the_left(self.add))

    def show_control(self, control: Control) -> None:
        clear(self._rows)
        clear(self._worry)
        if control.worry:
            self._worry.addWidget(Notice(control.worry))
        for controller in control.controllers:
            self._rows.addWidget(self._row(controller))
        self.add.setEnabled(True)

    def _row(self, controller: Controller) -> QFrame:
        identity = controller.identity
        name = tr("Somebody else") if identity is None else identity.label
        line = QFrame()
        line.setAccessibleName(f"{name}: {controller.principal}")
        words = column(spacing=2)
        words.addWidget(label(name, "strong"))
        principal = label(str(controller.principal), "mono", wrap=True)
        principal.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.addWidget(principal)
        safe = tr("Comes back from your backup") if identity is not None and identity.restorable else ""
        if identity is not None:
            words.addWidget(label(safe or tr("Its backup is not confirmed"), "small"))
        layout = row(line, spacing=SPACE_S)
        layout.addLayout(words, 1)
        if str(controller.principal) == self._acting:
            layout.addWidget(label(tr("this app acts as it"), "small"))
            return line
        acts = [(tr("Take away…"), self.remove_wanted)]
        if identity is not None:
            acts.insert(0, (tr("Let it prove itself"), self.prove_wanted))
        for text, signal in acts:
            button = Button(text, "quiet", on_click=partial(signal.emit, controller))
            button.setAccessibleName(f"{text} ({name})")
            layout.addWidget(button)
        return line
