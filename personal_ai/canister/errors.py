"""The canister's typed errors, as exceptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from personal_ai.common.errors import CanisterRefusedError

_LOAD_FIRST = "Load the model into the canister again; nothing has to be uploaded."


class NeedPrefix(CanisterRefusedError):
    """The canister does not hold the tokens that a request builds on.

    have: how many of them it may hold: ask again with that many, and with none when it says 0.
    """

    def __init__(self, have: int) -> None:
        super().__init__("The canister no longer holds this conversation.", variant="need_prefix")
        self.have = have


class CanisterBusy(CanisterRefusedError):
    """The canister is loading a model; the same request can be sent again in a moment."""

    def __init__(self) -> None:
        super().__init__("The canister is loading its model.", variant="busy", next_step="Try again in a moment.")


class NoModel(CanisterRefusedError):
    """No model is in the canister's heap, as after an upgrade: `CanisterClient.activate` loads it."""

    def __init__(self) -> None:
        super().__init__("No model is loaded in the canister.", variant="no_model", next_step=_LOAD_FIRST)


class NotAllowed(CanisterRefusedError):
    """The canister does not serve this identity."""

    def __init__(self) -> None:
        super().__init__("The canister does not serve this identity.", variant="refused")


class InvalidRequest(CanisterRefusedError):
    """The canister refuses an argument as wrong, whatever its state."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The canister refused the request: {reason}.", variant="invalid")


class LimitReached(CanisterRefusedError):
    """A limit of the canister or of its model: the context is full, memory cannot grow."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"The canister reached a limit: {reason}.", variant="limit")


class NoUpload(CanisterRefusedError):
    """Nothing is being uploaded."""

    def __init__(self) -> None:
        super().__init__("The canister is not receiving a model.", variant="no_upload")


class ChunkRefused(CanisterRefusedError):
    """The canister refused a chunk: `index`, and `variant` wrong_index, wrong_size or wrong_hash."""

    def __init__(self, variant: str, index: int) -> None:
        reason = {
            "wrong_index": "there is no such chunk",
            "wrong_size": "it has the wrong size",
            "wrong_hash": "its bytes are not those that were announced",
        }[variant]
        super().__init__(f"The canister refused chunk {index}: {reason}.", variant=variant)
        self.index = index


class UnknownModel(CanisterRefusedError):
    """The canister holds no model of that hash."""

    def __init__(self) -> None:
        super().__init__("The canister does not hold this model.", variant="unknown_hash")


class ChunksMissing(CanisterRefusedError):
    """A model cannot be loaded before all of it has been uploaded."""

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} parts of the model have not been uploaded yet.", variant="missing_chunks")
        self.count = count


class NoRoom(CanisterRefusedError):
    """The canister's heap cannot take the model, at least not beside the one that is loaded."""

    def __init__(self, needed_bytes: int, free_bytes: int) -> None:
        super().__init__(
            f"The canister needs {needed_bytes} bytes of memory in one piece and can have {free_bytes}.",
            variant="no_room",
            next_step="Unload the model that is active first.",
        )
        self.needed_bytes = needed_bytes
        self.free_bytes = free_bytes


class UnknownFile(CanisterRefusedError):
    """The active model has no file of that name."""

    def __init__(self) -> None:
        super().__init__("The canister holds no file of that name.", variant="unknown_file")


def refusal(variant: str, value: Any) -> CanisterRefusedError:
    """The exception for an error variant of the interface, with its decoded value."""
    return _REFUSALS[variant](value)


_REFUSALS: dict[str, Callable[[Any], CanisterRefusedError]] = {
    "invalid": InvalidRequest,
    "limit": LimitReached,
    "no_upload": lambda _: NoUpload(),
    "wrong_index": lambda value: ChunkRefused("wrong_index", value["index"]),
    "wrong_size": lambda value: ChunkRefused("wrong_size", value["index"]),
    "wrong_hash": lambda value: ChunkRefused("wrong_hash", value["index"]),
    "unknown_hash": lambda _: UnknownModel(),
    "missing_chunks": lambda value: ChunksMissing(value["count"]),
    "no_room": lambda value: NoRoom(value["needed_bytes"], value["free_bytes"]),
    "no_model": lambda _: NoModel(),
    "unknown_file": lambda _: UnknownFile(),
    "need_prefix": lambda value: NeedPrefix(value["have"]),
    "busy": lambda _: CanisterBusy(),
    "refused": lambda _: NotAllowed(),
}
