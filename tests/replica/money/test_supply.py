"""No cycle and no e8s appears or vanishes, whatever is done."""

from __future__ import annotations

import random
from contextlib import suppress

from personal_ai.ic import cycles_minting_types as minting
from personal_ai.ic import icp_types as icp
from personal_ai.ic import ledger_types as icrc
from personal_ai.ic.account_identifier import AccountIdentifier, principal_subaccount
from personal_ai.ic.icp_types import E8S_PER_ICP, ICP_FEE_E8S
from personal_ai.ic.ledger_types import CYCLES_MINTING_CANISTER_ID
from personal_ai.ic.principal import Principal
from personal_ai.replica.calls import CallRejected
from tests.replica.network.inside import NOW_NS, SECOND_NS, Inside
from tests.replica.network.running import TRILLION, identity

PEOPLE = [identity(name).principal for name in ("first", "second", "third")]


class Play:
    """People who send, convert, create and top up at random, sensibly or not."""

    def __init__(self, inside: Inside, seed: int) -> None:
        self.inside, self.random = inside, random.Random(seed)

    def canister(self) -> Principal:
        known = [Principal(state.id) for state in self.inside.store.canisters()]
        return self.random.choice([*known, PEOPLE[0]])

    def step(self) -> None:
        move = self.random.choice(
            [self.send_icp, self.send_cycles, self.withdraw, self.create, self.convert, self.rent]
        )
        with suppress(CallRejected):
            move(self.random.choice(PEOPLE))

    def send_icp(self, who: Principal) -> None:
        to = {"owner": self.random.choice([*PEOPLE, icp.GOVERNANCE_ID])}
        fields = {"to": to, "amount": self.random.choice([0, 1, E8S_PER_ICP, 1 << 70])}
        self.inside.asked(
            self.inside.treasury.icp_ledger, "icrc1_transfer", (icrc.TRANSFER_ARGS, icrc.TRANSFER_RESULT), fields, who
        )

    def send_cycles(self, who: Principal) -> None:
        fields = {"to": {"owner": self.random.choice(PEOPLE)}, "amount": self.random.choice([0, 7, TRILLION, 1 << 120])}
        self.inside.asked(self.inside.ledger, "icrc1_transfer", (icrc.TRANSFER_ARGS, icrc.TRANSFER_RESULT), fields, who)

    def withdraw(self, who: Principal) -> None:
        fields = {"to": self.canister(), "amount": self.random.choice([0, 10**6, TRILLION])}
        self.inside.asked(self.inside.ledger, "withdraw", (icrc.WITHDRAW_ARGS, icrc.WITHDRAW_RESULT), fields, who)

    def create(self, who: Principal) -> None:
        fields = {"amount": self.random.choice([5, TRILLION // 4, TRILLION])}
        self.inside.asked(
            self.inside.ledger, "create_canister", (icrc.CREATE_CANISTER_ARGS, icrc.CREATE_CANISTER_RESULT), fields, who
        )

    def convert(self, who: Principal) -> None:
        """Pays the minting canister with a memo that may not fit, and notifies twice."""
        canister, treasury = self.canister(), self.inside.treasury
        method, memo, whom, args, result, more = self.random.choice(
            [
                ("notify_top_up", minting.MEMO_TOP_UP, canister, minting.NOTIFY_TOP_UP_ARG,
                 minting.NOTIFY_TOP_UP_RESULT, {"canister_id": canister}),
                ("notify_mint_cycles", minting.MEMO_MINT_CYCLES, who, minting.NOTIFY_MINT_CYCLES_ARG,
                 minting.NOTIFY_MINT_CYCLES_RESULT, {}),
                ("notify_create_canister", minting.MEMO_CREATE_CANISTER, who, minting.NOTIFY_CREATE_CANISTER_ARG,
                 minting.NOTIFY_CREATE_CANISTER_RESULT, {"controller": who}),
            ]
        )  # fmt: skip
        to = AccountIdentifier.of(CYCLES_MINTING_CANISTER_ID, principal_subaccount(whom))
        e8s = self.random.choice([1, 3 * ICP_FEE_E8S, E8S_PER_ICP // 5, E8S_PER_ICP])
        fields = {"memo": self.random.choice([memo, memo, 1]), "amount": {"e8s": e8s}, "to": to.bytes}
        case, block = self.inside.asked(
            treasury.icp_ledger, "transfer", (icp.TRANSFER_ARGS, icp.TRANSFER_RESULT),
            {**fields, "fee": {"e8s": ICP_FEE_E8S}}, who,
        )  # fmt: skip
        if case == "Ok":
            first, again = (
                self.inside.asked(treasury.cycles_minting, method, (args, result), {"block_index": block, **more}, who)
                for _ in range(2)
            )
            assert again == first

    def rent(self, _: Principal) -> None:
        self.inside.clock.time_ns += self.random.randrange(5_000) * SECOND_NS
        with self.inside.store.transaction():
            for state in self.inside.store.canisters():
                self.inside.accounts.charge(state.id, self.random.randrange(10**6), self.inside.clock.now_ns())


def test_everything_is_accounted_for_after_every_step(inside: Inside) -> None:
    for person in PEOPLE:
        inside.treasury.icp_ledger.fund(person, 20 * E8S_PER_ICP, NOW_NS)
        inside.ledger.fund(person, 5 * TRILLION, NOW_NS)
    play = Play(inside, seed=5)
    for _ in range(150):
        play.step()
        assert inside.balanced()
    audit = inside.treasury.supply.audit()
    assert len(inside.store.canisters()) > 3
    assert {"faucet", "converted", "ledger fees", "creations", "execution"} <= audit.cycles.keys()


def test_a_cycle_out_of_nothing_is_found(inside: Inside) -> None:
    inside.ledger.fund(PEOPLE[0], TRILLION, NOW_NS)
    with inside.store.transaction() as db:
        db.execute("UPDATE ledger_balance SET cycles = ?", (str(TRILLION + 1),))
    assert inside.treasury.supply.audit().unaccounted_cycles == 1


def test_an_e8s_out_of_nothing_is_found(inside: Inside) -> None:
    inside.treasury.icp_ledger.fund(PEOPLE[0], 5, NOW_NS)
    with inside.store.transaction() as db:
        db.execute("UPDATE icp_balance SET e8s = '4'")
    assert inside.treasury.supply.audit().unaccounted_e8s == 1
