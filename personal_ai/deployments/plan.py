"""What a deployment costs, itemised, before anything is paid.

Everything follows from the program that is foretold (or was compiled), the engine's measured costs and the profile's
prices; tests deploy to the practice network and hold each item to within 1 % of what it really took.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from personal_ai.canister.heap import heap_need
from personal_ai.canister.instructions import activation_instructions, engine_costs, pace
from personal_ai.canister.upload import CHUNK_SIZE_BYTES
from personal_ai.common.paths import resource
from personal_ai.compiler.compile import Foretold
from personal_ai.compiler.foretelling import foretell
from personal_ai.ic.profile import NetworkProfile
from personal_ai.models.package import ModelPackage

CANISTER_WASM = "canister.wasm"
CYCLES_PER_XDR = 10**12
USD_PER_XDR = 1.37  # late 2026; the rate changes from day to day
STORAGE_DAYS: Final = (30, 90, 365)
DOCUMENTED_STORAGE_PER_GIB_SECOND = 127_000  # what the documentation says; the profile has what the code does

_GIB = 1 << 30
_PAGE_SIZE_BYTES = 65_536
_STORE_PAGES = 7  # of the canister's stable memory, before the chunks (docs/formats/upload.md)
_SECONDS_PER_DAY = 86_400
FREEZING_THRESHOLD_DAYS = 90  # what a new canister is given; the network's own is 30
# A message needs its whole limit in the canister beforehand; several may be on their way at once.
WORKING_CYCLES = 500_000_000_000
_HASH_SIZE_BYTES = 32
_TOKEN_SIZE_BYTES = 4
CALL_INSTRUCTIONS = 4_000_000_000  # what a chat asks of one message


@dataclass(frozen=True, slots=True)
class Replies:
    """The replies that are counted: how many, and the tokens that each reads and writes."""

    count: int = 100
    prompt_tokens: int = 64
    reply_tokens: int = 128


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes into the canister: the module, the upload (program and small files), and what the program is."""

    wasm_bytes: int
    upload_bytes: int
    program: Foretold


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the bill."""

    what: str
    cycles: int


def usd(cycles: int) -> float:
    """Cycles in dollars, at a rate that changes from day to day."""
    return cycles / CYCLES_PER_XDR * USD_PER_XDR


@dataclass(frozen=True, slots=True)
class Plan:
    """The bill of one deployment.

    items: create, install, upload, verify, storage (of `days`), replies; and the reserve, which must lie in the
    canister for its messages and its freezing threshold and stays the owner's.
    stored_bytes: module, stable memory and heap, which the network charges for; a snapshot stores as much again, whose
    rent is snapshot_per_day.
    storage_per_gib_second: the price that is planned with.
    """

    items: tuple[Item, ...]
    days: int
    replies: Replies
    stored_bytes: int
    storage_per_gib_second: int
    rent_per_day: int
    rent_per_day_documented: int
    snapshot_per_day: int
    snapshot_per_day_documented: int

    @property
    def total(self) -> int:
        """What to send to the ledger's create_canister."""
        return sum(item.cycles for item in self.items)

    def cycles(self, what: str) -> int:
        """Of the item of this name."""
        return next(item.cycles for item in self.items if item.what == what)

    def to_record(self) -> dict[str, int]:
        """What the real bill is compared with later. reply_tokens: those that all the replies read and write."""
        replies = self.replies
        return {
            **{item.what: item.cycles for item in self.items},
            "rent_per_day": self.rent_per_day,
            "reply_tokens": replies.count * (replies.prompt_tokens + replies.reply_tokens),
        }

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the figures take for granted, for people."""
        replies = self.replies
        return (
            f"{replies.count} replies of {replies.reply_tokens} tokens to {replies.prompt_tokens} tokens each",
            f"storage for {self.days} days of {self.stored_bytes:,} bytes: module, stable memory and heap with one "
            "conversation; a snapshot stores as much again",
            f"storage at {self.storage_per_gib_second:,} cycles per GiB and second, as the network's code of mid-2026 "
            f"has it; its documentation says {DOCUMENTED_STORAGE_PER_GIB_SECOND:,}",
            f"1 XDR = 10^12 cycles = {USD_PER_XDR} USD, which changes from day to day",
        )


def contents_of(package: ModelPackage) -> Contents:
    """What a package puts into a canister; its program need not be compiled yet. Raises ModelObstaclesError."""
    program = foretell(package.manifest.decoder, package.manifest.quantisation)
    small = sum((package.folder / name).stat().st_size for name in package.files_without_weights())
    return Contents(resource(CANISTER_WASM).stat().st_size, program.sizes.size_bytes + small, program)


def plan(profile: NetworkProfile, contents: Contents, *, days: int = 30, replies: Replies | None = None) -> Plan:
    """The bill of a canister of its own with `contents`, with `days` of storage and some replies."""
    replies = replies or Replies()
    need = heap_need(contents.program.sizes)
    stable_bytes = _PAGE_SIZE_BYTES * _STORE_PAGES + _chunks(contents) * CHUNK_SIZE_BYTES
    fixed_bytes = contents.wasm_bytes + stable_bytes
    stored_bytes = fixed_bytes + need.first_bytes - engine_costs().unused_heap_bytes
    rent_per_day = _rent(profile, stored_bytes, profile.costs.storage_per_gib_second)
    most_per_day = _rent(profile, fixed_bytes + need.most_bytes, profile.costs.storage_per_gib_second)
    working = profile.costs.on_subnet(WORKING_CYCLES)
    frozen = most_per_day * FREEZING_THRESHOLD_DAYS
    install_limit = profile.costs.on_subnet(profile.limits.install_instructions * profile.costs.per_instruction)
    call = profile.costs.update_call
    items = (
        Item("create", profile.costs.on_subnet(profile.costs.creation)),
        Item("install", call(contents.wasm_bytes, round(engine_costs().install * contents.wasm_bytes))),
        Item("upload", _upload(profile, contents)),
        Item("verify", call(_HASH_SIZE_BYTES, round(activation_instructions(contents.program, profile)))),
        Item("storage", rent_per_day * days),
        Item("replies", replies.count * _reply(profile, contents.program, replies)),
        Item("reserve", install_limit + working + frozen + (most_per_day - rent_per_day) * days),
    )
    price = profile.costs.storage_per_gib_second
    documented = _rent(profile, stored_bytes, DOCUMENTED_STORAGE_PER_GIB_SECOND)
    return Plan(
        items=items,
        days=days,
        replies=replies,
        stored_bytes=stored_bytes,
        storage_per_gib_second=price,
        rent_per_day=rent_per_day,
        rent_per_day_documented=documented,
        snapshot_per_day=_rent(profile, 2 * stored_bytes, price) - rent_per_day,
        snapshot_per_day_documented=_rent(profile, 2 * stored_bytes, DOCUMENTED_STORAGE_PER_GIB_SECOND) - documented,
    )


def _rent(profile: NetworkProfile, stored_bytes: int, per_gib_second: int) -> int:
    """Cycles of a day."""
    per_second = per_gib_second * stored_bytes / _GIB + profile.costs.canister_per_second
    return profile.costs.on_subnet(round(per_second * _SECONDS_PER_DAY))


def _chunks(contents: Contents) -> int:
    return -(-contents.upload_bytes // CHUNK_SIZE_BYTES)


def _upload(profile: NetworkProfile, contents: Contents) -> int:
    """The manifest with a hash for each chunk, then the chunks."""
    chunks = _chunks(contents)
    per_chunk, per_byte = engine_costs().upload
    instructions = chunks * per_chunk + contents.upload_bytes * per_byte
    base = profile.costs.update_call(0, 0)
    bytes_price = profile.costs.on_subnet(profile.costs.ingress_per_byte)
    sent_bytes = contents.upload_bytes + chunks * _HASH_SIZE_BYTES
    executed = profile.costs.on_subnet(round(instructions * profile.costs.per_instruction))
    return (chunks + 1) * base + sent_bytes * bytes_price + executed


def _reply(profile: NetworkProfile, program: Foretold, replies: Replies) -> int:
    """One prompt and its reply, in messages of a chat's size."""
    half_way = replies.prompt_tokens + replies.reply_tokens // 2
    speed = pace(program, profile, cached=half_way, prompt=replies.prompt_tokens)
    instructions = speed.reply_instructions(replies.prompt_tokens, replies.reply_tokens, CALL_INSTRUCTIONS)
    messages = speed.messages(replies.prompt_tokens, replies.reply_tokens, CALL_INSTRUCTIONS)
    tokens_bytes = _TOKEN_SIZE_BYTES * (replies.prompt_tokens + replies.reply_tokens)
    call = profile.costs.update_call
    return (messages - 1) * call(0, 0) + call(tokens_bytes, round(instructions))
