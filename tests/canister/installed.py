"""The real canister module on the practice network's executor, without the network around it."""

from __future__ import annotations

from pathlib import Path

from personal_ai.canister.client import CanisterClient
from personal_ai.common.errors import RejectedError
from personal_ai.common.jobs import Cancel
from personal_ai.common.paths import resource
from personal_ai.ic.principal import Principal
from personal_ai.replica.canister import CanisterSettings
from personal_ai.replica.execution import Entry, Executor, InstallMode, Message, Outcome
from personal_ai.replica.state import StateStore

OWNER = Principal(b"\x01" * 29)
STRANGER = Principal(b"\x02" * 29)
ANONYMOUS = Principal(b"\x04")
UPDATE_LIMIT = 40_000_000_000
QUERY_LIMIT = 5_000_000_000
INSTALL_LIMIT = 300_000_000_000


class Trapped(AssertionError):
    """A message ended in a trap: no request to this canister may."""


class Network:
    """Where canisters are put; a module is compiled once for all of them."""

    def __init__(self, folder: Path) -> None:
        self.store = StateStore(folder)
        self.executor = Executor(self.store)
        self._count = 0

    def canister(self, wasm: bytes | None = None, settings: CanisterSettings | None = None) -> Installed:
        """A new canister with the committed module, or another."""
        self._count += 1
        return Installed(self, self._count, wasm or resource("canister.wasm").read_bytes(), settings)


class Installed:
    """One canister and its owner. `caller` may be changed; `calls` lists what every message used, `installed` what the
    first installation did.

    A timer that is due fires before each query, unless `timers` is False.
    """

    def __init__(self, network: Network, number: int, wasm: bytes, settings: CanisterSettings | None = None) -> None:
        self.id = Principal(number.to_bytes(8, "big") + b"\x01\x01")
        self.executor = network.executor
        self.store = network.store
        self.caller = OWNER
        self.update_limit = UPDATE_LIMIT
        self.timers = True
        self.calls: list[tuple[str, Outcome]] = []
        self.wasm = wasm
        settings = settings or CanisterSettings(wasm_memory_limit=4 << 30)
        network.store.create_canister(self.id.bytes, [OWNER.bytes, ANONYMOUS.bytes], settings, 10**15)
        self.installed = self.install(InstallMode.INSTALL)
        assert self.installed.reject is None, self.installed.reject

    @property
    def client(self) -> CanisterClient:
        return CanisterClient(self, self.id)

    def install(self, mode: InstallMode, wasm: bytes | None = None) -> Outcome:
        message = Message(Entry.INIT, OWNER.bytes, b"DIDL\0\0", 1, INSTALL_LIMIT, replicated=True)
        return self.executor.install(self.id.bytes, wasm or self.wasm, mode, message)

    def upgrade(self) -> None:
        outcome = self.install(InstallMode.UPGRADE)
        assert outcome.reject is None, outcome.reject

    def fire_timer(self) -> Outcome | None:
        """Runs the timer if it is due."""
        state = self.store.canister(self.id.bytes)
        assert state is not None
        if state.global_timer_ns == 0:
            return None
        message = Message(Entry.TIMER, b"", b"", 1, UPDATE_LIMIT, replicated=True)
        outcome = self.executor.execute(self.id.bytes, message)
        self.calls.append(("canister_global_timer", outcome))
        return outcome

    def query(self, canister_id: Principal, method: str, arg: bytes) -> bytes:
        if self.timers:
            outcome = self.fire_timer()
            assert outcome is None or outcome.reject is None, outcome
        return self._run(Entry.QUERY, method, arg, QUERY_LIMIT, replicated=False)

    def update(self, canister_id: Principal, method: str, arg: bytes, *, cancel: Cancel | None = None) -> bytes:
        return self._run(Entry.UPDATE, method, arg, self.update_limit, replicated=True)

    def inspect(self, method: str, arg: bytes = b"") -> bool:
        """Whether a message from outside would be let in."""
        message = Message(Entry.INSPECT, self.caller.bytes, arg, 1, 200_000_000, replicated=False, method=method)
        outcome = self.executor.execute(self.id.bytes, message)
        assert outcome.reject is None, outcome.reject
        return outcome.accepted

    def _run(self, entry: Entry, method: str, arg: bytes, limit: int, *, replicated: bool) -> bytes:
        message = Message(entry, self.caller.bytes, arg, 1, limit, replicated=replicated, method=method)
        outcome = self.executor.execute(self.id.bytes, message)
        self.calls.append((method, outcome))
        if outcome.reject is None:
            assert outcome.reply is not None
            return outcome.reply
        if outcome.reject.code == 5:
            raise Trapped(f"{method}: {outcome.reject.message}")
        raise RejectedError(
            outcome.reject.message, reject_code=outcome.reject.code, reject_message=outcome.reject.message
        )
