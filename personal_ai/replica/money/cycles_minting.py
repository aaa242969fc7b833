"""The cycles minting canister: ICP into cycles at the network's rate, at its mainnet id and with its interface.

Each payment counts once: its block is remembered with the answer, and a repeat gets the same answer. What cannot be
carried out is paid back, less fees. Source: the public interface and behaviour of the mainnet canister (2026).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from personal_ai.ic import cbor, hash_tree
from personal_ai.ic import cycles_minting_types as types
from personal_ai.ic.account_identifier import AccountIdentifier, principal_subaccount
from personal_ai.ic.candid import Principal_, Type, Vec, decode, encode
from personal_ai.ic.icp_types import ICP_FEE_E8S
from personal_ai.ic.ledger_types import CYCLES_MINTING_CANISTER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.accounts import Accounts
from personal_ai.replica.calls import CallRejected
from personal_ai.replica.canisters import Canisters
from personal_ai.replica.money import icp_book
from personal_ai.replica.money.blocks import Account
from personal_ai.replica.money.builtin import MAX_MEMO_BYTES, BuiltInCanister, Context, Method, Refusal, Trap, ok_or_err
from personal_ai.replica.money.creation import Creation
from personal_ai.replica.money.cycles_ledger import CyclesLedger
from personal_ai.replica.money.icp_book import MINTING_ACCOUNT, Transaction
from personal_ai.replica.money.supply import Made, Supply
from personal_ai.replica.state import StateStore

_UNAUTHORIZED, _BAD_SUBNET_SELECTION, _MEMO_TOO_LONG = 6, 5, 7
_AUTOMATIC_REFUND = "automatic refund"
_SCHEMA = "CREATE TABLE IF NOT EXISTS cycles_minting (block INTEGER PRIMARY KEY, purpose TEXT NOT NULL, answer BLOB)"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a payment may be for. refund_fee: in e8s, burned where the payment goes back."""

    name: str
    memo: int
    refund_fee: int
    answer: Type


_TOP_UP = Purpose("top up", types.MEMO_TOP_UP, 2 * ICP_FEE_E8S, types.NOTIFY_TOP_UP_RESULT)
_CREATE = Purpose("create canister", types.MEMO_CREATE_CANISTER, 4 * ICP_FEE_E8S, types.NOTIFY_CREATE_CANISTER_RESULT)
_MINT = Purpose("mint", types.MEMO_MINT_CYCLES, 2 * ICP_FEE_E8S, types.NOTIFY_MINT_CYCLES_RESULT)
_MEMOS = {purpose.memo for purpose in (_TOP_UP, _CREATE, _MINT)}


@dataclass(frozen=True, slots=True)
class Rate:
    """Ten thousandths of an XDR for one ICP, and when it was set (s since 1970)."""

    xdr_permyriad_per_icp: int
    timestamp_s: int

    @property
    def fields(self) -> dict[str, int]:
        return {"timestamp_seconds": self.timestamp_s, "xdr_permyriad_per_icp": self.xdr_permyriad_per_icp}

    @property
    def tree(self) -> hash_tree.HashTree:
        """What the network certifies of the rate."""
        return hash_tree.build({types.CONVERSION_RATE_LABEL: encode([types.CONVERSION_RATE], [self.fields])})


@dataclass(frozen=True, slots=True)
class Payment:
    """An ICP transfer to the canister."""

    block_index: int
    sender: AccountIdentifier
    subaccount: bytes
    e8s: int


@dataclass(frozen=True, slots=True)
class Targets:
    """Where cycles go."""

    canisters: Canisters
    accounts: Accounts
    creation: Creation
    ledger: CyclesLedger
    supply: Supply


