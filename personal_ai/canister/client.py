"""The canister's methods as Python calls: typed values in and out, its typed errors as exceptions.

Each call is one message, except `activate`, which waits until the model answers. All raise the canister's errors
(`personal_ai.canister.errors`) and the agent's (RejectedError, NetworkError, SecurityError).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NotRequired, Protocol, TypedDict, Unpack

from personal_ai.canister import interface, status, tensors
from personal_ai.canister.errors import (
    CanisterBusy,
    ChunkRefused,
    ChunksMissing,
    InvalidRequest,
    LimitReached,
    NeedPrefix,
    NoModel,
    NoRoom,
    NotAllowed,
    NoUpload,
    UnknownFile,
    UnknownModel,
    refusal,
)
from personal_ai.canister.status import CanisterStatus, Counters, LoadProgress, ModelStatus, UploadState
from personal_ai.canister.tensors import RunProgress, Tensor
from personal_ai.canister.upload import UploadManifest
from personal_ai.common.errors import UnknownVersionError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback, ignore_progress
from personal_ai.ic import candid
from personal_ai.ic.candid import Blob, Nat32, Nat64, Null, Text, Type, Vec
from personal_ai.ic.principal import Principal
from personal_ai.models.sampling import Sampling

__all__ = [
    "CanisterBusy",
    "CanisterClient",
    "CanisterStatus",
    "ChunkRefused",
    "ChunksMissing",
    "Counters",
    "Finish",
    "Generated",
    "InvalidRequest",
    "LimitReached",
    "LoadProgress",
    "ModelStatus",
    "NeedPrefix",
    "NoModel",
    "NoRoom",
    "NoUpload",
    "NotAllowed",
    "RunProgress",
    "UnknownFile",
    "UnknownModel",
    "UploadState",
]

Finish = Literal["end", "stop", "max_tokens", "budget"]
_READ_SIZE_BYTES = 1_900_000  # a reply holds 2 MiB
_POLL_FIRST_S = 0.1
_POLL_MOST_S = 1.0
_STALLED_S = 20.0  # the canister's timer should have done something by then


class CanisterCalls(Protocol):
    """What is needed of an agent (`personal_ai.ic.agent.Agent`)."""

    def query(self, canister_id: Principal, method: str, arg: bytes) -> bytes: ...

    def update(self, canister_id: Principal, method: str, arg: bytes, *, cancel: Cancel | None = None) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Generated:
    """One call's part of a reply.

    tokens: the new ones, an end token included. length: of the conversation in the canister, new tokens included.
    finish: why the call ended; "budget" means that the reply goes on in the next call.
    """

    tokens: Sequence[int]
    length: int
    finish: Finish
    instructions: int


class Asked(TypedDict):
    """What is asked of `generate`: the first `keep` tokens of a conversation, then `append`, then new ones.

    conversation: any name of at most 32 bytes. keep_hash: SHA-256 of the kept tokens as little-endian u32. max_tokens:
    how many new ones at most. max_instructions: what the call may use; 0, or left out, for all that one message may.
    stop: token sequences that end the reply.
    """

    conversation: bytes
    keep: int
    keep_hash: bytes
    append: Sequence[int]
    max_tokens: int
    sampling: Sampling
    max_instructions: NotRequired[int]
    stop: NotRequired[Sequence[Sequence[int]]]


class CanisterClient:
    """One canister, called as the agent's identity. Thread-safe if the agent is."""

    def __init__(self, agent: CanisterCalls, canister_id: Principal) -> None:
        self._agent = agent
        self.canister_id = canister_id

    def status(self) -> CanisterStatus:
        """Raises UnknownVersionError when the canister speaks another version of the interface."""
        (fields,) = candid.decode(
            [interface.STATUS], self._agent.query(self.canister_id, "status", candid.encode([], []))
        )
        if fields["interface_version"] != interface.VERSION:
            raise UnknownVersionError(
                f"The canister speaks version {fields['interface_version']} of its interface, "
                f"this program version {interface.VERSION}.",
                next_step="Update this program or upgrade the canister.",
            )
        return status.from_fields(fields)

    def begin_upload(self, manifest: UploadManifest) -> UploadState:
        """Starts an upload, or goes on with it when the canister already knows this manifest."""
        files = [{"name": file.name, "size_bytes": file.size_bytes} for file in manifest.files]
        argument = {"name": manifest.name, "files": files, "chunk_hashes": b"".join(manifest.chunk_hashes)}
        answer = self._update(
            "begin_upload", [interface.UPLOAD_MANIFEST], [argument], interface.UPLOAD_STATE, interface.UPLOAD_ERROR
        )
        return UploadState(**answer)

    def put_chunk(self, index: int, data: bytes) -> UploadState:
        """Sends one chunk; in any order, from several threads, and again if in doubt."""
        answer = self._update("put_chunk", [Nat32, Blob], [index, data], interface.UPLOAD_STATE, interface.UPLOAD_ERROR)
        return UploadState(**answer)

    def missing_chunks(self) -> list[int]:
        """Indices that the canister still lacks, ascending."""
        missing: list[int] = self._query("missing_chunks", [], [], Vec(Nat32), interface.UPLOAD_ERROR)
        return missing

    def drop_upload(self) -> None:
        """Forgets the upload under way."""
        self._update("drop_upload", [], [], Null, interface.UPLOAD_ERROR)

    def activate(
        self,
        model_hash: bytes | None = None,
        *,
        unload_first: bool = False,
        on_progress: ProgressCallback = ignore_progress,
        cancel: Cancel | None = None,
    ) -> None:
        """Lets a model answer and waits until it does. The canister loads it by itself; polling it is free.

        model_hash: a complete upload or the active model; the active model when None.
        unload_first: take the old model out of the heap before, where both do not fit (NoRoom).
        """
        cancel = cancel or Cancel()
        if model_hash is None:
            model = self.status().model
            if model is None:
                raise NoModel
            model_hash = model.hash
        progress = self._load(model_hash, unload_first)
        if progress is None:
            return
        meter = Meter("Loading the model", progress.bytes_total, "bytes", on_progress)
        meter.advance(progress.bytes_loaded)
        waited_s, poll_s = 0.0, _POLL_FIRST_S
        while True:
            cancel.wait(poll_s)
            before, progress = progress, self._progress(model_hash)
            if progress is None:
                meter.advance(before.bytes_total - before.bytes_loaded)
                return
            meter.advance(progress.bytes_loaded - before.bytes_loaded)
            waited_s = waited_s + poll_s if progress == before else 0.0
            poll_s = min(2 * poll_s, _POLL_MOST_S)
            if waited_s >= _STALLED_S:
                if self._load(model_hash, unload_first=False) is None:
                    return
                waited_s = 0.0

    def _load(self, model_hash: bytes, unload_first: bool) -> LoadProgress | None:
        """One message that begins to load or goes on; None when the model answers."""
        answer = self._update(
            "activate",
            [interface.ACTIVATION],
            [{"hash": model_hash, "unload_first": unload_first}],
            interface.ACTIVATION_STATE,
            interface.MODEL_ERROR,
        )
        return None if answer["done"] else LoadProgress(answer["bytes_loaded"], answer["bytes_total"])

    def _progress(self, model_hash: bytes) -> LoadProgress | None:
        """As `_load` says, from a query. Raises what kept the model from being loaded."""
        said = self.status()
        model = said.model
        if model is not None and model.hash == model_hash:
            if model.loaded is not None:
                return None
            loading, failure = model.loading, model.failure
        elif said.staging is not None and said.staging.hash == model_hash:
            loading, failure = said.staging_loading, said.staging_failure
        else:
            raise UnknownModel
        if failure is not None:
            raise failure
        return loading or self._load(model_hash, unload_first=False)

    def unload(self) -> None:
        """Takes the model out of the heap; its files stay."""
        self._update("unload", [], [], Null, interface.MODEL_ERROR)

    def read_file(self, name: str) -> bytes:
        """A whole file of the active model, in as many queries as that takes."""
        return b"".join(self.file_pieces(name))

    def file_pieces(self, name: str) -> Iterator[bytes]:
        """The same piece by piece, for a file that memory shall not hold."""
        offset_bytes = 0
        while True:
            piece: bytes = self._query(
                "read_file",
                [Text, Nat64, Nat32],
                [name, offset_bytes, _READ_SIZE_BYTES],
                Blob,
                interface.MODEL_ERROR,
            )
            yield piece
            offset_bytes += len(piece)
            if len(piece) < _READ_SIZE_BYTES:
                return

    def generate(self, *, cancel: Cancel | None = None, **asked: Unpack[Asked]) -> Generated:
        """Goes on with a conversation, as `Asked` says. The same call again gives the same answer.

        Raises NeedPrefix, CanisterBusy, NoModel, LimitReached.
        """
        answer = self._agent.update(self.canister_id, "generate", _request(asked), cancel=cancel)
        return _generated(_unwrap(answer, interface.GENERATED, interface.GENERATE_ERROR))

    def generate_query(self, **asked: Unpack[Asked]) -> Generated:
        """`generate` as a query: free and quick, but short (5 B instructions), and the canister keeps nothing of it."""
        answer = self._agent.query(self.canister_id, "generate_query", _request(asked))
        return _generated(_unwrap(answer, interface.GENERATED, interface.GENERATE_ERROR))

    def run(
        self,
        inputs: Mapping[str, Tensor],
        *,
        max_instructions: int = 0,
        on_progress: ProgressCallback = ignore_progress,
        cancel: Cancel | None = None,
    ) -> dict[str, Tensor]:
        """What a graph makes of its inputs (float32 or int64), by name; in as many messages as that takes.

        max_instructions: what each message may use; 0 for all that one may. Cancelled and called again with the same
        inputs, it goes on, as long as no other run came between. Raises CanisterBusy, NoModel, InvalidRequest,
        LimitReached, Cancelled.
        """
        cancel = cancel or Cancel()
        argument = tensors.run_request(inputs, max_instructions)
        meter: Meter | None = None
        done = 0
        while True:
            answer = tensors.run_result(self._agent.update(self.canister_id, "run", argument, cancel=cancel))
            if not isinstance(answer, RunProgress):
                return answer
            meter = meter or Meter("Computing in the canister", answer.operators_total, "steps", on_progress)
            meter.advance(answer.operators_done - done)
            done = answer.operators_done
            cancel.raise_if_cancelled()

    def run_query(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor] | RunProgress:
        """`run` as a query: free and quick, but short (5 B instructions); RunProgress where that did not do.

        It goes on from a run under way of the same inputs, and the canister keeps nothing of it.
        """
        answer = self._agent.query(self.canister_id, "run_query", tensors.run_request(inputs, 0))
        return tensors.run_result(answer)

    def _update(self, method: str, types: Sequence[Type], values: Sequence[Any], ok: Type, err: Type) -> Any:
        return _unwrap(self._agent.update(self.canister_id, method, candid.encode(types, values)), ok, err)

    def _query(self, method: str, types: Sequence[Type], values: Sequence[Any], ok: Type, err: Type) -> Any:
        return _unwrap(self._agent.query(self.canister_id, method, candid.encode(types, values)), ok, err)


def _unwrap(answer: bytes, ok: Type, err: Type) -> Any:
    """The value of `ok`; raises what `err` says."""
    ((variant, value),) = candid.decode([interface.result(ok, err)], answer)
    if variant == "err":
        raise refusal(*value)
    return value


def _request(asked: Asked) -> bytes:
    fields = {
        **asked,
        "append": list(asked["append"]),
        "max_instructions": asked.get("max_instructions", 0),
        "sampling": asdict(asked["sampling"]),
        "stop": [list(sequence) for sequence in asked.get("stop", ())],
    }
    return candid.encode([interface.GENERATE_REQUEST], [fields])


def _generated(fields: dict[str, Any]) -> Generated:
    return Generated(tuple(fields["tokens"]), fields["length"], fields["finish"][0], fields["instructions"])
