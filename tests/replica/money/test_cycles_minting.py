"""ICP into cycles: each payment once, what cannot be done paid back, and a rate that the network signs."""

from __future__ import annotations

from typing import Any

import pytest

from personal_ai.ic import cbor, hash_tree
from personal_ai.ic import cycles_minting_types as types
from personal_ai.ic import icp_types as icp
from personal_ai.ic.account_identifier import AccountIdentifier, principal_subaccount
from personal_ai.ic.candid import Type, decode, encode
from personal_ai.ic.certificate import Certificate
from personal_ai.ic.icp_types import E8S_PER_ICP, ICP_FEE_E8S
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE, CYCLES_MINTING_CANISTER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.money.blocks import BALANCES as CYCLES
from personal_ai.replica.money.blocks import Account
from personal_ai.replica.money.icp_book import BALANCES as ICP
from personal_ai.replica.money.treasury import DEFAULT_XDR_PERMYRIAD_PER_ICP
from tests.replica.network.inside import NOW_NS, Inside
from tests.replica.network.running import OWNER, TRILLION, identity

ME = OWNER.principal
STRANGER = identity("a stranger").principal
CYCLES_PER_ICP = E8S_PER_ICP * DEFAULT_XDR_PERMYRIAD_PER_ICP


@pytest.fixture(autouse=True)
def funded(inside: Inside) -> None:
    inside.treasury.icp_ledger.fund(ME, 10 * E8S_PER_ICP, NOW_NS)


def pay(inside: Inside, memo: int, whom: Principal = ME, e8s: int = E8S_PER_ICP) -> int:
    """Sends ICP for cycles; gives the block."""
    to = AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, principal_subaccount(whom))
    given = {"memo": memo, "amount": {"e8s": e8s}, "fee": {"e8s": ICP_FEE_E8S}, "to": to.bytes}
    case, block = inside.asked(inside.treasury.icp_ledger, "transfer", (icp.TRANSFER_ARGS, icp.TRANSFER_RESULT), given)
    assert case == "Ok"
    return int(block)


def notify(inside: Inside, method: str, args: Type, result: Type, **fields: Any) -> Any:
    return inside.asked(inside.treasury.cycles_minting, method, (args, result), fields)


def top_up(inside: Inside, block: int, canister_id: Principal) -> Any:
    args = (types.NOTIFY_TOP_UP_ARG, types.NOTIFY_TOP_UP_RESULT)
    return notify(inside, "notify_top_up", *args, block_index=block, canister_id=canister_id)


def create(inside: Inside, block: int, controller: Principal = ME, **fields: Any) -> Any:
    args = (types.NOTIFY_CREATE_CANISTER_ARG, types.NOTIFY_CREATE_CANISTER_RESULT)
    return notify(inside, "notify_create_canister", *args, block_index=block, controller=controller, **fields)


def mint(inside: Inside, block: int, **fields: Any) -> Any:
    args = (types.NOTIFY_MINT_CYCLES_ARG, types.NOTIFY_MINT_CYCLES_RESULT)
    return notify(inside, "notify_mint_cycles", *args, block_index=block, **fields)


def icp_balance(inside: Inside, account: AccountIdentifier | None = None) -> int:
    with inside.store.transaction() as db:
        return ICP.of(db, (account or AccountIdentifier.of(ME)).bytes)


def test_cycles_are_minted_once_per_payment(inside: Inside) -> None:
    block = pay(inside, types.MEMO_MINT_CYCLES)
    expected = {"block_index": 0, "minted": CYCLES_PER_ICP, "balance": CYCLES_PER_ICP - CYCLES_LEDGER_FEE}
    for _ in range(2):
        assert mint(inside, block, deposit_memo=b"first") == ("Ok", expected)
    with inside.store.transaction() as db:
        assert CYCLES.of(db, Account(ME).key) == CYCLES_PER_ICP - CYCLES_LEDGER_FEE
    assert icp_balance(inside, AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, principal_subaccount(ME))) == 0
    assert inside.balanced()


