"""The Candid types of resources/canister.did."""

from __future__ import annotations

from personal_ai.ic.candid import (
    Blob,
    Bool,
    Float32,
    Nat,
    Nat32,
    Nat64,
    Null,
    Opt,
    Record,
    Text,
    Type,
    Variant,
    Vec,
)

VERSION = 1

FILE = Record({"name": Text, "size_bytes": Nat64})
UPLOAD_MANIFEST = Record({"name": Text, "files": Vec(FILE), "chunk_hashes": Blob})
UPLOAD_STATE = Record({"hash": Blob, "chunks_total": Nat32, "chunks_received": Nat32})
UPLOAD_ERROR = Variant(
    {
        "invalid": Text,
        "limit": Text,
        "no_upload": Null,
        "wrong_index": Record({"index": Nat32, "chunks_total": Nat32}),
        "wrong_size": Record({"index": Nat32, "expected_bytes": Nat32, "received_bytes": Nat32}),
        "wrong_hash": Record({"index": Nat32}),
    }
)
MODEL_ERROR = Variant(
    {
        "invalid": Text,
        "unknown_hash": Null,
        "missing_chunks": Record({"count": Nat32}),
        "no_room": Record({"needed_bytes": Nat64, "free_bytes": Nat64}),
        "no_model": Null,
        "unknown_file": Null,
    }
)

ACTIVATION = Record({"hash": Blob, "unload_first": Bool})
ACTIVATION_STATE = Record({"done": Bool, "bytes_loaded": Nat64, "bytes_total": Nat64})

SAMPLING = Record(
    {
        "temperature": Float32,
        "top_k": Nat32,
        "top_p": Float32,
        "min_p": Float32,
        "repetition_penalty": Float32,
        "seed": Nat64,
    }
)
GENERATE_REQUEST = Record(
    {
        "conversation": Blob,
        "keep": Nat32,
        "keep_hash": Blob,
        "append": Vec(Nat32),
        "max_tokens": Nat32,
        "max_instructions": Nat64,
        "sampling": SAMPLING,
        "stop": Vec(Vec(Nat32)),
    }
)
GENERATED = Record(
    {
        "tokens": Vec(Nat32),
        "length": Nat32,
        "finish": Variant({"end": Null, "stop": Null, "max_tokens": Null, "budget": Null}),
        "instructions": Nat64,
    }
)
GENERATE_ERROR = Variant(
    {
        "need_prefix": Record({"have": Nat32}),
        "busy": Null,
        "no_model": Null,
        "refused": Null,
        "invalid": Text,
        "limit": Text,
    }
)

TENSOR = Record({"name": Text, "shape": Vec(Nat32), "data": Variant({"float32": Blob, "int64": Blob})})
RUN_REQUEST = Record({"inputs": Vec(TENSOR), "max_instructions": Nat64})
RUN_RESULT = Variant(
    {
        "ok": Record({"outputs": Vec(TENSOR), "instructions": Nat64}),
        "more": Record({"operators_done": Nat32, "operators_total": Nat32, "instructions": Nat64}),
        "err": Variant({"busy": Null, "no_model": Null, "invalid": Text, "limit": Text}),
    }
)

LOAD_STATE = Variant(
    {
        "unloaded": Null,
        "loading": ACTIVATION_STATE,
        "failed": MODEL_ERROR,
        "loaded": Record(
            {
                "vocabulary_size": Nat32,
                "context_length": Nat32,
                "sequence_length": Nat32,
                "program_bytes": Nat64,
                "working_bytes": Nat64,
                "conversation_bytes": Nat64,
                "kept_bits": Nat32,
                "conversations_most": Nat32,
            }
        ),
    }
)
STATUS = Record(
    {
        "interface_version": Nat32,
        "engine_version": Text,
        "model": Opt(Record({"hash": Blob, "name": Text, "files": Vec(FILE), "state": LOAD_STATE})),
        "staging": Opt(Record({"upload": UPLOAD_STATE, "name": Text, "state": LOAD_STATE})),
        "heap_bytes": Nat64,
        "stable_bytes": Nat64,
        "cycles": Nat,
        "counters": Record(
            {"requests": Nat64, "tokens_generated": Nat64, "tokens_computed": Nat64, "instructions": Nat64}
        ),
        "conversations": Vec(Record({"id": Blob, "length": Nat32, "computed": Nat32})),
    }
)


def result(ok: Type, err: Type) -> Variant:
    """What most methods answer."""
    return Variant({"ok": ok, "err": err})
