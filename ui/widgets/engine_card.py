"""The model and the engine of an AI, and putting others in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal

from personal_ai.app.canisters import Engine
from ui.ai_words import engine_meaning
from ui.model_words import facts
from ui.payment_words import whole_address
from ui.text import tr
from ui.widgets.basic import Button, label
from ui.widgets.section import Section, from_the_left

if TYPE_CHECKING:
    from ui.ai_desk import AiView
    from ui.core import Model


class EngineCard(Section):
    """`upgrade_wanted`: this program's engine; `replace_wanted`: another model."""

    upgrade_wanted = Signal()
    replace_wanted = Signal()

    def __init__(self, model_name: str, model: Model | None) -> None:
        super().__init__(tr("Model and engine"))
        self._name, self._facts = label("", "strong", wrap=True), label("", "small", wrap=True)
        self.body.addWidget(self._name)
        self.body.addWidget(self._facts)
        self.show_model(model_name, model)
        self._meaning = label("", wrap=True)
        self._hash = label("", "mono", wrap=True)
        self._hash.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.body.addWidget(self._meaning)
        self.body.addWidget(self._hash)
        self.replace = Button(tr("Replace the model…"), on_click=self.replace_wanted.emit)
        self.upgrade = Button(tr("Upgrade the engine…"), on_click=self.upgrade_wanted.emit)
        self.body.addLayout(from_the_left(self.replace, self.upgrade))

    def show_model(self, model_name: str, model: Model | None) -> None:
        self._name.setText(model.label if model and model.label else model_name)
        self._facts.setText(_model_facts(model))

    def show_view(self, view: AiView, *, busy: bool) -> None:
        """busy: something long is under way already."""
        sight = view.sight
        for widget in (self._meaning, self._hash):
            widget.setVisible(sight is not None)
        self.replace.setEnabled(sight is not None and not busy)
        self.upgrade.setEnabled(sight is not None and not busy and sight.look.engine is not Engine.SHIPPED)
        if sight is None:
            return
        self._meaning.setText(engine_meaning(sight.look.engine))
        module_hash = sight.look.status.module_hash
        self._hash.setVisible(module_hash is not None)
        if module_hash is not None:
            self._hash.setText(whole_address(module_hash.hex()))
            self._hash.setAccessibleName(tr("Hash of the engine: {hash}").format(hash=module_hash.hex()))
        self.upgrade.setToolTip(
            tr("It has this program's engine already") if sight.look.engine is Engine.SHIPPED else ""
        )


def _model_facts(model: Model | None) -> str:
    if model is None:
        return tr("This model is not in the library of this computer any more.")
    return facts(model)
