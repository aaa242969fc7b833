"""Setting an AI up, step by step: which model, where, at what cost. Left, it goes on where it was."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from personal_ai.app.networks import PRACTICE
from personal_ai.app.setup import Bill, Choices, Step
from personal_ai.common.errors import UserFacingError
from ui.model_words import facts
from ui.profile import Profile
from ui.setup_desk import SetupDesk
from ui.text import network_name, tr
from ui.theme.tokens import SPACE_L, SPACE_S
from ui.widgets.basic import Button, chip, clear, column, is_enter, label, row
from ui.widgets.bill_card import BillCard, pay_words
from ui.widgets.choice_list import ChoiceList
from ui.widgets.identity_choice import IdentityChoice
from ui.widgets.notice import Problem
from ui.widgets.scroll_page import ScrollPage

_INTERNET_COMPUTER = "ic"


class SetupPage(ScrollPage):
    """`deploy_wanted` carries the deployment that was agreed to; `models_wanted` leads to importing another model."""

    deploy_wanted = Signal(object)
    models_wanted = Signal()
    left = Signal()

    def __init__(self, profile: Profile) -> None:
        super().__init__()
        self._profile = profile
        self.desk = SetupDesk(profile, self)
        self.choice: ChoiceList | None = None
        self.bill: BillCard | None = None
        self._title = label("", "heading1", wrap=True)
        self._body = column(spacing=SPACE_L)
        self._news = column(spacing=SPACE_L)
        self._marks = row(spacing=SPACE_S)
        self.back = Button(tr("Back"), on_click=self._go_back)
        self.later = Button(tr("Later"), "quiet", on_click=self.left.emit)
        self.go = Button(tr("Continue"), "primary", on_click=self._go)
        self._arrange()
        self.desk.changed.connect(self._show)

    def _arrange(self) -> None:
        foot = row(spacing=SPACE_S)
        foot.addWidget(self.back)
        foot.addWidget(self.later)
        foot.addStretch()
        foot.addWidget(self.go)
        for part in (self._marks, self._title, self._body, self._news, foot):
            if isinstance(part, QWidget):
                self.column.addWidget(part)
            else:
                self.column.addLayout(part)

    def open(self, model: str | None = None) -> None:
        """Goes on where it was left, or begins with a model."""
        self.go.setEnabled(False)
        self.desk.open(model)

    def keyPressEvent(self, event: QKeyEvent) -> None:  # noqa: N802 - Qt's name
        """Enter goes on with the choice that has the focus; what does something itself has taken it before."""
        if is_enter(event) and self.choice is not None and self.go.isEnabled():
            self._go()
        else:
            super().keyPressEvent(event)

    # The steps

    @property
    def step(self) -> Step:
        return self.desk.choices.step

    def _show(self) -> None:
        clear(self._body)
        clear(self._news)
        self.choice = self.bill = None
        _mark(self._marks, self.step)
        self.back.setVisible(self.step is not Step.MODEL)
        self.go.setText(tr("Continue"))
        self.go.setEnabled(True)
        match self.step:
            case Step.MODEL:
                self._show_models()
            case Step.NETWORK:
                self._show_networks()
            case Step.COST:
                self._ask_cost()
        self.ensureVisible(0, 0)

    def _show_models(self) -> None:
        self._title.setText(tr("Which model?"))
        models = [model for model in self._profile.overview.models if not model.embeds]
        self._show_choice(ChoiceList([(model.name, model.label or model.name, facts(model)) for model in models]))
        bring = Button(tr("Bring another model in…"), "quiet", on_click=self.models_wanted.emit)
        self._body.addWidget(bring, 0, Qt.AlignmentFlag.AlignLeft)

    def _show_networks(self) -> None:
        self._title.setText(tr("Where is it to live?"))
        choices = [(name, network_name(name), _network_meaning(name)) for name in self.desk.networks]
        self._show_choice(ChoiceList(choices))

    def _show_choice(self, choice: ChoiceList) -> None:
        self.choice = choice
        self._body.addWidget(choice)
        choice.first.setFocus()

    def _ask_cost(self) -> None:
        self._title.setText(tr("What it costs"))
        self.go.setEnabled(False)
        self._body.addWidget(label(tr("Asking what it costs, and what is there to pay it with…"), "muted", wrap=True))
        billing = self.desk.bill()
        billing.on_success(lambda bill: self._show_bill(bill) if self.desk.wants(billing) else None)
        billing.on_failure(lambda error: self._show_problem(error) if self.desk.wants(billing) else None)

    def _show_bill(self, bill: Bill) -> None:
        clear(self._body)
        self._offered = bill
        self.bill = BillCard(bill)
        self.bill.agreed.connect(self._show_go)
        if self.desk.identities:
            who = IdentityChoice(self.desk.identities, self.desk.choices.identity)
            who.chosen.connect(lambda identity: self.desk.choose(replace(self.desk.choices, identity=identity)))
            self._body.addWidget(who)
        self._body.addWidget(self.bill)
        self._show_go()
        self.go.setFocus()

    def _show_go(self) -> None:
        assert self.bill is not None
        if self._offered.payable:
            self.go.setText(pay_words(self._offered))
            self.go.setEnabled(self.bill.may_pay)
        else:
            self.go.setText(tr("Look again"))
            self.go.setEnabled(True)

    # Going on and back

    def _go(self) -> None:
        choices = self.desk.choices
        self.go.setEnabled(False)
        if self.choice is not None:
            chosen = self.choice.chosen
            model_next = self.step is Step.MODEL
            self.desk.choose(replace(choices, model=chosen) if model_next else replace(choices, network=chosen))
        elif self.bill is None or not self._offered.payable:
            self._show()
        else:
            self._pay(self._offered)

    def _pay(self, bill: Bill) -> None:
        clear(self._news)
        self.back.setEnabled(False)
        paying = self.desk.agree(bill).on_success(self.deploy_wanted.emit).on_failure(self._show_problem)
        paying.on_end(lambda: self.back.setEnabled(True))

    def _go_back(self) -> None:
        choices = self.desk.choices
        earlier = replace(choices, network=None) if self.step is Step.COST else Choices()
        self.desk.choose(earlier)

    def _show_problem(self, error: UserFacingError) -> None:
        """Whatever went wrong, the costs can be asked for again, or the step before be taken anew."""
        clear(self._body)
        clear(self._news)
        self.bill = None
        self._news.addWidget(Problem(error))
        self.go.setText(tr("Look again"))
        self.go.setEnabled(True)


def _mark(marks: QHBoxLayout, step: Step) -> None:
    clear(marks)
    names = {Step.MODEL: tr("1  Model"), Step.NETWORK: tr("2  Where"), Step.COST: tr("3  Cost")}
    for one, name in names.items():
        marks.addWidget(chip(name, "accent" if one is step else "plain"))
    marks.addStretch()


def _network_meaning(network: str) -> str:
    return {
        PRACTICE: tr(
            "On this computer, as on the real network, for nothing. Made for trying things out: it is there while this "
            "computer runs, and nobody else can reach it."
        ),
        _INTERNET_COMPUTER: tr(
            "The public network. Your AI runs there day and night, on computers of independent owners, and only your "
            "key controls it. It is paid with cycles, real money, and what stands on the ledgers is public."
        ),
    }.get(network, tr("A network of your own, as its profile describes it, paid from your AI's account there."))
