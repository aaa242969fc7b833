"""What the activity page asks of the core: the part of `personal_ai.app.activity.Activity` that it uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from personal_ai.common.jobs import Cancel

if TYPE_CHECKING:
    from personal_ai.app.activity import Entry
    from personal_ai.wallet.journal import Payment


class Activity(Protocol):
    """What was begun and written down."""

    def entries(self) -> tuple[Entry, ...]: ...
    def go_on(self, payment: Payment, cancel: Cancel) -> Payment: ...
