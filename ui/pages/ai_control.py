"""Who controls one AI: backup controllers added, put to the proof and removed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal

from personal_ai.deployments.journal import Deployment
from ui.ai_desk import AiDesk
from ui.text import tr
from ui.widgets import ai_dialogs
from ui.widgets.add_controller_dialog import AddControllerDialog
from ui.widgets.controllers import ControllersCard
from ui.widgets.question import ask
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.deployments.controllers import Controller
    from personal_ai.identities.vault import IdentityRecord
    from personal_ai.identities.vault_notes import Contact


class AiControl(ControllersCard):
    """`asked` carries an operation that was begun without a dialog, so that the page tells where it failed."""

    asked = Signal(object)

    def __init__(self, desk: AiDesk, toast: Toast, deployment: Deployment) -> None:
        super().__init__(deployment.principal)
        self._desk = desk
        self._toast = toast
        self.deployment = deployment
        self.add_wanted.connect(self._add_controller)
        self.prove_wanted.connect(self._prove)
        self.remove_wanted.connect(self._remove_controller)

    def _add_controller(self) -> None:
        self._desk.people().on_success(lambda people: self._ask_for_controller(*people))

    def _ask_for_controller(self, identities: Sequence[IdentityRecord], contacts: Sequence[Contact]) -> None:
        sight = self._desk.view(self.deployment).sight
        present = () if sight is None else tuple(one.principal for one in sight.control.controllers)
        own = [one for one in identities if one.principal not in present]
        others = [one for one in contacts if one.principal is not None and one.principal not in present]
        dialog = AddControllerDialog(self, self._desk, self.deployment, own, others)
        dialog.accepted.connect(lambda: self._toast.tell(tr("The network's own list shows it now.")))
        dialog.open()

    def _prove(self, controller: Controller) -> None:
        name = "" if controller.identity is None else controller.identity.label
        said = tr("{who} did what only a controller can.").format(who=name)
        proving = self._desk.prove_controller(self.deployment, controller.principal)
        self.asked.emit(proving.owned_by(self).on_success(lambda _: self._toast.tell(said)))

    def _remove_controller(self, controller: Controller) -> None:
        def remove() -> None:
            removing = self._desk.remove_controller(self.deployment, controller.principal)
            self.asked.emit(
                removing.owned_by(self).on_success(lambda _: self._toast.tell(tr("It has no power any more.")))
            )

        ask(ai_dialogs.remove_controller_question(self, self.deployment.name, controller), remove)
