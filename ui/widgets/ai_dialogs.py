"""What the page of an AI asks before it does something."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QCheckBox, QComboBox, QSpinBox, QWidget

from personal_ai.common.errors import BadInputError
from personal_ai.deployments.burn_history import Budget
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.management import CanisterSettings
from personal_ai.wallet.amounts import Token
from ui.ai_words import cycles_words
from ui.bridge import Operation
from ui.text import clock, count, network_name, size, tr
from ui.widgets.ai_settings import freezing_meaning, memory_meaning, reserved_meaning
from ui.widgets.basic import label, seat
from ui.widgets.form_dialog import FormDialog
from ui.widgets.question import Question

if TYPE_CHECKING:
    from personal_ai.deployments.controllers import Controller
    from personal_ai.deployments.removal import Loss
    from personal_ai.ic.management import CanisterStatus
    from personal_ai.ic.management_snapshots import Snapshot
    from ui.ai_desk import AiDesk
    from ui.core import Model

_S_PER_DAY = 86_400
_MIB = 1 << 20
_TRILLION = 10**12
_KEEP_DAYS, _KEEP_DAYS_MOST = 120, 3650
_BUDGET_T = "1"
_FREEZING_DAYS_MOST = 3650
_RESERVED_T_MOST, _MEMORY_MIB_MOST = 1000, 4096


# Engine, model, snapshots


def upgrade_question(parent: QWidget, name: str) -> Question:
    return Question(
        parent,
        tr("Upgrade the engine of {name}?").format(name=name),
        (
            tr("The engine that came with this app takes the place of the one in the canister. Model and cycles stay."),
            tr(
                "What there is now is kept as a snapshot first. Then the model is asked a short question: if it does "
                "not answer, the snapshot is put back by itself. This computer answers meanwhile."
            ),
        ),
        go=tr("Upgrade"),
    )


def replace_question(parent: QWidget, name: str, models: Sequence[Model]) -> tuple[Question, QComboBox]:
    """With the choice of the model; its data is the model's name."""
    dialog = Question(
        parent,
        tr("Another model for {name}").format(name=name),
        (
            tr(
                "The old model answers until the new one is uploaded and checked. Where both do not fit into the "
                "canister's memory, the old one is unloaded first, and this computer answers for that while."
            ),
            tr("You can pause at any time; what is uploaded stays uploaded, and nothing is paid for twice."),
        ),
        go=tr("Replace"),
    )
    choice = QComboBox()
    choice.setAccessibleName(tr("The new model"))
    for model in models:
        choice.addItem(f"{model.label or model.name}, {size(model.size_bytes)}", model.name)
    dialog.fields.addWidget(choice)
    dialog.go.setEnabled(bool(models))
    if not models:
        dialog.fields.addWidget(label(tr("There is no other model in the library."), "muted", wrap=True))
    return dialog, choice


def restore_question(parent: QWidget, name: str, snapshot: Snapshot) -> Question:
    return Question(
        parent,
        tr("Back to the snapshot?"),
        (
            tr(
                "Engine, model and memory of {name} become what they were on {time}. What came after it is lost, "
                "unless you take a snapshot of it first."
            ).format(name=name, time=clock(snapshot.taken_at_ns)),
            tr("Cycles, settings and who controls it stay as they are."),
        ),
        go=tr("Go back"),
    )


def forget_snapshot_question(parent: QWidget, snapshot: Snapshot) -> Question:
    return Question(
        parent,
        tr("Delete the snapshot?"),
        (
            tr("The snapshot of {time} is gone for ever, and takes no more rent.").format(
                time=clock(snapshot.taken_at_ns)
            ),
        ),
        go=tr("Delete"),
    )


# Cycles


def budget_dialog(parent: QWidget, desk: AiDesk, deployment: Deployment, budget: Budget | None) -> FormDialog:
    """What may be spent without asking."""
    dialog = FormDialog(
        parent,
        tr("Top up {name} by itself").format(name=deployment.name),
        tr(
            "While this program runs it looks now and then, and tops up what would not last long enough, from the "
            "account of {name}'s own identity. It never spends more than you allow here, fees included."
        ).format(name=deployment.name),
        go=tr("Keep"),
    )
    on = QCheckBox(tr("Top it up by itself"))
    on.setChecked(True)
    dialog.fields.addWidget(on)
    allowed = dialog.add_line(tr("At most, in trillions of cycles, in any 30 days"), _BUDGET_T)
    days = _spin(_KEEP_DAYS, _KEEP_DAYS_MOST, least=1)
    dialog.add(tr("So that it always lasts this many days"), days)
    if budget is not None:
        allowed.setText(Token.CYCLES.show(budget.cycles_per_30_days).split()[0].replace(",", ""))
        days.setValue(budget.keep_days)
    on.toggled.connect(allowed.setEnabled)
    on.toggled.connect(days.setEnabled)
    on.toggled.connect(dialog.refresh)
    dialog.ready_when(lambda: not on.isChecked() or _is_amount(allowed.text()))

    def wanted() -> Budget | None:
        return Budget(Token.CYCLES.parse(allowed.text()), days.value()) if on.isChecked() else None

    dialog.act = lambda: desk.set_budget(deployment, wanted())
    return dialog


