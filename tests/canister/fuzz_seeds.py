"""Valid inputs for the fuzzers to change."""

from __future__ import annotations

import hashlib
import random
import struct
from enum import IntEnum
from pathlib import Path
from typing import Any

from personal_ai.canister import interface
from personal_ai.canister.tensors import run_request
from personal_ai.canister.upload import CHUNK_SIZE_BYTES, Upload, UploadFile, UploadManifest
from personal_ai.ic import candid
from personal_ai.ic.candid import Int, Nat, Nat8, Nat32, Null, Opt, Record, Text, Type, Variant, Vec
from tests.canister.test_canister import ARGUMENTS, REQUEST
from tests.compiler.drawn_graphs import Drawn, given


class Kind(IntEnum):
    """What an input is; the numbers of shell_fuzz.zig."""

    BEGIN_UPLOAD = 0
    PUT_CHUNK = 1
    ACTIVATE = 2
    GENERATE = 3
    READ_FILE = 4
    NONE = 5
    CANONICAL = 6
    RUN = 7


Seed = tuple[Kind, bytes]

METHOD_KINDS = {
    "begin_upload": Kind.BEGIN_UPLOAD,
    "put_chunk": Kind.PUT_CHUNK,
    "activate": Kind.ACTIVATE,
    "generate": Kind.GENERATE,
    "read_file": Kind.READ_FILE,
    "unload": Kind.NONE,
    "run": Kind.RUN,
}
# What a later client may add, of every kind that is skipped.
_FURTHER: list[tuple[Type, Any]] = [
    (Opt(Record({"a": Nat, "b": Vec(Variant({"x": Null, "y": Text}))})), {"a": 2**70, "b": [("y", "z")]}),
    (Vec(Record({"n": Int, "o": Opt(Nat8)})), [{"n": -5, "o": 3}, {"n": 2**40, "o": None}]),
    (Vec(Null), [None] * 50),
    (Vec(Vec(Vec(Nat32))), [[[1], []], [[2, 3]]]),
]
_MANIFESTS = [
    UploadManifest("m", (UploadFile("program", 5),), (bytes(32),)),
    UploadManifest(
        "Ein längerer Name",
        (UploadFile("program", CHUNK_SIZE_BYTES), UploadFile("tokenizer.json", 99), UploadFile("empty", 0)),
        (bytes(32), b"\x07" * 32),
    ),
    UploadManifest("many", tuple(UploadFile(n, 1) for n in ["program", *"abcdefgh"]), (b"\x01" * 32,)),
]


def message_seeds() -> list[Seed]:
    """Arguments of every method, as this client and as a later one sends them."""
    seeds = []
    for method, kind in METHOD_KINDS.items():
        types, values = ARGUMENTS[method]
        seeds.append((kind, candid.encode(types, values)))
        for further, value in _FURTHER:
            seeds.append((kind, candid.encode([*types, further], [*values, value])))
    seeds += [(Kind.BEGIN_UPLOAD, begin_upload(manifest)) for manifest in _MANIFESTS]
    return seeds + request_seeds(vocabulary=384)


def canonical_seeds() -> list[Seed]:
    """Manifests as they lie in stable memory."""
    return [(Kind.CANONICAL, manifest.canonical_bytes()) for manifest in _MANIFESTS]


def request_seeds(vocabulary: int) -> list[Seed]:
    """Requests that a model with that vocabulary answers, one going on from another."""
    rng = random.Random(1)
    prompt = [rng.randrange(vocabulary) for _ in range(12)]
    kept = hashlib.sha256(struct.pack("<5I", *prompt[:5])).digest()
    changes: list[dict[str, Any]] = [
        {"append": prompt},
        {"append": prompt, "max_tokens": 0, "stop": []},
        {"append": prompt[5:], "keep": 5, "keep_hash": kept, "max_instructions": 1},
        {"append": [], "keep": 5, "keep_hash": kept, "max_tokens": 1000},
        {"append": prompt[:2], "conversation": b"another", "max_tokens": 40},
    ]
    return [(Kind.GENERATE, candid.encode([interface.GENERATE_REQUEST], [{**REQUEST, **change}])) for change in changes]


def run_seeds(drawn: Drawn) -> list[Seed]:
    """Requests that the graph answers, in several lengths, and some that it does not."""
    seeds = [
        run_request(given(drawn, batch, sequence), budget) for batch, sequence in ((1, 1), (3, 7)) for budget in (0, 1)
    ]
    wrong = {f"{name}?": array for name, array in given(drawn).items()}
    return [(Kind.RUN, seed) for seed in (*seeds, run_request(wrong, 0))]


def sampling_seeds() -> list[Seed]:
    """Parameters and logits as shell_fuzz.zig reads them."""
    rng = random.Random(2)
    seeds = []
    for temperature, top_p, min_p, penalty, top_k in [
        (0.0, 1.0, 0.0, 1.0, 0),
        (0.7, 0.9, 0.05, 1.1, 40),
        (100.0, 1e-6, 1.0, 0.01, 1),
        (1e-30, 0.5, 0.0, 100.0, 7),
    ]:
        for count in (1, 2, 3, 100, 384):
            logits = [rng.gauss(0, 10) for _ in range(count)]
            numbers = struct.pack("<4fIQ", temperature, top_p, min_p, penalty, top_k, rng.getrandbits(64))
            seeds.append((Kind.NONE, numbers + struct.pack(f"<{count}f", *logits)))
    return seeds


def upload_seed(program: Path) -> Seed:
    return Kind.BEGIN_UPLOAD, begin_upload(Upload.of("m", [("program", program)]).manifest)


def begin_upload(manifest: UploadManifest) -> bytes:
    """The argument of begin_upload."""
    files = [{"name": file.name, "size_bytes": file.size_bytes} for file in manifest.files]
    argument = {"name": manifest.name, "files": files, "chunk_hashes": b"".join(manifest.chunk_hashes)}
    return candid.encode([interface.UPLOAD_MANIFEST], [argument])
