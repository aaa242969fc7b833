"""Another engine on the practice network: taken, refused, and gone on with from every point it can be stopped at."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import CanisterRefusedError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.common.paths import resource
from personal_ai.deployments import health, snapshots
from personal_ai.deployments.journal import Journal
from personal_ai.deployments.plan import CANISTER_WASM
from personal_ai.deployments.upgrade import Question, Upgrade, UpgradeFailedError, impatient
from personal_ai.ic.leb128 import unsigned
from tests.deployments.conftest import DEPLOYMENT_ID, Placed

WITHOUT_METHODS = b"\0asm\1\0\0\0"


def engine(number: int) -> bytes:
    """The real engine under another hash: it carries a section more."""
    content = b"\4name" + bytes([number])
    return resource(CANISTER_WASM).read_bytes() + b"\0" + unsigned(len(content)) + content


def ask(placed: Placed) -> Question:
    return lambda client, cancel: health.ask(client, placed.deployer.package, cancel)


def upgrade(placed: Placed, wasm: bytes, *, journal: Journal | None = None, question: Question | None = None) -> bool:
    change = Upgrade(journal or placed.journal, placed.canister, wasm, question or ask(placed))
    return change.run(DEPLOYMENT_ID, ignore_progress, Cancel())


def answers(placed: Placed) -> bool:
    health.ask(placed.canister.client, placed.deployer.package, Cancel())
    return True


def test_a_new_engine_is_taken_and_the_model_answers_from_it(placed: Placed) -> None:
    before = placed.deployment.module_hash
    assert not upgrade(placed, resource(CANISTER_WASM).read_bytes()), "it runs that one already"
    assert upgrade(placed, engine(1))
    after = placed.deployment.module_hash
    assert after != before and placed.canister.agent.module_hash(placed.canister.id) == bytes.fromhex(after or "")
    assert answers(placed) and snapshots.kept(placed.canister) == []
    assert not upgrade(placed, engine(1))


def _dumb(_: CanisterClient, __: Cancel) -> None:
    raise CanisterRefusedError("It says nothing.", variant="unhealthy")


@pytest.mark.parametrize(
    ("wasm", "question"),
    [(WITHOUT_METHODS, None), (b"\0asm is not all of it", None), (engine(2), _dumb)],
    ids=["no methods", "no module", "no answer"],
)
def test_an_engine_that_does_not_answer_is_taken_back(placed: Placed, wasm: bytes, question: Question | None) -> None:
    before = placed.canister.agent.module_hash(placed.canister.id)
    with pytest.raises(UpgradeFailedError, match="did not answer"):
        upgrade(placed, wasm, question=question)
    assert placed.canister.agent.module_hash(placed.canister.id) == before
    assert before is not None and placed.deployment.module_hash == before.hex()
    assert answers(placed) and snapshots.kept(placed.canister) == []


def test_a_network_that_is_away_is_no_reason_to_go_back(placed: Placed) -> None:
    def away(_: CanisterClient, __: Cancel) -> None:
        raise NetworkUnreachableError("No gateway answers.")

    with pytest.raises(NetworkUnreachableError):
        upgrade(placed, engine(3), question=away)
    assert len(snapshots.kept(placed.canister)) == 1
    assert upgrade(placed, engine(3)) and answers(placed)
    assert snapshots.kept(placed.canister) == []


def test_an_engine_that_stands_still_is_not_waited_for() -> None:
    now_s = [0.0]
    heard: list[Progress] = []
    report = impatient(heard.append, lambda: now_s[0])
    for now_s[0], done in ((500.0, 0), (1000.0, 5), (1500.0, 5)):
        report(Progress("Loading the model", done, 9, "bytes"))
    assert len(heard) == 3
    now_s[0] = 1700.0
    with pytest.raises(CanisterRefusedError, match="does not get on"):
        report(heard[-1])


class Killed(BaseException):
    """Stands for a SIGKILL: nothing handles it."""


class _Doomed(Journal):
    """Dies before or after its write of a number."""

    def __init__(self, path: Path, at: int, *, after: bool) -> None:
        super().__init__(path)
        self._left, self._after = at, after

    def _count(self, write: Any) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Killed
        write()
        if self._left < 0:
            raise Killed

    def intend(self, *names: str, **fields: Any) -> None:
        self._count(partial(super().intend, *names, **fields))

    def finish(self, *names: str, **fields: Any) -> None:
        self._count(partial(super().finish, *names, **fields))

    def set_module_hash(self, *values: str) -> None:
        self._count(partial(super().set_module_hash, *values))


WRITES = 9  # upgrade, snapshot twice, install, module hash, install, check twice, upgrade
FAILING_WRITES = 10  # upgrade, snapshot twice, install, check twice, back twice with the old hash between, upgrade


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_at_any_write_it_goes_on(placed: Placed, after: bool) -> None:
    upgrade(placed, engine(2))
    for at in range(WRITES):
        wasm = engine(1 + at % 2)
        doomed = _Doomed(placed.folder / "deployments.sqlite", at, after=after)
        with pytest.raises(Killed):
            upgrade(placed, wasm, journal=doomed)
        doomed.close()
        finished = at == WRITES - 1 and after
        assert upgrade(placed, wasm) is not finished, at
        assert snapshots.kept(placed.canister) == [], at
    assert answers(placed)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_killed_while_it_fails_it_still_goes_back(placed: Placed, after: bool) -> None:
    before = placed.canister.agent.module_hash(placed.canister.id)
    for at in range(FAILING_WRITES):
        doomed = _Doomed(placed.folder / "deployments.sqlite", at, after=after)
        with pytest.raises(Killed):
            upgrade(placed, b"\0asm is not all of it", journal=doomed)
        doomed.close()
        with pytest.raises(UpgradeFailedError):
            upgrade(placed, b"\0asm is not all of it")
        assert placed.canister.agent.module_hash(placed.canister.id) == before, at
        assert snapshots.kept(placed.canister) == [], at
    assert answers(placed)
