"""One purse as the wallet page uses it: read, paid from, gone on with. Everything is asked on the money lane."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from personal_ai.app.networks import PRACTICE
from personal_ai.common.errors import UserFacingError
from personal_ai.wallet.history import History
from personal_ai.wallet.journal import Kind, Payment
from ui.bridge import Lane, Operation
from ui.profile import Profile

if TYPE_CHECKING:
    from personal_ai.app.money import Account, Offer, Purse
    from personal_ai.identities.vault_notes import Contact
    from personal_ai.wallet.wallet import Preview
    from ui.core_wallet import Money

_PAGE = 25


class Till(QObject):
    """`changed` follows whatever the page shows of it."""

    changed = Signal()

    def __init__(self, profile: Profile) -> None:
        super().__init__(profile)
        self._profile = profile
        self._count = _PAGE
        self._reading: Operation[tuple[Account, History]] | None = None
        self._known = False
        self.going_on = False
        self.networks: tuple[str, ...] = (PRACTICE,)
        self.network = PRACTICE
        self.purses: tuple[Purse, ...] = ()
        self.purse: Purse | None = None
        self.account: Account | None = None
        self.history: History | None = None
        self.problem: UserFacingError | None = None

    @property
    def empty(self) -> bool:
        """Whether the vault has no identity that could hold money."""
        return self._known and not self.purses

    @property
    def stopped(self) -> bool:
        """Whether the money is on the practice network and that is not running."""
        return self.network == PRACTICE and not self._profile.overview.network_running

    @property
    def reading(self) -> bool:
        return self._reading is not None

    @property
    def has_older(self) -> bool:
        return self.history is not None and self.history.may_be_longer(self._count)

    # What is looked at

    def open(self) -> None:
        """Reads whose money there is, then the purse that was chosen last, or the first."""
        network = self.network
        self._profile.bridge.run(lambda _: (self._money.networks(), self._money.purses(network))).on_success(
            lambda found: self._take_purses(*found)
        )

    def choose_network(self, network: str) -> None:
        if network != self.network:
            self.network = network
            self.open()

    def choose(self, purse: Purse) -> None:
        """Shows another purse; what was known of the one before is let go."""
        if purse != self.purse:
            self.purse, self.account, self.history = purse, None, None
            self._count = _PAGE
            self.read()

    def make_purse(self) -> None:
        """The first identity of a vault that has none yet."""
        network = self.network
        self._profile.bridge.run(lambda _: self._money.new_purse(network)).on_end(self.open)

    def read(self) -> None:
        """Reads balances and history; an older read that is still under way no longer counts."""
        self.problem = None
        if self._reading:
            self._reading.cancel()
            self._reading = None
        purse, count = self.purse, self._count
        if purse is not None and not self.stopped:
            operation = self._profile.bridge.run(
                lambda task: (
                    self._money.account(purse),
                    self._money.history(purse, count, task.tell, task.cancel),
                ),
                lane=Lane.MONEY,
            )
            self._reading = operation
            operation.on_success(lambda found: self._take(operation, *found))
            operation.on_failure(lambda error: self._fail(operation, error))
        self.changed.emit()

    def read_older(self) -> None:
        self._count += _PAGE
        self.read()

    # What is done

    def find_receivers(self, kind: Kind) -> Operation[tuple[Contact, ...]]:
        purse = self._chosen
        return self._profile.bridge.run(lambda _: self._money.receivers(purse, kind))

    def offer(self, kind: Kind, amount: str, target: str | None) -> Operation[Offer]:
        """What a payment would cost; `amount` as it was typed."""
        purse = self._chosen
        return self._profile.bridge.run(
            lambda _: self._money.offer(purse, kind, kind.token.parse(amount), target), lane=Lane.MONEY
        )

    def pay(self, preview: Preview) -> Operation[Payment]:
        """Makes the payment; however that ends, the purse is read again."""
        purse = self._chosen
        operation = self._profile.bridge.run(lambda task: self._money.pay(purse, preview, task.cancel), lane=Lane.MONEY)
        return operation.on_end(self.read)

    def go_on(self, payment: Payment) -> Operation[Payment]:
        """Finishes an interrupted payment; one at a time."""
        purse = self._chosen
        operation = self._profile.bridge.run(
            lambda task: self._money.go_on(purse, payment, task.cancel), lane=Lane.MONEY
        )
        self.going_on = True
        self.changed.emit()
        return operation.on_end(self._end_going_on)

    def give_practice_money(self) -> Operation[str]:
        purse = self._chosen
        return self._profile.bridge.run(lambda _: self._money.give_practice_money(purse), lane=Lane.MONEY).on_end(
            self.read
        )

    @property
    def _money(self) -> Money:
        return self._profile.core.money

    @property
    def _chosen(self) -> Purse:
        assert self.purse is not None, "nobody's money is shown"
        return self.purse

    def _take_purses(self, networks: tuple[str, ...], purses: tuple[Purse, ...]) -> None:
        self._known = True
        self.networks, self.purses = networks, purses
        before = None if self.purse is None else self.purse.principal
        purse = next((one for one in purses if one.principal == before), next(iter(purses), None))
        if purse is not None and purse != self.purse:
            self.choose(purse)
        else:
            self.read()

    def _end_going_on(self) -> None:
        self.going_on = False
        self.read()

    def _take(self, operation: Operation[tuple[Account, History]], account: Account, history: History) -> None:
        if operation is self._reading:
            self._reading = None
            self.account, self.history = account, history
            self.changed.emit()

    def _fail(self, operation: Operation[tuple[Account, History]], error: UserFacingError) -> None:
        if operation is self._reading:
            self._reading = None
            self.problem = error
            self.changed.emit()
