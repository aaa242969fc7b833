"""A private person's way from some ICP to a model in a canister of their own, on a practice network in this process.

`World.endure` lives through it with troubles, starting the program again after each stop until it has got there.
The judge is the network alone: its ledgers, its canisters and its audit, held against a way without troubles.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from personal_ai.app.funding import purchase, take_bought
from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments.creation import Creation
from personal_ai.deployments.deployer import Deployer
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.plan import contents_of, plan
from personal_ai.deployments.prepayment import needs, provide
from personal_ai.ic.account_identifier import AccountIdentifier
from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_ledger import IcpLedger
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.identity import Identity
from personal_ai.ic.ledger_types import CYCLES_LEDGER_FEE
from personal_ai.ic.ledgers import CyclesLedger
from personal_ai.ic.profile import practice
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.package import ModelPackage
from personal_ai.replica.clock import Clock
from personal_ai.replica.network import Network
from personal_ai.wallet.wallet import Wallet
from tests.faults.troubles import (
    Fault,
    Stopped,
    TroubledJournal,
    TroubledPayments,
    TroubledTransport,
    Troubles,
    VirtualClock,
)
from tests.replica.network.running import identity
from tests.support.checkpoints import Shape, write_checkpoint
from tests.wallet.conftest import InProcess

LIVES_MOST = 8
DAY_AND_AN_HOUR_S = 25 * 3600
_A_WHILE_S = 300  # between the later lives: messages that are under way expire
_ID = "aa" * 16
_MEMORY = Path("/dev/shm")
_PURSE_E8S = 100 * E8S_PER_ICP


Way = tuple[bool, bool]


@dataclass(frozen=True)
class Case:
    """plan: what goes wrong at which point. rest_s: until the second life.

    whole: beyond the creation, to the end. bought: ICP buy the canister itself; else some cycles lie on the account
    already, and ICP bring what is lacking.
    """

    plan: tuple[tuple[int, Fault], ...] = ()
    rest_s: int = 0
    whole: bool = True
    bought: bool = False

    @property
    def way(self) -> Way:
        return self.whole, self.bought


@dataclass(frozen=True)
class Verdict:
    """How a case ended, as the network tells it. points: how many there were. left: on the ledgers (cycles, e8s)."""

    points: int
    finished: bool
    canisters: int
    left: tuple[int, int]
    unaccounted: tuple[int, int]
    corrupt: bool


class World:
    """A network, a clock and a small model; each case comes with a person of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock()
        self._folder = folder
        self._network = Network(folder / "network", clock=Clock(self.clock.now_ns))
        checkpoint = write_checkpoint(folder / "checkpoint", Shape())
        self._package: ModelPackage = import_folder(checkpoint, Library(folder / "library"))
        self._profile = practice("http://127.0.0.1:1", self._network.keys.root.public_key_der)
        self._cases = 0
        self._program: bytes | None = None

    def close(self) -> None:
        self._network.close()

    def endure(self, case: Case) -> Verdict:
        """The whole story of one person."""
        self._cases += 1
        who = identity(f"person {self._cases}")
        self._network.fund_icp(who.principal, _PURSE_E8S)
        if not case.bought:
            self._network.fund(who.principal, CYCLES_LEDGER_FEE)
        troubles = Troubles(dict(case.plan))
        with tempfile.TemporaryDirectory(dir=self._folder) as home:
            finished = self._lives(who, Path(home), troubles, case)
            return self._judged(who, troubles, case, finished=finished)

    def _lives(self, who: Identity, home: Path, troubles: Troubles, case: Case) -> bool:
        for life in range(LIVES_MOST):
            if life:
                self.clock.advance(case.rest_s if life == 1 else _A_WHILE_S)
            troubles.begin_life()
            try:
                self._live(who, home, troubles, case)
            except (Stopped, UserFacingError):
                continue
            return True
        return False

    def _live(self, who: Identity, home: Path, troubles: Troubles, case: Case) -> None:
        """One life of the program: it goes on with what was begun, pays what is lacking, and deploys."""
        clock_ns = lambda: self.clock.now_ns() + troubles.skew_ns  # noqa: E731
        transport = TroubledTransport(InProcess(self._network), troubles)
        with (
            closing(Agent(self._profile, who, transport, clock_ns=clock_ns)) as agent,
            closing(TroubledPayments(home / "payments.sqlite", troubles, clock_ns)) as payments,
            closing(TroubledJournal(home / "deployments.sqlite", troubles)) as journal,
        ):
            wallet = Wallet(agent, payments)
            for payment in wallet.open_payments():
                wallet.go_on(payment)
            if not journal.deployments():
                journal.begin(self._deployment(who))
            bill = plan(self._profile, contents_of(self._package)).total
            self._pay(wallet, Creation(journal, agent, _ID), bill)
            self._deploy(journal, agent, bill, case)

    @staticmethod
    def _pay(wallet: Wallet, creation: Creation, bill: int) -> None:
        if take_bought(wallet, creation):
            return
        payment = purchase(wallet, needs(creation.agent, bill))
        if payment is not None:
            wallet.pay(payment)
            take_bought(wallet, creation)

    def _deploy(self, journal: Journal, agent: Agent, bill: int, case: Case) -> None:
        directory = None if case.bought else self._network.canisters_of  # what ICP bought is found without one
        if case.whole:
            programs = self._folder / "programs"
            deployer = Deployer(journal, agent, self._package, programs, directory=directory)
            deployer.run(_ID, ignore_progress, Cancel())
            return
        creation = Creation(journal, agent, _ID, directory)
        if not creation.begun:
            provide(agent, bill, None)
        creation.run(bill, Cancel())

    def _deployment(self, who: Identity) -> Deployment:
        package, state = self._package, DeploymentState.RUNNING
        return Deployment(_ID, "Rowan", "practice", str(who.principal), package.name, package.manifest_sha256, state, 1)

    def _judged(self, who: Identity, troubles: Troubles, case: Case, *, finished: bool) -> Verdict:
        canisters = self._network.canisters_of(who.principal)
        audit = self._network.audit()
        with closing(Agent(self._profile, who, InProcess(self._network), clock_ns=self.clock.now_ns)) as agent:
            left = (
                CyclesLedger(agent).balance(who.principal),
                IcpLedger(agent).balance(AccountIdentifier.of(who.principal)),
            )
            corrupt = case.whole and finished and not self._answers(CanisterClient(agent, canisters[0]))
        return Verdict(
            points=len(troubles.points),
            finished=finished,
            canisters=len(canisters),
            left=left,
            unaccounted=(audit.unaccounted_cycles, audit.unaccounted_e8s),
            corrupt=corrupt,
        )

    def _answers(self, client: CanisterClient) -> bool:
        """Whether the model is active, in the heap, and byte for byte the program that was compiled here."""
        if self._program is None:
            (path,) = (self._folder / "programs").glob("*.program")
            self._program = path.read_bytes()
        model = client.status().model
        return model is not None and model.loaded is not None and client.read_file("program") == self._program


@contextmanager
def world() -> Iterator[World]:
    """In memory where the computer has such a folder: what is stopped here is the program, not the computer."""
    with (
        tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder,
        closing(World(Path(folder))) as opened,
    ):
        yield opened
