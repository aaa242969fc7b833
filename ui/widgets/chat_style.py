"""How a chat's model is to answer: instructions, how freely it chooses words, and presets of both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QInputDialog,
    QPlainTextEdit,
    QSpinBox,
    QWidget,
)

from personal_ai.chat.presets import BALANCED, EXACT, INVENTIVE, Preset
from personal_ai.models.sampling import Sampling
from ui.text import tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S
from ui.widgets.basic import Button, column, label, row, seat
from ui.widgets.dialog import Dialog
from ui.widgets.form import buttons

_WIDTH = 520
_INSTRUCTIONS_HEIGHT = 110
_SEED_MAX = (1 << 31) - 1  # as far as a spin box counts


class ChatStyleDialog(Dialog):
    """Read `instructions` and `sampling` once it is accepted. Presets are kept and removed by signals."""

    preset_kept = Signal(Preset)
    preset_removed = Signal(str)

    def __init__(self, instructions: str, sampling: Sampling | None, parent: QWidget) -> None:
        super().__init__(parent, tr("Instructions and style"), width=_WIDTH)
        self._presets: list[Preset] = []
        self._preset = QComboBox()
        self._preset.setAccessibleName(tr("Preset"))
        self._preset.activated.connect(self._take_preset)
        self._keep = Button(tr("Keep as preset…"), on_click=self._ask_for_name)
        self._remove = Button(tr("Remove"), "quiet", on_click=self._remove_preset)
        self._instructions = QPlainTextEdit(instructions)
        self._instructions.setProperty("kind", "field")
        self._instructions.setAccessibleName(tr("Instructions"))
        self._instructions.setPlaceholderText(tr("For example: Answer in two sentences, in plain words."))
        self._instructions.setTabChangesFocus(True)
        self._instructions.setFixedHeight(_INSTRUCTIONS_HEIGHT)
        self._numbers = SamplingNumbers()
        self._style = QComboBox()
        self._style.setAccessibleName(tr("Style"))
        for words, style in _styles():
            self._style.addItem(words, style)
        self._style.activated.connect(lambda _: self._numbers.show_sampling(self._style.currentData()))
        self._numbers.changed.connect(self._mark_style)
        self._arrange()
        self.show_presets(())
        self._numbers.show_sampling(sampling or EXACT)
        self._mark_style()
        self._instructions.setFocus()

    @property
    def instructions(self) -> str:
        return self._instructions.toPlainText().strip()

    @property
    def sampling(self) -> Sampling:
        return self._numbers.sampling

    def show_presets(self, presets: Sequence[Preset]) -> None:
        """The presets that can be taken."""
        chosen = self._preset.currentText()
        self._presets = list(presets)
        self._preset.clear()
        self._preset.addItem(tr("None"))
        self._preset.addItems([preset.name for preset in self._presets])
        self._preset.setCurrentIndex(max(0, self._preset.findText(chosen)))
        self._remove.setEnabled(self._preset.currentIndex() > 0)

    def _arrange(self) -> None:
        layout = column(spacing=SPACE_M)
        layout.addWidget(label(tr("Preset"), "strong"))
        line = row(spacing=SPACE_S)
        line.addWidget(self._preset, 1)
        line.addWidget(self._keep)
        line.addWidget(self._remove)
        layout.addLayout(line)
        layout.addWidget(label(tr("Instructions"), "strong"))
        layout.addWidget(label(tr("What the model is told before everything else in this chat."), "small", wrap=True))
        layout.addWidget(self._instructions)
        layout.addWidget(label(tr("Style"), "strong"))
        layout.addWidget(self._style)
        layout.addWidget(self._numbers)
        self.column.addLayout(layout)
        cancel = Button(tr("Cancel"), on_click=self.reject)
        self.column.addLayout(buttons(cancel, Button(tr("Use in this chat"), "primary", on_click=self.accept)))

    def _take_preset(self, at: int) -> None:
        self._remove.setEnabled(at > 0)
        if at > 0:
            preset = self._presets[at - 1]
            self._instructions.setPlainText(preset.instructions)
            self._numbers.show_sampling(preset.sampling or EXACT)
            self._mark_style()

    def _mark_style(self) -> None:
        """The named style that the numbers are, or the last entry, "own numbers"."""
        unseeded = replace(self.sampling, seed=0)
        own = self._style.count() - 1
        self._style.setCurrentIndex(next((at for at in range(own) if self._style.itemData(at) == unseeded), own))

    def _ask_for_name(self) -> None:
        dialog = QInputDialog(self)
        dialog.setWindowTitle(tr("Keep as preset"))
        dialog.setLabelText(tr("Name"))
        dialog.textValueSelected.connect(self._keep_preset)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _keep_preset(self, typed: str) -> None:
        name = " ".join(typed.split())
        if name:
            preset = Preset(name, self.instructions, self.sampling)
            self.show_presets([*(one for one in self._presets if one.name != name), preset])
            self._preset.setCurrentText(name)
            self._remove.setEnabled(True)
            self.preset_kept.emit(preset)

    def _remove_preset(self) -> None:
        name = self._preset.currentText()
        self.show_presets([one for one in self._presets if one.name != name])
        self.preset_removed.emit(name)


class SamplingNumbers(QWidget):
    """The numbers behind a style, each with a word on what it does."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(SPACE_L)
        self._grid.setVerticalSpacing(SPACE_S)
        self._temperature = self._real(tr("Temperature"), tr("0: always the likeliest word"), 0.0, 2.0)
        self._top_p = self._real(tr("Top-p"), tr("Only the likeliest words that make up this share"), 0.05, 1.0)
        self._min_p = self._real(tr("Min-p"), tr("No word less likely than this share of the likeliest"), 0.0, 1.0)
        self._penalty = self._real(tr("Repetition penalty"), tr("Above 1: fewer repetitions"), 0.5, 2.0)
        self._top_k = self._whole(tr("Top-k"), tr("Only so many words; 0: all"), 1000)
        self._seed = self._whole(tr("Seed"), tr("The same seed draws the same words"), _SEED_MAX)

    @property
    def sampling(self) -> Sampling:
        return Sampling(
            temperature=round(self._temperature.value(), 2),
            top_k=self._top_k.value(),
            top_p=round(self._top_p.value(), 2),
            min_p=round(self._min_p.value(), 2),
            repetition_penalty=round(self._penalty.value(), 2),
            seed=self._seed.value(),
        )

    def show_sampling(self, sampling: Sampling | None) -> None:
        """Nothing changes for None, the entry "own numbers"."""
        if sampling is None:
            return
        self.blockSignals(True)
        self._temperature.setValue(sampling.temperature)
        self._top_k.setValue(sampling.top_k)
        self._top_p.setValue(sampling.top_p)
        self._min_p.setValue(sampling.min_p)
        self._penalty.setValue(sampling.repetition_penalty)
        self._seed.setValue(min(sampling.seed, _SEED_MAX))
        self.blockSignals(False)

    def _real(self, name: str, words: str, lowest: float, highest: float) -> QDoubleSpinBox:
        box = QDoubleSpinBox()
        box.setRange(lowest, highest)
        box.setSingleStep(0.05)
        box.valueChanged.connect(self.changed)
        self._add(name, words, box)
        return box

    def _whole(self, name: str, words: str, highest: int) -> QSpinBox:
        box = QSpinBox()
        box.setRange(0, highest)
        box.valueChanged.connect(self.changed)
        self._add(name, words, box)
        return box

    def _add(self, name: str, words: str, box: QAbstractSpinBox) -> None:
        line = self._grid.rowCount()
        title = label(name)
        title.setBuddy(box)
        seat(box)
        box.setAccessibleName(name)
        box.setAccessibleDescription(words)
        self._grid.addWidget(title, line, 0)
        self._grid.addWidget(box, line, 1)
        self._grid.addWidget(label(words, "small", wrap=True), line, 2, Qt.AlignmentFlag.AlignVCenter)
        self._grid.setColumnStretch(2, 1)


def _styles() -> list[tuple[str, Sampling | None]]:
    return [
        (tr("Exact: the same question has the same answer"), EXACT),
        (tr("Balanced: a little variety"), BALANCED),
        (tr("Inventive: surprising words"), INVENTIVE),
        (tr("Own numbers"), None),
    ]
