"""Where money goes: a principal, or an account id of the ICP ledger."""

from __future__ import annotations

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.principal import Principal


def checked_address(text: str) -> str:
    """A principal or an account id in its one spelling. Raises BadInputError: money sent to a slip is gone."""
    for kind in (Principal, AccountIdentifier):
        try:
            return str(kind.from_text(text.strip()))
        except FormatError:
            continue
    raise BadInputError("This is neither a principal nor an account id.", next_step="Check it for slips.")
