"""The end of every payment that a dialog makes: paid, stopped at a safe place, or failed and never tried twice."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.wallet.journal import Payment
from ui.bridge import Operation
from ui.text import tr
from ui.theme.tokens import SPACE_M
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.dialog import Dialog
from ui.widgets.notice import Problem

_WIDTH = 520


class PaymentDialog(Dialog):
    """`paid` carries the payment that was made; `stopped` follows one that was stopped and can be gone on with.

    What it costs, and what goes wrong, is shown in `outcome`; `go` pays, `leave` leaves or stops.
    """

    paid = Signal(object)
    stopped = Signal()

    def __init__(self, parent: QWidget, title: str, *, listed_in: str) -> None:
        """listed_in: a sentence on where a payment is found that may have been sent."""
        super().__init__(parent, title, width=_WIDTH)
        self._listed_in = listed_in
        self._payment: Operation[Payment] | None = None
        self.outcome = column(spacing=SPACE_M)
        self.agreed = QCheckBox(tr("I know that this cannot be undone. Pay all the same."))
        self.go = Button("", "primary")
        self.leave = Button(tr("Cancel"), on_click=self.reject)

    def show_problem(self, error: UserFacingError) -> None:
        self.outcome.addWidget(Problem(error))

    def start_over(self) -> None:
        """What was worked out no longer counts."""
        clear(self.outcome)
        self.agreed.setChecked(False)

    def follow(self, payment: Operation[Payment]) -> None:
        """The payment is under way."""
        self._payment = payment
        self.agreed.setEnabled(False)
        self.go.setEnabled(False)
        self.go.setText(tr("Paying…"))
        self.leave.setText(tr("Stop"))
        self.leave.setFocus()
        payment.on_success(self._end_paid).on_failure(self._end_failed).on_cancelled(self._end_stopped)

    def _end_paid(self, payment: Payment) -> None:
        self._payment = None
        self.paid.emit(payment)
        self.accept()

    def _end_stopped(self) -> None:
        self._payment = None
        self.stopped.emit()
        self.reject()

    def _end_failed(self, error: UserFacingError) -> None:
        """No second try from here, which would be a second payment."""
        self._payment = None
        self.show_problem(error)
        self.outcome.addWidget(label(self._listed_in, "small", wrap=True))
        self.go.hide()
        self.leave.setText(tr("Close"))
        self.leave.setEnabled(True)
        self.leave.setFocus()

    def reject(self) -> None:
        """While a payment is under way it is stopped at a safe place first, and the dialog goes with its end."""
        if self._payment is None:
            super().reject()
            return
        self._payment.cancel()
        self.leave.setText(tr("Stopping…"))
        self.leave.setEnabled(False)
