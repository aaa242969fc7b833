"""What a canister with an engine says of itself, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from personal_ai.canister.errors import refusal
from personal_ai.canister.upload import UploadFile
from personal_ai.common.errors import CanisterRefusedError


class UploadState(NamedTuple):
    """How far an upload is. hash: of the whole."""

    hash: bytes
    chunks_total: int
    chunks_received: int


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Sizes of a model in the heap.

    sequence_length: tokens computed in one step at most. conversation_bytes: of each conversation that is held.
    kept_bits: of each number of its keys and values (docs/engine-memory.md).
    """

    vocabulary_size: int
    context_length: int
    sequence_length: int
    program_bytes: int
    working_bytes: int
    conversation_bytes: int
    kept_bits: int
    conversations_most: int


class LoadProgress(NamedTuple):
    """How much of a model's program is in the heap. All of it is when the model is being opened and measured."""

    bytes_loaded: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """The active model. `loaded` is None while it is not in the heap (for a while after an upgrade, after an unload).

    loading: how far it is on its way there. failure: why it did not get there.
    """

    hash: bytes
    name: str
    files: tuple[UploadFile, ...]
    loaded: LoadedModel | None
    loading: LoadProgress | None = None
    failure: CanisterRefusedError | None = None


@dataclass(frozen=True, slots=True)
class HeldConversation:
    """A conversation in the heap: its tokens, and for how many of them keys and values are there."""

    id: bytes
    length: int
    computed: int


@dataclass(frozen=True, slots=True)
class Counters:
    """What the canister has done since it was installed: requests to generate, tokens chosen and tokens computed
    (prompts included), and the instructions of all that."""

    requests: int
    tokens_generated: int
    tokens_computed: int
    instructions: int


@dataclass(frozen=True, slots=True)
class CanisterStatus:
    """What the canister says of itself.

    staging_loading, staging_failure: of the staged upload, as a `ModelStatus` says them of the active model.
    """

    engine_version: str
    model: ModelStatus | None
    staging: UploadState | None
    heap_bytes: int
    stable_bytes: int
    cycles: int
    counters: Counters
    conversations: tuple[HeldConversation, ...]
    staging_loading: LoadProgress | None = None
    staging_failure: CanisterRefusedError | None = None


def from_fields(fields: dict[str, Any]) -> CanisterStatus:
    """What the interface's STATUS holds, as values."""
    model, staging = fields["model"], fields["staging"]
    _, staging_loading, staging_failure = (None, None, None) if staging is None else _load_state(*staging["state"])
    return CanisterStatus(
        engine_version=fields["engine_version"],
        model=None if model is None else _model(model),
        staging=None if staging is None else UploadState(**staging["upload"]),
        heap_bytes=fields["heap_bytes"],
        stable_bytes=fields["stable_bytes"],
        cycles=fields["cycles"],
        counters=Counters(**fields["counters"]),
        conversations=tuple(HeldConversation(**held) for held in fields["conversations"]),
        staging_loading=staging_loading,
        staging_failure=staging_failure,
    )


def _model(fields: dict[str, Any]) -> ModelStatus:
    loaded, loading, failure = _load_state(*fields["state"])
    return ModelStatus(
        hash=fields["hash"],
        name=fields["name"],
        files=tuple(UploadFile(**file) for file in fields["files"]),
        loaded=loaded,
        loading=loading,
        failure=failure,
    )


def _load_state(state: str, value: Any) -> tuple[LoadedModel | None, LoadProgress | None, CanisterRefusedError | None]:
    return (
        LoadedModel(**value) if state == "loaded" else None,
        LoadProgress(value["bytes_loaded"], value["bytes_total"]) if state == "loading" else None,
        refusal(*value) if state == "failed" else None,
    )
