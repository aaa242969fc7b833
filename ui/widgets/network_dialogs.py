"""Describing a network of one's own, and taking it off the list."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QWidget

from personal_ai.app.own_networks import Described
from ui.network_desk import NetworkDesk
from ui.text import tr
from ui.widgets.form_dialog import FormDialog
from ui.widgets.question import Question


def network_dialog(parent: QWidget, desk: NetworkDesk, before: Described | None = None) -> FormDialog:
    """A new network, or another way to the one `before`, whose name stays: AIs remember where they live by it."""
    dialog = FormDialog(
        parent,
        tr("A network of your own") if before is None else tr("Change {name}").format(name=before.name),
        tr(
            "A development network on this computer (PocketIC, dfx, icp-cli) needs its address alone. A network on "
            "another computer needs an encrypted address and its root key, the key that its answers are checked with: "
            "ask whoever runs it. The key is never taken from such a network itself."
        ),
        go=tr("Add") if before is None else tr("Save"),
    )
    name = None if before else dialog.add_line(tr("Name, in small letters"))
    gateways = dialog.add_line(tr("Address, or several with spaces between"), before.gateways if before else "")
    gateways.setPlaceholderText(tr("for example {address}").format(address="http://127.0.0.1:4943"))
    key = dialog.add_line(tr("Root key, in hexadecimal digits"), before.root_key if before else "")
    key.setPlaceholderText(tr("only for a network on another computer"))

    dialog.ready_when(lambda: bool(gateways.text().strip()) and (name is None or bool(name.text().strip())))
    if name is not None:
        dialog.act = lambda: desk.add(Described(name.text(), gateways.text(), key.text()))
    elif before is not None:
        dialog.act = lambda: desk.change(Described(before.name, gateways.text(), key.text()))
    return dialog


def removal_question(parent: QWidget, name: str, residents: Sequence[str]) -> Question:
    """residents: the names of the AIs that live there."""
    meaning = [tr("Only its address and key are forgotten here. What lives there stays as it is.")]
    if residents:
        meaning.append(
            tr(
                "{names} cannot be reached until you add the network again under the same name; this computer answers "
                "meanwhile."
            ).format(names=", ".join(residents))
        )
    return Question(parent, tr("Remove {name}?").format(name=name), meaning, go=tr("Remove"))
