"""A model of the hub before it is fetched: what it is, whose terms hold, and how it would run in each packing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QRadioButton

from ui.model_words import packing
from ui.text import DOT, count, size, tr
from ui.theme.tokens import SPACE_L, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, label, row
from ui.widgets.fit_view import FitView

if TYPE_CHECKING:
    from personal_ai.app.model_room import Offer


class OfferCard(QFrame):
    """fetch_wanted: the id at the commit that was looked up, and the quantisation."""

    fetch_wanted = Signal(str, str)
    closed = Signal()

    def __init__(self, offer: Offer) -> None:
        super().__init__()
        self._wanted = f"{offer.model.id}@{offer.model.commit}"
        self.setProperty("kind", "card")
        self.setAccessibleName(offer.model.id)
        layout = column(self, margins=(SPACE_XL, SPACE_L, SPACE_XL, SPACE_L), spacing=SPACE_M)
        layout.addWidget(label(offer.model.id, "heading1"))
        layout.addWidget(label(_facts(offer), "small", wrap=True))
        self._choices = QButtonGroup(self)
        self._quantisations = [fit.quantisation for fit in offer.fits]
        for at, fit in enumerate(offer.fits):
            choice = QRadioButton(packing(fit.quantisation))
            self._choices.addButton(choice, at)
            view = FitView(fit)
            layout.addWidget(choice)
            layout.addWidget(view)
            view.hide()
            choice.toggled.connect(view.setVisible)
        self._choices.button(0).setChecked(True)  # once all are there: Tab then leads to the chosen one alone
        self.fetch = Button(tr("Fetch it"), "primary", on_click=self._fetch)
        foot = row(spacing=SPACE_S)
        foot.addStretch()
        foot.addWidget(Button(tr("Not now"), "quiet", on_click=self.closed.emit))
        foot.addWidget(self.fetch)
        layout.addLayout(foot)

    def take_focus(self) -> None:
        self.show()
        self.fetch.setFocus()

    def _fetch(self) -> None:
        self.fetch_wanted.emit(self._wanted, self._quantisations[self._choices.checkedId()])


def _facts(offer: Offer) -> str:
    model = offer.model
    parts = [
        tr("{size} to fetch, in {files}").format(
            size=size(model.size_bytes), files=count(len(model.files), tr("file"), tr("files"))
        ),
        tr("licence {licence}").format(licence=model.licence),
    ]
    if model.gated:
        parts.append(tr("its makers want their terms accepted on its page first"))
    return DOT.join(parts)
