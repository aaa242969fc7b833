"""Stopping an AI, starting it again, and the end of it."""

from __future__ import annotations

from PySide6.QtCore import Signal

from ui.text import tr
from ui.widgets.basic import Button, label
from ui.widgets.section import Section, from_the_left


class LifeCard(Section):
    """`switch_wanted` carries whether it shall run."""

    switch_wanted = Signal(bool)
    delete_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Stopping and deleting"))
        self._stopped = False
        self.body.addWidget(
            label(
                tr("Stopped, it answers nothing and keeps everything; only its rent goes on. Deleted, it is gone."),
                wrap=True,
            )
        )
        self.switch = Button("", on_click=lambda: self.switch_wanted.emit(self._stopped))
        self.delete = Button(tr("Delete…"), "quiet", on_click=self.delete_wanted.emit)
        self.delete.setAccessibleName(tr("Delete this AI"))
        self.body.addLayout(from_the_left(self.switch, self.delete))
        self.show_state(stopped=False, known=False, busy=False)

    def show_state(self, *, stopped: bool, known: bool, busy: bool) -> None:
        """known: how it is was seen. busy: something long is under way."""
        self._stopped = stopped
        self.switch.setText(tr("Start it") if stopped else tr("Stop it"))
        self.switch.setEnabled(known and not busy)
        self.delete.setEnabled(not busy)
