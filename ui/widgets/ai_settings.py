"""The settings of an AI's canister, explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from ui.ai_words import cycles_words
from ui.text import count, size, tr
from ui.theme.tokens import SPACE_S
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.section import Section, from_the_left

if TYPE_CHECKING:
    from personal_ai.ic.management import CanisterStatus

_S_PER_DAY = 86_400


class AiSettingsCard(Section):
    change_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(tr("Settings"))
        self._lines = column(spacing=SPACE_S)
        self.body.addLayout(self._lines)
        self.change = Button(tr("Change…"), on_click=self.change_wanted.emit)
        self.change.setAccessibleName(tr("Change the settings"))
        self.change.setEnabled(False)
        self.body.addLayout(from_the_left(self.change))

    def show_status(self, status: CanisterStatus) -> None:
        clear(self._lines)
        for name, meaning in settings_lines(status):
            self._lines.addWidget(label(name, "strong", wrap=True))
            self._lines.addWidget(label(meaning, "small", wrap=True))
        self.change.setEnabled(True)


def settings_lines(status: CanisterStatus) -> tuple[tuple[str, str], ...]:
    """Each setting with its value, and what it means."""
    days = count(round(status.freezing_threshold_s / _S_PER_DAY), tr("day"), tr("days"))
    reserved, memory = status.reserved_cycles_limit, status.wasm_memory_limit_bytes
    none = tr("none")
    return (
        (tr("Freezing threshold: {days} of rent").format(days=days), freezing_meaning()),
        (
            tr("Reserved cycles, at most: {cycles}").format(
                cycles=none if reserved is None else cycles_words(reserved) if reserved else "0"
            ),
            reserved_meaning(),
        ),
        (
            tr("Memory of its program, at most: {size}").format(size=size(memory) if memory else none),
            memory_meaning(),
        ),
    )


def freezing_meaning() -> str:
    return tr(
        "With fewer cycles than that it is frozen: it answers nothing, but keeps all it has for that long. A longer "
        "time is a longer warning before anything is lost, and holds back more cycles."
    )


def reserved_meaning() -> str:
    return tr(
        "On a crowded part of the network, memory that grows is paid for ahead, from cycles that then pay its rent "
        "only. With 0 it can grow only where there is room."
    )


def memory_meaning() -> str:
    return tr("Beyond it the network undoes what the program does. A large model needs more.")
