"""The networks that AIs can live on: how each is reached and checked, and those of one's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QLabel

from personal_ai.app.own_networks import Described
from personal_ai.common.errors import UserFacingError
from ui.network_desk import NetworkDesk
from ui.profile import Profile
from ui.text import network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.network_dialogs import network_dialog, removal_question
from ui.widgets.notice import Problem
from ui.widgets.question import ask
from ui.widgets.section import Section, from_the_left
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.app.own_networks import Reached
    from personal_ai.ic.profile import NetworkProfile


class NetworksCard(Section):
    """Call `refresh` when it is shown: nothing is read before, and no network is asked without a click."""

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__(tr("Networks"))
        self.desk = NetworkDesk(profile, self)
        self._toast = toast
        self.body.addWidget(
            label(
                tr("An AI lives on the practice network, on one of these, or on one that you describe."),
                wrap=True,
            )
        )
        self._rows = column(spacing=SPACE_L)
        self.body.addLayout(self._rows)
        self.body.addLayout(from_the_left(Button(tr("Add a network…"), on_click=self._add)))
        self.desk.listed.connect(self._show)
        self.desk.unreadable.connect(self._show_problem)

    def refresh(self) -> None:
        self.desk.refresh()

    def _show(self, networks: tuple[NetworkProfile, ...]) -> None:
        clear(self._rows)
        for network in networks:
            self._rows.addWidget(_NetworkRow(self, network))

    def _show_problem(self, error: UserFacingError) -> None:
        clear(self._rows)
        self._rows.addWidget(Problem(error))

    def _add(self) -> None:
        dialog = network_dialog(self, self.desk)
        dialog.accepted.connect(self.refresh)
        dialog.accepted.connect(lambda: self._toast.tell(tr("It is known from now on. Check the connection.")))
        dialog.open()

    def change(self, network: NetworkProfile) -> None:
        dialog = network_dialog(self, self.desk, Described.of(network))
        dialog.accepted.connect(self.refresh)
        dialog.open()

    def remove(self, network: NetworkProfile) -> None:
        def act() -> None:
            self.desk.remove(network.name).on_failure(self._show_problem).on_success(lambda _: self.refresh())

        ask(removal_question(self, network.name, self.desk.residents(network.name)), act)


class _NetworkRow(QFrame):
    """One network; what came of a check stays below it."""

    def __init__(self, card: NetworksCard, network: NetworkProfile) -> None:
        super().__init__()
        self._card = card
        self._network = network
        name = network_name(network.name)
        self.setAccessibleName(name)
        layout = column(self, spacing=SPACE_S)
        layout.addWidget(label(name, "strong"))
        layout.addWidget(label(", ".join(network.gateways), "small", wrap=True))
        layout.addWidget(label(_held_to(network), "small", wrap=True))
        self._check = Button(tr("Check the connection"), on_click=self._ask)
        acts = [self._check]
        if network.kind in ("local", "custom"):
            acts.append(Button(tr("Change…"), "quiet", on_click=partial(card.change, network)))
            acts.append(Button(tr("Remove…"), "quiet", on_click=partial(card.remove, network)))
        for button in acts:
            button.setAccessibleName(f"{button.text()} ({name})")
        layout.addLayout(from_the_left(*acts))
        self._outcome = column(spacing=SPACE_S)
        layout.addLayout(self._outcome)

    def _ask(self) -> None:
        self._check.setEnabled(False)
        self._say(label(tr("Asking…"), "muted"))
        checking = self._card.desk.check(self._network.name).owned_by(self)
        checking.on_success(self._tell).on_failure(lambda error: self._say(Problem(error)))
        checking.on_end(lambda: self._check.setEnabled(True))

    def _tell(self, reached: Reached) -> None:
        self._say(label(_proved(reached), wrap=True))

    def _say(self, words: QLabel | Problem) -> None:
        clear(self._outcome)
        self._outcome.addWidget(words)


def _held_to(network: NetworkProfile) -> str:
    if network.kind == "ic":
        return tr("Its answers are checked with the key that is built into this program.")
    if network.root_key_der is not None:
        return tr("Its answers are checked with the root key that you gave.")
    return tr("It is on this computer, so it is asked for its root key.")


def _proved(reached: Reached) -> str:
    if reached.profile.root_key_der is None:
        return tr("It answers. As it is on this computer, the key that it names itself was taken.")
    return tr("It answers, and its root key proves that it is the one.")
