"""What every function of the system interface builds on: counting, memory access with bounds, effects held back."""

from __future__ import annotations

from dataclasses import dataclass, field

from personal_ai.ic.profile import CostTable, Limits
from personal_ai.replica.canister import CanisterState
from personal_ai.replica.instance import Instance
from personal_ai.replica.messages import Message, OutgoingCall, Reject, RejectCode
from personal_ai.replica.stable import StableMemory

PAGE_COST = 80_000  # instructions for the first access to a page of 64 KiB, and again for its first write


class CanisterFailure(Exception):
    """A message has failed; `reject` says how. The first digit of the error code is the reject code."""

    def __init__(self, error_code: str, message: str) -> None:
        super().__init__(message)
        self.reject = Reject(RejectCode(int(error_code[3])), message, error_code)


def trapped(message: str) -> CanisterFailure:
    return CanisterFailure("IC0502", f"Canister trapped: {message}")


def violated(message: str) -> CanisterFailure:
    return CanisterFailure("IC0504", f"Canister violated contract: {message}")


@dataclass
class Effects:
    """What the entry point did besides changing memory."""

    reply: bytes | None = None
    reject_message: str | None = None
    accepted: bool = False
    certified_data: bytes | None = None
    global_timer_ns: int | None = None
    cycles_accepted: int = 0
    cycles_burned: int = 0
    cycles_sent: int = 0
    calls: list[OutgoingCall] = field(default_factory=list)
    debug_lines: list[bytes] = field(default_factory=list)

    @property
    def responded(self) -> bool:
        return self.reply is not None or self.reject_message is not None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every canister of a network sees alike: the root key (DER), the subnet's principal, prices, limits.

    callees: the ids of the canisters that may be called.
    """

    root_key_der: bytes = b""
    subnet_id: bytes = b""
    costs: CostTable = field(default_factory=CostTable)
    limits: Limits = field(default_factory=Limits)
    callees: frozenset[bytes] = frozenset()


class Context:
    """One running entry point: its instance, memories, message and the effects so far. Raises CanisterFailure."""

    def __init__(
        self,
        instance: Instance,
        stable: StableMemory,
        state: CanisterState,
        message: Message,
        *,
        place: str,
        around: Surroundings,
    ) -> None:
        self.instance, self.stable, self.state, self.message, self.around = instance, stable, state, message, around
        self.place = place  # as in `wasm.ic0`
        self.effects = Effects()
        self.failure: BaseException | None = None
        self.reply_data = bytearray()
        self.pages_before = (0, 0)  # touched and written by others
        instance.counter = message.instruction_limit

    # ---- counting

    def charge(self, instructions: int) -> None:
        """Takes instructions from the counter."""
        left = self.instance.counter - instructions
        self.instance.counter = left
        if left < 0:
            raise self.out_of_instructions()

    def pages(self, *, running: bool = False) -> tuple[int, int]:
        """How many Wasm pages of heap and stable memory were touched and how many of them written."""
        heap = self.instance.touched(running=running)
        touched = len(self.stable.touched) - self.pages_before[0]
        written = len(self.stable.written) - self.pages_before[1]
        if heap is None:
            return touched, written
        return touched + int(heap.accessed.sum()), written + int(heap.written.sum())

    def instructions(self, *, running: bool = False) -> int:
        """Everything counted so far, page touches included; may lie above the limit."""
        return self.message.instruction_limit - self.instance.counter + PAGE_COST * sum(self.pages(running=running))

    def out_of_instructions(self) -> CanisterFailure:
        limit = self.message.instruction_limit
        text = f"Canister exceeded the limit of {limit} instructions for single message execution."
        return CanisterFailure("IC0522", text)

    # ---- helpers

    def read(self, source: int, size: int) -> bytes:
        self.charge(size)
        if not self.instance.holds(source, size):
            raise trapped("heap out of bounds")
        return self.instance.read(source, size)

    def write(self, target: int, content: bytes) -> None:
        self.charge(len(content))
        if not self.instance.holds(target, len(content)):
            raise trapped("heap out of bounds")
        self.instance.write(target, content)

    def copy(self, content: bytes, target: int, offset: int, size: int) -> None:
        if offset + size > len(content):
            raise violated(f"{size} bytes from {offset} on were asked for, of {len(content)}")
        self.write(target, content[offset : offset + size])

    def write_cycles(self, target: int, cycles: int) -> None:
        self.write(target, cycles.to_bytes(16, "little"))
