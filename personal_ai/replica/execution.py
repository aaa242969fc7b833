"""Running messages: each on a fresh instance over the committed memory, all of its effects or none."""

from __future__ import annotations

import enum
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field

from personal_ai.replica.canister import CanisterState
from personal_ai.replica.state import StateStore


class Entry(enum.Enum):
    INIT = "init"
    UPDATE = "update"
    QUERY = "query"
    INSPECT = "inspect"
    PRE_UPGRADE = "pre_upgrade"
    POST_UPGRADE = "post_upgrade"
    TIMER = "timer"
    HEARTBEAT = "heartbeat"
    START = "start"


class InstallMode(enum.Enum):
    INSTALL = "install"
    REINSTALL = "reinstall"
    UPGRADE = "upgrade"


class RejectCode(enum.IntEnum):
    SYS_FATAL = 1
    SYS_TRANSIENT = 2
    DESTINATION_INVALID = 3
    CANISTER_REJECT = 4
    CANISTER_ERROR = 5
    SYS_UNKNOWN = 6


@dataclass(frozen=True, slots=True)
class Reject:
    """Why a message got no reply. `error_code` like IC0503."""

    code: RejectCode
    message: str
    error_code: str


@dataclass(frozen=True, slots=True)
class Message:
    """One call of an entry point. `method` for UPDATE, QUERY and INSPECT; `arg` is what msg_arg_data shows.

    An UPDATE may name a query method: it then runs replicated and changes nothing.
    """

    entry: Entry
    caller: bytes
    arg: bytes
    time_ns: int
    instruction_limit: int
    replicated: bool
    method: str = ""
    cycles_available: int = 0
    data_certificate: bytes | None = None  # only for queries
    root_key: bytes = b""  # DER


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a message. Of `reply` and `reject` at most one is set; `accepted` is for INSPECT.

    instructions: everything that counts against the limit, page touches included.
    """

    reply: bytes | None = None
    reject: Reject | None = None
    accepted: bool = False
    instructions: int = 0
    pages_touched: int = 0  # Wasm pages of 64 KiB, heap and stable, read or written
    pages_dirtied: int = 0
    debug_lines: tuple[bytes, ...] = ()
    cycles_accepted: int = 0
    cycles_burned: int = 0
    committed: bool = False
    system_calls: dict[str, int] = field(default_factory=dict)


Record = Callable[[sqlite3.Connection, Outcome], None]


class Executor:
    """Runs messages and installs modules on the canisters of `store`. Safe to use from several threads.

    Never call it inside `store.transaction()`: what must be atomic with a message goes into its `record`, which
    is called in the transaction that commits the message (for an outcome that changes nothing: in one of its own).
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def execute(self, canister_id: bytes, message: Message, record: Record | None = None) -> Outcome:
        """Runs one message; a canister's failure is an outcome, never an exception."""
        raise NotImplementedError

    def install(
        self,
        canister_id: bytes,
        wasm: bytes,
        mode: InstallMode,
        message: Message,
        *,
        keep_memory: bool | None = None,
        skip_pre_upgrade: bool = False,
        record: Record | None = None,
    ) -> Outcome:
        """Installs or upgrades as one atomic unit: pre_upgrade, new instance, start, init or post_upgrade.

        message: its caller, arg, time_ns and instruction_limit hold for all steps together; its entry is not looked at.
        keep_memory: wasm_memory_persistence = keep (True), replace (False), not given (None).
        """
        raise NotImplementedError

    def uninstall(self, canister_id: bytes, record: Record | None = None) -> CanisterState:
        """Removes code, memories, certified data and timer; cycles, settings and controllers stay."""
        raise NotImplementedError

    def metadata(self, canister_id: bytes) -> dict[str, tuple[bool, bytes]]:
        """Custom sections `icp:public NAME` and `icp:private NAME`: name -> (public, content)."""
        raise NotImplementedError
