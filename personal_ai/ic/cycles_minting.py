"""The cycles minting canister: cycles for ICP that were sent to it.

First the ICP go to `payment_account` with the memo of what they are for; the transfer's block index is kept on disk;
then the canister is notified of it. A notification may be repeated for ever: it is answered with the first outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from personal_ai.common.errors import FormatError, NetworkTimeoutError
from personal_ai.common.jobs import Cancel
from personal_ai.ic import candid, cbor, hash_tree
from personal_ai.ic import cycles_minting_types as types
from personal_ai.ic.account_identifier import AccountIdentifier, principal_subaccount
from personal_ai.ic.agent import Agent
from personal_ai.ic.certificate import CertificateError
from personal_ai.ic.cycles_minting_types import MEMO_CREATE_CANISTER, MEMO_MINT_CYCLES, MEMO_TOP_UP, cycles_of
from personal_ai.ic.hash_tree import Found
from personal_ai.ic.ledger_refusals import LedgerError
from personal_ai.ic.principal import Principal
from personal_ai.ic.rejections import printable

__all__ = [
    "MEMO_CREATE_CANISTER",
    "MEMO_MINT_CYCLES",
    "MEMO_TOP_UP",
    "ConversionRate",
    "CyclesMinting",
    "Minted",
    "PaymentRefundedError",
]

_PROCESSING_WAIT_S = 2.0
_PROCESSING_TRIES = 30


class PaymentRefundedError(LedgerError):
    """The ICP were sent back, less fees: `block_index` is where; None where too little was left to send."""

    @property
    def block_index(self) -> int | None:
        index: int | None = self.details["block_index"]
        return index


@dataclass(frozen=True, slots=True)
class ConversionRate:
    """Ten thousandths of an XDR for one ICP, as the network certified it, and since when (s since 1970)."""

    xdr_permyriad_per_icp: int
    timestamp_s: int

    def cycles(self, e8s: int) -> int:
        """What so many e8s come to."""
        return cycles_of(e8s, self.xdr_permyriad_per_icp)

    def e8s(self, cycles: int) -> int:
        """The fewest e8s that come to `cycles`."""
        return -(-cycles // self.xdr_permyriad_per_icp)


@dataclass(frozen=True, slots=True)
class Minted:
    """Cycles made from ICP; `balance` is what then lies on the account of the cycles ledger."""

    cycles: int
    block_index: int
    balance: int


class CyclesMinting:
    """The cycles minting canister of the agent's network."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent
        self._id = agent.profile.ledgers.cycles_minting

    def payment_account(self, whom: Principal) -> AccountIdentifier:
        """Where ICP go: for a creation or cycles of one's own the payer's principal, for a top-up the canister's id."""
        return AccountIdentifier.of(self._id, principal_subaccount(whom))

    def rate(self) -> ConversionRate:
        """The rate, checked against the network's certificate. Raises SecurityError."""
        reply = self._agent.query(self._id, "get_icp_xdr_conversion_rate", candid.encode([], []))
        answer = candid.decode([types.CONVERSION_RATE_RESPONSE], reply)[0]
        certificate = self._agent.verified(answer["certificate"], self._id)
        tree = hash_tree.parse(cbor.decode(answer["hash_tree"]))
        certified = certificate.value((b"canister", self._id.bytes, b"certified_data"))
        found = hash_tree.lookup(tree, (types.CONVERSION_RATE_LABEL,))
        if certified != hash_tree.root_hash(tree) or not isinstance(found, Found):
            raise CertificateError("The conversion rate is not what the network certified.")
        fields = candid.decode([types.CONVERSION_RATE], found.value)[0]
        if not fields["xdr_permyriad_per_icp"]:
            raise FormatError("The network has no conversion rate.")
        return ConversionRate(fields["xdr_permyriad_per_icp"], fields["timestamp_seconds"])

    def notify_top_up(self, block_index: int, canister_id: Principal, cancel: Cancel | None = None) -> int:
        """Puts the cycles into a canister; gives how many."""
        fields = {"block_index": block_index, "canister_id": canister_id}
        cycles: int = self._notify("notify_top_up", types.NOTIFY_TOP_UP_ARG, types.NOTIFY_TOP_UP_RESULT, fields, cancel)
        return cycles

    def notify_mint_cycles(self, block_index: int, cancel: Cancel | None = None) -> Minted:
        """Puts the cycles, less the cycles ledger's fee, on the default account of the agent's identity."""
        result = self._notify(
            "notify_mint_cycles", types.NOTIFY_MINT_CYCLES_ARG, types.NOTIFY_MINT_CYCLES_RESULT,
            {"block_index": block_index}, cancel,
        )  # fmt: skip
        return Minted(result["minted"], result["block_index"], result["balance"])

    def notify_create_canister(
        self, block_index: int, *, controllers: Sequence[Principal], cancel: Cancel | None = None
    ) -> Principal:
        """A canister that holds the cycles less the price of its creation."""
        fields = {
            "block_index": block_index,
            "controller": self._agent.identity.principal,
            "settings": {"controllers": list(controllers)},
        }
        canister_id: Principal = self._notify(
            "notify_create_canister", types.NOTIFY_CREATE_CANISTER_ARG, types.NOTIFY_CREATE_CANISTER_RESULT,
            fields, cancel,
        )  # fmt: skip
        return canister_id

    def _notify(
        self, method: str, args: candid.Type, result: candid.Type, fields: dict[str, Any], cancel: Cancel | None
    ) -> Any:
        """Raises PaymentRefundedError, LedgerError, NetworkTimeoutError, Cancelled and what `Agent.submit` raises."""
        cancel, arg = cancel or Cancel(), candid.encode([args], [fields])
        for _ in range(_PROCESSING_TRIES):
            case, content = candid.decode([result], self._agent.update(self._id, method, arg, cancel=cancel))[0]
            if case == "Ok":
                return content
            if content[0] != "Processing":
                raise _refused(*content)
            cancel.wait(_PROCESSING_WAIT_S)
        raise NetworkTimeoutError(
            "The cycles minting canister is still busy with this payment.",
            not_lost="The payment is not lost.",
            next_step="Go on with it in a few minutes.",
        )


def _refused(variant: str, details: Any) -> LedgerError:
    if variant == "Refunded":
        what = f"The cycles could not be delivered, and the ICP went back. It said: {printable(details['reason'])}"
        return PaymentRefundedError(what, variant=variant, details=details)
    said: dict[str, Callable[[], object]] = {
        "InvalidTransaction": lambda: details,
        "Other": lambda: details["error_message"],
        "TransactionTooOld": lambda: f"only blocks from {details} on are still known",
    }
    what = f"The cycles minting canister refused: {printable(str(said[variant]()))}"
    return LedgerError(what, variant=variant, details=details)