def test_a_canister_is_created_once_and_topped_up(inside: Inside) -> None:
    block = pay(inside, types.MEMO_CREATE_CANISTER)
    case, canister_id = create(inside, block, settings={"freezing_threshold": 7})
    assert case == "Ok"
    assert create(inside, block) == ("Ok", canister_id)
    state = inside.canisters.get(canister_id)
    assert (state.cycles, state.controllers) == (CYCLES_PER_ICP - TRILLION // 2, (ME.bytes,))
    assert state.settings.freezing_threshold_s == 7
    more = pay(inside, types.MEMO_TOP_UP, canister_id)
    for _ in range(2):
        assert top_up(inside, more, canister_id) == ("Ok", CYCLES_PER_ICP)
    assert inside.canisters.get(canister_id).cycles == 2 * CYCLES_PER_ICP - TRILLION // 2
    assert len(inside.store.canisters()) == 1
    assert inside.balanced()


def test_a_payment_serves_one_purpose(inside: Inside) -> None:
    block = pay(inside, types.MEMO_CREATE_CANISTER)
    assert mint(inside, block)[1][0] == "InvalidTransaction"
    assert create(inside, block)[0] == "Ok"
    variant, text = mint(inside, block)[1]
    assert (variant, "already processed" in text) == ("InvalidTransaction", True)


def test_a_top_up_of_nothing_is_paid_back(inside: Inside) -> None:
    before = icp_balance(inside)
    block = pay(inside, types.MEMO_TOP_UP, STRANGER)
    for _ in range(2):
        case, (variant, refund) = top_up(inside, block, STRANGER)
        assert (case, variant, refund["block_index"]) == ("Err", "Refunded", block + 1)
    # the transfer there, the transfer back, and twice the fee for the trouble
    assert icp_balance(inside) == before - 4 * ICP_FEE_E8S
    assert inside.balanced()


@pytest.mark.parametrize(
    ("e8s", "fields"),
    [
        (E8S_PER_ICP // 10, {}),
        (E8S_PER_ICP, {"subnet_type": "fiduciary"}),
        (E8S_PER_ICP, {"subnet_selection": ("Subnet", {"subnet": STRANGER})}),
        (E8S_PER_ICP, {"settings": {"compute_allocation": 101}}),
    ],
)
def test_a_creation_that_fails_is_paid_back(inside: Inside, e8s: int, fields: dict[str, Any]) -> None:
    before = icp_balance(inside)
    block = pay(inside, types.MEMO_CREATE_CANISTER, e8s=e8s)
    case, (variant, refund) = create(inside, block, **fields)
    assert (case, variant, refund["block_index"]) == ("Err", "Refunded", block + 1)
    assert icp_balance(inside) == before - 6 * ICP_FEE_E8S
    assert not inside.store.canisters()
    assert create(inside, block, **fields) == (case, (variant, refund))
    assert inside.balanced()


def test_a_payment_with_a_memo_that_means_nothing_goes_back(inside: Inside) -> None:
    before = icp_balance(inside)
    block = pay(inside, 42)
    first = mint(inside, block)
    assert first[1][0] == "Refunded"
    assert mint(inside, block) == first
    assert create(inside, block)[1][1]["block_index"] == block + 1
    assert icp_balance(inside) == before - 2 * ICP_FEE_E8S
    assert inside.balanced()


def test_too_little_to_send_back_is_burned(inside: Inside) -> None:
    block = pay(inside, types.MEMO_CREATE_CANISTER, e8s=5 * ICP_FEE_E8S)
    assert create(inside, block)[1] == (
        "Refunded",
        {"reason": create(inside, block)[1][1]["reason"], "block_index": None},
    )
    assert inside.balanced()


def test_what_is_no_payment(inside: Inside) -> None:
    block = pay(inside, types.MEMO_MINT_CYCLES, STRANGER)
    for wrong in (0, block, block + 1, (1 << 64) - 1):
        assert mint(inside, wrong)[1][0] == "InvalidTransaction"
    assert create(inside, block, controller=STRANGER)[1][0] == "Other"
    assert mint(inside, block, deposit_memo=bytes(33))[1][0] == "Other"
    both: dict[str, Any] = {"subnet_type": "x", "subnet_selection": ("Filter", {"subnet_type": None})}
    assert create(inside, block, **both)[1][0] == "Other"


def test_the_rate_is_certified(inside: Inside) -> None:
    minting = inside.treasury.cycles_minting
    reply = minting.query(inside.call(minting.id, "get_icp_xdr_conversion_rate", encode([], [])), NOW_NS)
    answer = decode([types.CONVERSION_RATE_RESPONSE], reply)[0]
    assert answer["data"]["xdr_permyriad_per_icp"] == DEFAULT_XDR_PERMYRIAD_PER_ICP
    certificate = Certificate.verified(
        answer["certificate"], inside.network_keys.root.public_key_der, canister_id=minting.id, now_ns=NOW_NS
    )
    tree = hash_tree.parse(cbor.decode(answer["hash_tree"]))
    assert certificate.value((b"canister", minting.id.bytes, b"certified_data")) == hash_tree.root_hash(tree)
    found = hash_tree.lookup(tree, (types.CONVERSION_RATE_LABEL,))
    assert isinstance(found, hash_tree.Found)
    assert decode([types.CONVERSION_RATE], found.value)[0] == answer["data"]
