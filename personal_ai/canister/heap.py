"""How much heap a model takes in the canister: for the plan, and for the canister's setting `wasm_memory_limit`.

The network undoes a message that leaves the heap larger than that setting, and the canister cannot see it coming; so
the setting must be at least what the canister may grow to. These are the rules of `instance.zig`.
"""

from __future__ import annotations

from typing import NamedTuple

from personal_ai.compiler.compile import ProgramSizes

CONVERSATIONS_MAX = 16
FURTHER_CONVERSATIONS_BYTES = 512 << 20

_PAGE_SIZE_BYTES = 65_536
_WASM32_BYTES = 65_535 * _PAGE_SIZE_BYTES  # the engine leaves the last page out
_MODULE_BYTES = 8 << 20  # data, buffers for messages, stack: a little more than they are
_KERNELS_BYTES = 256 << 10
_KERNELS_BYTES_PER_POSITION = 16
_SAMPLING_BYTES_PER_TOKEN = 25


class HeapNeed(NamedTuple):
    """Bytes of heap. first: with one conversation, all that a model needs to answer. most: what it may grow to.

    Both are upper bounds, less than 2 MiB too high. While a model is replaced both take their `first`; where that is
    too much the old one must be unloaded before (`CanisterClient.activate`, unload_first).
    """

    first_bytes: int
    most_bytes: int
    conversations: int


def heap_need(program: ProgramSizes) -> HeapNeed:
    """What the canister's heap takes with `program` as its only model."""
    kernels_bytes = _KERNELS_BYTES + _KERNELS_BYTES_PER_POSITION * program.context_length
    conversation_bytes = _pages(program.state_bytes + 4 * (program.context_length + program.vocabulary_size) + 4)
    first_bytes = (
        _MODULE_BYTES
        + _pages(program.program_bytes)
        + _pages(program.arena_bytes + kernels_bytes)
        + _pages(_SAMPLING_BYTES_PER_TOKEN * program.vocabulary_size)
        + conversation_bytes
    )
    further = min(CONVERSATIONS_MAX - 1, FURTHER_CONVERSATIONS_BYTES // conversation_bytes)
    most_bytes = max(first_bytes, min(first_bytes + further * conversation_bytes, _WASM32_BYTES))
    return HeapNeed(first_bytes, most_bytes, 1 + further)


def _pages(size_bytes: int) -> int:
    return -(-size_bytes // _PAGE_SIZE_BYTES) * _PAGE_SIZE_BYTES
