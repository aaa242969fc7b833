"""What goes into an execution and what comes out of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Entry(enum.Enum):
    """The kinds of entry points. START only ever runs within an installation."""

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
class OutgoingCall:
    """A one-way call of a canister, with cycles attached, which are no longer its own."""

    callee: bytes
    method: str
    arg: bytes
    cycles: int


@dataclass(frozen=True, slots=True)
class Message:
    """One call of an entry point. `method` is for UPDATE, QUERY and INSPECT; `arg` is what msg_arg_data shows.

    An UPDATE may name a query method: it then runs replicated and changes nothing.
    liquid_cycles: what the canister may send away, above its freezing limit and what is put aside for the message;
    None where all that it has counts.
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
    liquid_cycles: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a message. Of `reply` and `reject` at most one is set; `accepted` is for INSPECT.

    instructions: everything that counts against the limit, page touches included.
    pages_touched, pages_dirtied: Wasm pages of 64 KiB, heap and stable, read or written, and written.
    calls: to be carried out by whoever commits the message.
    committed: the message's effects are in the state now.
    """

    reply: bytes | None = None
    reject: Reject | None = None
    accepted: bool = False
    instructions: int = 0
    pages_touched: int = 0
    pages_dirtied: int = 0
    debug_lines: tuple[bytes, ...] = ()
    cycles_accepted: int = 0
    cycles_burned: int = 0
    calls: tuple[OutgoingCall, ...] = ()
    committed: bool = False
