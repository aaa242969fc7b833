"""Giving somebody else power over an AI, so that it is not lost with one vault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QComboBox, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal
from personal_ai.identities.vault_notes import Contact
from ui.bridge import Operation
from ui.text import tr
from ui.theme.tokens import SPACE_M
from ui.widgets.basic import clear, column, label
from ui.widgets.form_dialog import FormDialog
from ui.widgets.notice import LinkNotice, Problem

if TYPE_CHECKING:
    from personal_ai.identities.linking import LinkWarning
    from personal_ai.identities.vault import IdentityRecord
    from ui.ai_desk import AiDesk


class AddControllerDialog(FormDialog):
    """`done_with` carries who controls it then."""

    def __init__(
        self,
        parent: QWidget,
        desk: AiDesk,
        deployment: Deployment,
        own: Sequence[IdentityRecord],
        contacts: Sequence[Contact],
    ) -> None:
        """own, contacts: those that do not control it yet."""
        super().__init__(
            parent,
            tr("A backup controller for {name}").format(name=deployment.name),
            tr(
                "It can do all that you can. It helps where its key is kept elsewhere than yours: on another computer, "
                "or with somebody you trust. Afterwards the network's own list is read back."
            ),
            go=tr("Add"),
        )
        self._desk = desk
        self._deployment = deployment
        self._asking: Operation[LinkWarning | None] | None = None
        self._checked = False
        self.who = QComboBox()
        self.who.addItem(tr("Somebody else, by their principal"), None)
        for identity in own:
            self.who.addItem(tr("Your identity {name}").format(name=identity.label), identity.principal)
        for contact in contacts:
            self.who.addItem(tr("Your contact {name}").format(name=contact.name), contact)
        self.add(tr("Who"), self.who)
        self.principal = self.add_line(tr("Principal: the public number of their identity"))
        self._outcome = column(spacing=SPACE_M)
        self.fields.addLayout(self._outcome)
        self.agreed = QCheckBox(tr("I know that this cannot be undone. Do it all the same."))
        self.agreed.toggled.connect(self.refresh)
        self.fields.addWidget(self.agreed)
        self.who.currentIndexChanged.connect(self._choose)
        self.ready_when(self._complete)
        self.act = lambda: self._desk.add_controller(self._deployment, self._wanted)
        self._choose()

    @property
    def _own(self) -> Principal | None:
        chosen = self.who.currentData()
        return chosen if isinstance(chosen, Principal) else None

    @property
    def _wanted(self) -> str:
        return self.principal.text() if self._own is None else str(self._own)

    @property
    def _contact(self) -> Contact | None:
        chosen = self.who.currentData()
        return chosen if isinstance(chosen, Contact) else None

    def _complete(self) -> bool:
        if self._own is None:
            return bool(self.principal.text().strip())
        return self._checked and (self.agreed.isHidden() or self.agreed.isChecked())

    def _choose(self) -> None:
        """One's own identities are asked about first: they may be tied together in public."""
        clear(self._outcome)
        self._asking, self._checked = None, False
        self.agreed.setChecked(False)
        self.agreed.hide()
        self.principal.setText("" if self._contact is None else self._contact.address)
        self.principal.setReadOnly(self._contact is not None)
        self.principal.setEnabled(self._own is None)
        if self._own is not None:
            self._outcome.addWidget(label(tr("Looking at what it would tie together…"), "muted"))
            asking = self._asking = self._desk.link_warning(self._deployment, self._own).owned_by(self)
            asking.on_success(lambda warning: self._show_warning(asking, warning))
            asking.on_failure(lambda error: self._show_failure(asking, error))
        self.refresh()

    def _show_warning(self, asking: Operation[LinkWarning | None], warning: LinkWarning | None) -> None:
        if asking is not self._asking:
            return
        clear(self._outcome)
        self._checked = True
        self.agreed.setVisible(warning is not None)
        if warning is not None:
            self._outcome.addWidget(LinkNotice(warning))
        self.refresh()

    def _show_failure(self, asking: Operation[LinkWarning | None], error: UserFacingError) -> None:
        if asking is self._asking:
            clear(self._outcome)
            self._outcome.addWidget(Problem(error))