def _is_amount(text: str) -> bool:
    try:
        return Token.CYCLES.parse(text) > 0
    except BadInputError:
        return False


# Settings


def settings_dialog(parent: QWidget, desk: AiDesk, deployment: Deployment, status: CanisterStatus) -> FormDialog:
    """Only what was changed is sent."""
    dialog = FormDialog(parent, tr("Settings of {name}").format(name=deployment.name), go=tr("Change"))
    days = _spin(round(status.freezing_threshold_s / _S_PER_DAY), _FREEZING_DAYS_MOST)
    reserved = _spin((status.reserved_cycles_limit or 0) // _TRILLION, _RESERVED_T_MOST)
    memory = _spin((status.wasm_memory_limit_bytes or 0) // _MIB, _MEMORY_MIB_MOST)
    for name, meaning, spin in (
        (tr("Freezing threshold, in days of rent"), freezing_meaning(), days),
        (tr("Reserved cycles, at most, in trillions"), reserved_meaning(), reserved),
        (tr("Memory of its program, at most, in MiB (0: no limit)"), memory_meaning(), memory),
    ):
        dialog.add(name, spin)
        dialog.fields.addWidget(label(meaning, "small", wrap=True))
        spin.valueChanged.connect(dialog.refresh)
    before = [spin.value() for spin in (days, reserved, memory)]

    def changed() -> CanisterSettings:
        return CanisterSettings(
            freezing_threshold=days.value() * _S_PER_DAY if days.value() != before[0] else None,
            reserved_cycles_limit=reserved.value() * _TRILLION if reserved.value() != before[1] else None,
            wasm_memory_limit=memory.value() * _MIB if memory.value() != before[2] else None,
        )

    dialog.ready_when(lambda: changed() != CanisterSettings())
    dialog.act = lambda: desk.change_settings(deployment, changed())
    return dialog


def _spin(value: int, most: int, *, least: int = 0) -> QSpinBox:
    spin = QSpinBox()
    seat(spin)
    spin.setRange(least, max(most, value))
    spin.setValue(value)
    return spin


# Who controls it


def remove_controller_question(parent: QWidget, name: str, controller: Controller) -> Question:
    who = controller.identity.label if controller.identity is not None else str(controller.principal)
    return Question(
        parent,
        tr("Take {who}'s power away?").format(who=who),
        (
            tr("{who} can then neither read nor change {name} any more. You stay in control.").format(
                who=who, name=name
            ),
            tr("That it was a controller stays visible in the network's past."),
        ),
        go=tr("Take it away"),
    )


# Coming and going


def adopt_dialog(parent: QWidget, desk: AiDesk, networks: Sequence[str]) -> FormDialog:
    """`done_with` carries the deployment."""
    dialog = FormDialog(
        parent,
        tr("Take on a canister"),
        tr(
            "For a canister with a model that one of your identities controls already, made on another computer say. "
            "Its number stands on the recovery sheet. The model is fetched from it where this computer has it not."
        ),
        go=tr("Take it on"),
    )
    canister = dialog.add_line(tr("Canister's number"))
    network = QComboBox()
    for one in networks:
        network.addItem(network_name(one), one)
    dialog.add(tr("On which network"), network)
    name = dialog.add_line(tr("A name for it (a tree if you give none)"))
    dialog.ready_when(lambda: bool(canister.text().strip()))
    dialog.act = lambda: desk.adopt(canister.text(), network.currentData(), name.text())
    return dialog


def delete_dialog(parent: QWidget, desk: AiDesk, deployment: Deployment, loss: Loss | None) -> FormDialog:
    """Says what is lost and what stays, and wants the name typed."""
    name = deployment.name
    dialog = FormDialog(parent, tr("Delete {name} for ever?").format(name=name), loss_words(loss), go=tr("Delete"))
    dialog.fields.addWidget(
        label(
            tr("What stays: the model in your library, your chats, and its identity in the vault."),
            wrap=True,
        )
    )
    typed = dialog.add_line(tr("To delete it, type its name: {name}").format(name=name))
    dialog.ready_when(lambda: typed.text().strip() == name)

    def delete() -> Operation[int]:
        return desk.delete(deployment, typed.text())

    dialog.act = delete
    return dialog


def loss_words(loss: Loss | None) -> str:
    """What goes for ever with an AI."""
    if loss is None:
        return tr("Its canister is gone already; only the entry here is left.")
    gone = tr("With it go {size} of memory and {snapshots}.").format(
        size=size(loss.memory_bytes), snapshots=count(loss.snapshots, tr("snapshot"), tr("snapshots"))
    )
    if loss.recoverable_cycles:
        cycles = tr("Of its {cycles} cycles about {back} come back first, to its identity's account.")
    else:
        cycles = tr("Its {cycles} cycles are lost: they would not pay for being sent back. Stopping it keeps them.")
    return f"{gone} " + cycles.format(cycles=cycles_words(loss.cycles), back=cycles_words(loss.recoverable_cycles))