class CyclesMinting(BuiltInCanister):
    """`certificate` gives the certificate over the canister's certified data, the root hash of `rate.tree`."""

    def __init__(
        self, store: StateStore, targets: Targets, rate: Rate, subnet_id: Principal, certificate: Callable[[], bytes]
    ) -> None:
        with store.transaction() as db:
            db.execute(_SCHEMA)
        self._to, self._rate, self._certificate = targets, rate, certificate
        queries = {
            "get_default_subnets": Method(None, Vec(Principal_), lambda *_: [subnet_id]),
            "get_icp_xdr_conversion_rate": Method(None, types.CONVERSION_RATE_RESPONSE, lambda *_: self._shown_rate()),
            "get_subnet_types_to_subnets": Method(None, types.SUBNET_TYPES_RESPONSE, lambda *_: {"data": []}),
        }
        updates = {
            "notify_create_canister": Method(types.NOTIFY_CREATE_CANISTER_ARG, _CREATE.answer, self._create_canister),
            "notify_mint_cycles": Method(types.NOTIFY_MINT_CYCLES_ARG, _MINT.answer, self._mint_cycles),
            "notify_top_up": Method(types.NOTIFY_TOP_UP_ARG, _TOP_UP.answer, self._top_up),
        }
        super().__init__(store, CYCLES_MINTING_CANISTER_ID, queries=queries, updates=updates)

    def _shown_rate(self) -> object:
        tree = cbor.encode(self._rate.tree)
        return {"data": self._rate.fields, "hash_tree": tree, "certificate": self._certificate()}

    def _top_up(self, at: Context, arg: dict[str, Any]) -> object:
        canister_id: Principal = arg["canister_id"]

        def deposit(cycles: int) -> object:
            self._to.canisters.get(canister_id)
            self._to.accounts.deposit(canister_id.bytes, cycles)
            return cycles

        return self._notified(at, arg["block_index"], _TOP_UP, canister_id, deposit)

    def _create_canister(self, at: Context, arg: dict[str, Any]) -> object:
        controller: Principal = arg["controller"]
        if controller != at.caller:
            message = f"{at.caller} is not authorized to create a canister on behalf of {controller}"
            return "Err", ("Other", {"error_code": _UNAUTHORIZED, "error_message": message})
        subnet = arg["subnet_selection"]
        if arg["subnet_type"] is not None:
            if subnet is not None:
                message = "subnet_type and subnet_selection cannot be given together"
                return "Err", ("Other", {"error_code": _BAD_SUBNET_SELECTION, "error_message": message})
            subnet = ("Filter", {"subnet_type": arg["subnet_type"]})

        def create(cycles: int) -> object:
            return self._to.creation.create(at.db, controller, cycles, at.now_ns, given=arg["settings"], subnet=subnet)

        return self._notified(at, arg["block_index"], _CREATE, controller, create)

    def _mint_cycles(self, at: Context, arg: dict[str, Any]) -> object:
        memo, to = arg["deposit_memo"], Account(at.caller, arg["to_subaccount"])
        if memo is not None and len(memo) > MAX_MEMO_BYTES:
            message = f"Memo length {len(memo)} exceeds the maximum length of {MAX_MEMO_BYTES}"
            return "Err", ("Other", {"error_code": _MEMO_TOO_LONG, "error_message": message})

        def mint(cycles: int) -> object:
            index, balance = self._to.ledger.deposit(at.db, to, cycles, memo, at.now_ns)
            return {"block_index": index, "minted": cycles, "balance": balance}

        return self._notified(at, arg["block_index"], _MINT, at.caller, mint)

    def _notified(
        self, at: Context, block_index: int, purpose: Purpose, whom: Principal, work: Callable[[int], object]
    ) -> object:
        """The answer to the first notification of this payment, which is carried out if this is the first."""
        return ok_or_err(lambda *_: self._first_answer(at, block_index, purpose, whom, work))(at, None)

    def _first_answer(
        self, at: Context, block_index: int, purpose: Purpose, whom: Principal, work: Callable[[int], object]
    ) -> object:
        payment, memo = _payment(at, block_index, principal_subaccount(whom))
        known = at.db.execute("SELECT purpose, answer FROM cycles_minting WHERE block = ?", (payment.block_index,))
        if (row := known.fetchone()) is not None:
            if memo in _MEMOS and row[0] != purpose.name:
                raise Refusal("InvalidTransaction", f"The same payment is already processed as {row[0]}.")
            return decode([purpose.answer], row[1])[0]
        if memo not in _MEMOS:
            reason = f"The memo {memo:#010x} of the transfer is for no operation that this canister offers."
            return self._remember(at, payment, _AUTOMATIC_REFUND, purpose.answer, _refunded(at, payment, reason, 0))
        if memo != purpose.memo:
            message = f"The memo {memo:#x} of the transfer does not match {purpose.memo:#x}, that of the operation."
            raise Refusal("InvalidTransaction", message)
        return self._remember(at, payment, purpose.name, purpose.answer, self._carried_out(at, payment, purpose, work))

    def _carried_out(
        self, at: Context, payment: Payment, purpose: Purpose, work: Callable[[int], object]
    ) -> tuple[str, object]:
        cycles = types.cycles_of(payment.e8s, self._rate.xdr_permyriad_per_icp)
        try:
            result = work(cycles)
        except CallRejected as rejection:
            return _refunded(at, payment, rejection.reject_message, purpose.refund_fee)
        except Trap as trap:
            return _refunded(at, payment, str(trap), purpose.refund_fee)
        self._to.supply.note(at.db, Made.CONVERTED, cycles)
        _burn(at, payment, payment.e8s)
        return "Ok", result

    @staticmethod
    def _remember(
        at: Context, payment: Payment, purpose: str, type_: Type, answer: tuple[str, object]
    ) -> tuple[str, object]:
        row = (payment.block_index, purpose, encode([type_], [answer]))
        at.db.execute("INSERT INTO cycles_minting VALUES (?, ?, ?)", row)
        return answer


def _payment(at: Context, block_index: int, subaccount: bytes) -> tuple[Payment, int]:
    """The transfer in a block and its memo. Raises Refusal unless it went to the canister's `subaccount`."""
    block = icp_book.block(at.db, block_index)
    if block is None:
        raise Refusal("InvalidTransaction", f"Block {block_index} not found")
    done = block.transaction
    if done.sender is None or done.receiver is None:
        raise Refusal("InvalidTransaction", "Notification transaction must be of type Transfer")
    if done.receiver != AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, subaccount):
        message = f"Destination account in the block ({done.receiver}) different than in the notification"
        raise Refusal("InvalidTransaction", message)
    memo = done.memo
    if memo == 0 and done.icrc1_memo is not None and len(done.icrc1_memo) == 8:
        memo = int.from_bytes(done.icrc1_memo, "little")
    return Payment(block.index, done.sender, subaccount, done.amount), memo


def _refunded(at: Context, payment: Payment, reason: str, extra_fee: int) -> tuple[str, object]:
    """Sends the payment back, less the transfer's fee and `extra_fee`, which is burned, like what is too little."""
    left, refund_block = payment.e8s - ICP_FEE_E8S - extra_fee, None
    if left > 0:
        account = AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, payment.subaccount)
        refund_block = icp_book.move(at.db, Transaction(account, payment.sender, left, ICP_FEE_E8S), at.now_ns)
    _burn(at, payment, extra_fee if left > 0 else payment.e8s)
    return "Err", ("Refunded", {"reason": reason, "block_index": refund_block})


def _burn(at: Context, payment: Payment, e8s: int) -> None:
    """What is less than the least that can be burned stays on the canister's account, as on mainnet."""
    account = AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, payment.subaccount)
    with suppress(Refusal):
        icp_book.move(at.db, Transaction(account, MINTING_ACCOUNT, e8s), at.now_ns)
