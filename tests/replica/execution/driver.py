"""Drives canisters on an executor without a network around them."""

from __future__ import annotations

import struct
from pathlib import Path

import wasmtime

from personal_ai.replica.canister import CanisterSettings, CanisterState
from personal_ai.replica.execution import Entry, Executor, InstallMode, Message, Outcome, Record, Surroundings
from personal_ai.replica.state import StateStore

CANISTER = b"\x00\x00\x00\x00\x00\x00\x00\x01\x01\x01"
OWNER = b"\x01" * 29
STRANGER = b"\x04"
CYCLES = 10**12
NOW_NS = 1_800_000_000_000_000_000
UPDATE_LIMIT = 40_000_000_000
QUERY_LIMIT = 5_000_000_000
INSTALL_LIMIT = 300_000_000_000


def numbers(*values: int) -> bytes:
    """The echo canister's arguments and replies: little-endian 64-bit numbers."""
    return struct.pack(f"<{len(values)}Q", *values)


def number(outcome: Outcome) -> int:
    """The one number that a message replied."""
    assert outcome.reply is not None, outcome.reject
    return int.from_bytes(outcome.reply, "little")


def error_code(outcome: Outcome) -> str | None:
    return None if outcome.reject is None else outcome.reject.error_code


class Driver:
    """One store, one executor and one canister, empty at first; `reopen` is a restart of the process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open()
        self.store.create_canister(CANISTER, [OWNER], CanisterSettings(), CYCLES)

    def _open(self) -> None:
        self.store = StateStore(self.folder)
        self.executor = Executor(self.store, Surroundings(b"root key", b"subnet"))

    def reopen(self) -> Driver:
        self.store.close()
        self._open()
        return self

    @property
    def state(self) -> CanisterState:
        state = self.store.canister(CANISTER)
        assert state is not None
        return state

    def install(
        self,
        wasm: bytes | str,
        mode: InstallMode = InstallMode.INSTALL,
        arg: bytes = b"",
        *,
        limit: int = INSTALL_LIMIT,
        keep_memory: bool | None = None,
        skip_pre_upgrade: bool = False,
        record: Record | None = None,
    ) -> Outcome:
        content = bytes(wasmtime.wat2wasm(wasm)) if isinstance(wasm, str) else wasm
        message = Message(Entry.INIT, OWNER, arg, NOW_NS, limit, replicated=True)
        return self.executor.install(
            CANISTER,
            content,
            mode,
            message,
            keep_memory=keep_memory,
            skip_pre_upgrade=skip_pre_upgrade,
            record=record,
        )

    def update(
        self,
        method: str,
        arg: bytes = b"",
        *,
        caller: bytes = OWNER,
        limit: int = UPDATE_LIMIT,
        cycles: int = 0,
        record: Record | None = None,
    ) -> Outcome:
        message = Message(
            Entry.UPDATE, caller, arg, NOW_NS, limit, replicated=True, method=method, cycles_available=cycles
        )
        return self.executor.execute(CANISTER, message, record)

    def query(
        self,
        method: str,
        arg: bytes = b"",
        *,
        caller: bytes = OWNER,
        limit: int = QUERY_LIMIT,
        data_certificate: bytes | None = None,
        record: Record | None = None,
    ) -> Outcome:
        message = Message(
            Entry.QUERY,
            caller,
            arg,
            NOW_NS,
            limit,
            replicated=False,
            method=method,
            data_certificate=data_certificate,
        )
        return self.executor.execute(CANISTER, message, record)

    def inspect(self, method: str, *, caller: bytes = OWNER) -> Outcome:
        message = Message(Entry.INSPECT, caller, b"", NOW_NS, 200_000_000, replicated=False, method=method)
        return self.executor.execute(CANISTER, message)

    def task(self, entry: Entry) -> Outcome:
        """Runs the timer or the heartbeat."""
        return self.executor.execute(CANISTER, Message(entry, b"", b"", NOW_NS, UPDATE_LIMIT, replicated=True))
