"""A wallet on the parts of a practice network, in one process, with a transport that can be told to misbehave."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from personal_ai.ic.agent import Agent
from personal_ai.ic.icp_types import E8S_PER_ICP
from personal_ai.ic.identity import Identity
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import practice
from personal_ai.ic.transport import Request, Response
from personal_ai.replica.endpoints import Answer
from personal_ai.replica.envelope import RequestRefusedError
from personal_ai.replica.network import Network
from personal_ai.replica.read_state import Scope
from personal_ai.wallet.journal import PaymentJournal
from personal_ai.wallet.wallet import Wallet
from tests.replica.network.running import OWNER, TRILLION

Step = Callable[[Request, Callable[[], Response]], Response]


@dataclass
class InProcess:
    """Implements Transport on a network's endpoints. `steps`: one for each call; they may lose it, or its answer."""

    network: Network
    steps: list[Step] = field(default_factory=list)

    def send(self, request: Request, timeout_s: float) -> Response:
        answer = lambda: self._answer(request)  # noqa: E731
        if request.path.endswith("/call") and self.steps:
            return self.steps.pop(0)(request, answer)
        return answer()

    def close(self) -> None:
        pass

    def _answer(self, request: Request) -> Response:
        _, _, _, of, text, kind = request.path.split("/")
        assert request.body is not None
        named = Principal.from_text(text)
        try:
            answer = self._answered(kind, request.body, named, subnet=of == "subnet")
        except RequestRefusedError as error:
            return Response(error.http_status, str(error).encode())
        return Response(answer.status, answer.body)

    def _answered(self, kind: str, body: bytes, named: Principal, *, subnet: bool) -> Answer:
        endpoints = self.network.endpoints
        if kind == "call":
            return endpoints.call(body, named, wait=True)
        if kind == "query":
            return endpoints.query(body, named)
        return endpoints.read_state(body, Scope(subnet=named) if subnet else Scope(canister=named))


@dataclass
class Purse:
    """A funded wallet and all that is around it."""

    network: Network
    transport: InProcess
    agent: Agent
    journal: PaymentJournal
    wallet: Wallet

    def agent_of(self, identity: Identity) -> Agent:
        return Agent(self.agent.profile, identity, InProcess(self.network))

    def balanced(self) -> bool:
        """The oracle: the network's own books."""
        audit = self.network.audit()
        return (audit.unaccounted_cycles, audit.unaccounted_e8s) == (0, 0)


@pytest.fixture
def purse(tmp_path: Path) -> Iterator[Purse]:
    network = Network(tmp_path / "network")
    transport = InProcess(network)
    agent = Agent(practice("http://127.0.0.1:1", network.keys.root.public_key_der), OWNER, transport)
    journal = PaymentJournal(tmp_path / "payments.sqlite")
    network.fund_icp(OWNER.principal, 10 * E8S_PER_ICP)
    network.fund(OWNER.principal, 10 * TRILLION)
    yield Purse(network, transport, agent, journal, Wallet(agent, journal))
    journal.close()
    network.close()
