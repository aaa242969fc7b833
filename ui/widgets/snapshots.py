"""The kept states of an AI."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame

from personal_ai.common.errors import UserFacingError
from ui.ai_words import cycles_words
from ui.text import DOT, clock, size, tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, clear, column, label, row
from ui.widgets.notice import Problem
from ui.widgets.section import Section, from_the_left

if TYPE_CHECKING:
    from personal_ai.app.snapshots import SnapshotPrice
    from personal_ai.ic.management_snapshots import Snapshot


class SnapshotsCard(Section):
    """Each signal but the first two carries the snapshot."""

    take_wanted = Signal()
    upload_wanted = Signal()
    restore_wanted = Signal(object)
    download_wanted = Signal(object)
    delete_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__(tr("Snapshots"))
        self.body.addWidget(
            label(
                tr(
                    "A snapshot keeps engine, model and memory as they are now, on the network beside the canister, to "
                    "go back to. It goes with the canister: to keep it elsewhere, download it; it can be put "
                    "back from there."
                ),
                wrap=True,
            )
        )
        self._rows = column(spacing=SPACE_S)
        self.body.addLayout(self._rows)
        self._price = label("", "small", wrap=True)
        self.body.addWidget(self._price)
        self.take = Button(tr("Take a snapshot"), on_click=self.take_wanted.emit)
        self.upload = Button(tr("Put a downloaded one back…"), on_click=self.upload_wanted.emit)
        self.body.addLayout(from_the_left(self.take, self.upload))
        self._acts: list[Button] = []
        self._known = False
        self._taking = False
        self.set_busy(busy=False)

    def show_busy(self) -> None:
        """One is being taken."""
        self._taking = True
        self.set_busy(busy=True)

    def show_kept(self, kept: Sequence[Snapshot], price: SnapshotPrice, *, busy: bool) -> None:
        """busy: something long is under way, and a state that is half changed is no state to keep."""
        self._clear()
        self._known, self._taking = True, False
        for snapshot in kept:
            self._rows.addWidget(self._row(snapshot))
        if not kept:
            self._rows.addWidget(label(tr("There is none."), "muted"))
        self._price.setText(
            tr("One that is taken now takes {rent} cycles a day.").format(rent=cycles_words(price.rent_per_day))
        )
        self.set_busy(busy=busy)

    def set_busy(self, *, busy: bool) -> None:
        self.take.setText(tr("Taking a snapshot…") if self._taking else tr("Take a snapshot"))
        for button in (self.take, self.upload):
            button.setEnabled(self._known and not self._taking and not busy)
        for button in self._acts:
            button.setEnabled(not busy)

    def show_problem(self, error: UserFacingError) -> None:
        """What stopped the last thing that was asked."""
        self._taking = False
        self._rows.addWidget(Problem(error, closable=True))

    def _clear(self) -> None:
        clear(self._rows)
        self._acts = []

    def _row(self, snapshot: Snapshot) -> QFrame:
        when = clock(snapshot.taken_at_ns)
        line = QFrame()
        line.setAccessibleName(tr("Snapshot of {time}").format(time=when))
        layout = column(line)
        layout.addWidget(label(when + DOT + size(snapshot.size_bytes), wrap=True))
        acts = row()
        for words, signal in (
            (tr("Go back to it…"), self.restore_wanted),
            (tr("Download…"), self.download_wanted),
            (tr("Delete…"), self.delete_wanted),
        ):
            button = Button(words, "quiet", on_click=partial(signal.emit, snapshot))
            button.setAccessibleName(tr("{act} Snapshot of {time}").format(act=words, time=when))
            self._acts.append(button)
            acts.addWidget(button)
        acts.addStretch()
        layout.addLayout(acts)
        return line
