"""The real module: who may call it, what it says to nonsense, and uploading a model to it."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from personal_ai.canister import interface
from personal_ai.canister.client import (
    ChunkRefused,
    ChunksMissing,
    InvalidRequest,
    NoModel,
    NoUpload,
    UnknownModel,
)
from personal_ai.canister.upload import CHUNK_SIZE_BYTES, Upload, UploadFile, UploadManifest
from personal_ai.common.errors import RejectedError
from personal_ai.ic import candid
from personal_ai.ic.candid import Blob, Nat32, Nat64, Null, Text, Type, Vec
from personal_ai.models.sampling import Sampling
from tests.canister.installed import ANONYMOUS, OWNER, STRANGER, Installed

UPDATES = ["begin_upload", "put_chunk", "drop_upload", "activate", "unload", "generate", "run"]
QUERIES = ["status", "missing_chunks", "read_file", "generate_query", "run_query"]
REQUEST = {
    "conversation": b"c",
    "keep": 0,
    "keep_hash": hashlib.sha256().digest(),
    "append": [1, 2, 3],
    "max_tokens": 3,
    "max_instructions": 0,
    "sampling": {
        "temperature": 0.5,
        "top_k": 3,
        "top_p": 0.5,
        "min_p": 0.0,
        "repetition_penalty": 1.25,
        "seed": 1,
    },
    "stop": [[1, 2], [3]],
}
RUN_REQUEST = {
    "inputs": [
        {"name": "x", "shape": [1, 2, 12], "data": ("float32", bytes(96))},
        {"name": "ids", "shape": [2], "data": ("int64", bytes(16))},
    ],
    "max_instructions": 0,
}
ARGUMENTS: dict[str, tuple[list[Type], list[object]]] = {
    "begin_upload": (
        [interface.UPLOAD_MANIFEST],
        [{"name": "m", "files": [{"name": "program", "size_bytes": 5}], "chunk_hashes": bytes(32)}],
    ),
    "put_chunk": ([Nat32, Blob], [0, b"12345"]),
    "drop_upload": ([], []),
    "activate": ([interface.ACTIVATION], [{"hash": bytes(32), "unload_first": True}]),
    "unload": ([], []),
    "generate": ([interface.GENERATE_REQUEST], [REQUEST]),
    "status": ([], []),
    "missing_chunks": ([], []),
    "read_file": ([Text, Nat64, Nat32], ["program", 0, 10]),
    "generate_query": ([interface.GENERATE_REQUEST], [REQUEST]),
    "run": ([interface.RUN_REQUEST], [RUN_REQUEST]),
    "run_query": ([interface.RUN_REQUEST], [RUN_REQUEST]),
}
RESULTS: dict[str, Type] = {
    "begin_upload": interface.result(interface.UPLOAD_STATE, interface.UPLOAD_ERROR),
    "put_chunk": interface.result(interface.UPLOAD_STATE, interface.UPLOAD_ERROR),
    "drop_upload": interface.result(Null, interface.UPLOAD_ERROR),
    "activate": interface.result(interface.ACTIVATION_STATE, interface.MODEL_ERROR),
    "unload": interface.result(Null, interface.MODEL_ERROR),
    "generate": interface.result(interface.GENERATED, interface.GENERATE_ERROR),
    "missing_chunks": interface.result(Vec(Nat32), interface.UPLOAD_ERROR),
    "read_file": interface.result(Blob, interface.MODEL_ERROR),
    "generate_query": interface.result(interface.GENERATED, interface.GENERATE_ERROR),
    "run": interface.RUN_RESULT,
    "run_query": interface.RUN_RESULT,
}


def _call(canister: Installed, method: str, arg: bytes) -> bytes:
    send = canister.query if method in QUERIES else canister.update
    return send(canister.id, method, arg)


def _decoded(method: str, answer: bytes) -> tuple[str, object]:
    ((variant, value),) = candid.decode([RESULTS[method]], answer)
    return variant, value


# ---- access


@pytest.mark.parametrize("caller", [STRANGER, ANONYMOUS])
def test_strangers_are_refused_everywhere(canister: Installed, caller: object) -> None:
    """The anonymous identity is refused even though it is among the controllers here."""
    canister.caller = caller  # type: ignore[assignment]
    for method, (types, values) in ARGUMENTS.items():
        with pytest.raises(RejectedError, match="only a controller") as caught:
            _call(canister, method, candid.encode(types, values))
        assert caught.value.reject_code == 4
    for method in UPDATES:
        assert not canister.inspect(method)


def test_the_owner_is_let_in(canister: Installed) -> None:
    for method in UPDATES:
        assert canister.inspect(method)
    assert canister.caller == OWNER


# ---- nonsense


def test_a_fresh_canister_answers_every_method(canister: Installed) -> None:
    status = canister.client.status()
    assert (status.model, status.staging, status.conversations) == (None, None, ())
    assert status.stable_bytes == 7 * 65536 and status.heap_bytes < 16 << 20 and status.cycles == 10**15
    with pytest.raises(NoUpload):
        canister.client.missing_chunks()
    with pytest.raises(NoUpload):
        canister.client.drop_upload()
    with pytest.raises(NoUpload):
        canister.client.put_chunk(0, b"")
    with pytest.raises(NoModel):
        canister.client.read_file("program")
    with pytest.raises(NoModel):
        canister.client.unload()
    with pytest.raises(NoModel):
        canister.client.activate()
    with pytest.raises(UnknownModel):
        canister.client.activate(bytes(32))
    with pytest.raises(InvalidRequest, match="32 bytes"):
        canister.client.activate(b"short")
    with pytest.raises(NoModel):
        canister.client.generate(
            conversation=b"", keep=0, keep_hash=bytes(32), append=[1], max_tokens=1, sampling=Sampling()
        )


@pytest.mark.parametrize("method", [*RESULTS])
def test_nonsense_gets_a_typed_error(canister: Installed, method: str) -> None:
    too_long = candid.encode([Blob], [bytes(2 << 20)])
    wrong_type = candid.encode([Text], ["hello"])
    for arg in (b"", b"DIDL", b"\0" * 100, b"DIDL\x01\x6c\x01\x00\x00\x01\x00", too_long):
        variant, error = _decoded(method, _call(canister, method, arg))
        assert variant == "err" and isinstance(error, tuple) and error[0] == "invalid"
    if ARGUMENTS[method][0]:
        variant, error = _decoded(method, _call(canister, method, wrong_type))
        assert error == ("invalid", "the argument is not of the types that this method takes")


def test_status_rejects_what_is_not_candid(canister: Installed) -> None:
    with pytest.raises(RejectedError, match="not a Candid message"):
        canister.query(canister.id, "status", b"?")


@pytest.mark.parametrize("method", [*ARGUMENTS])
def test_changed_arguments_never_trap(canister: Installed, method: str) -> None:
    """Trapped is no RejectedError: it fails the test. Only `status`, which has no error type, may reject."""
    valid = candid.encode(*ARGUMENTS[method])
    rng = random.Random(method)
    for _ in range(60):
        changed = bytearray(valid)
        for _ in range(rng.randint(1, 4)):
            changed[rng.randrange(len(changed))] = rng.choice([rng.randrange(256), 0, 0xFF, 0x7F, 0x6C, 0x6D])
        arg = bytes(changed[: rng.choice([len(changed), rng.randrange(len(changed))])])
        try:
            answer = _call(canister, method, arg)
        except RejectedError:
            assert method == "status"
            continue
        if method != "status":
            _decoded(method, answer)


# ---- upload


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    """Three chunks: a program that is none, and two more files."""
    rng = random.Random(1)
    files = []
    for name, size in (("program", CHUNK_SIZE_BYTES + 7), ("tokenizer.json", CHUNK_SIZE_BYTES), ("empty", 0)):
        (tmp_path / name).write_bytes(rng.randbytes(size))
        files.append((name, tmp_path / name))
    return Upload.of("Random", files)


def test_chunks_out_of_order_repeated_and_wrong(canister: Installed, upload: Upload) -> None:
    client = canister.client
    assert client.begin_upload(upload.manifest) == (upload.manifest.hash, 3, 0)
    assert client.missing_chunks() == [0, 1, 2]
    for expected, index in enumerate((2, 0), start=1):
        for _ in range(2):
            assert client.put_chunk(index, upload.read_chunk(index)).chunks_received == expected
    for variant, index, data in [
        ("wrong_hash", 1, upload.read_chunk(0)),
        ("wrong_size", 1, b"short"),
        ("wrong_size", 1, bytes(CHUNK_SIZE_BYTES + 1)),
        ("wrong_index", 3, upload.read_chunk(0)),
        ("wrong_index", 0xFFFF_FFFF, b""),
    ]:
        with pytest.raises(ChunkRefused) as refused:
            client.put_chunk(index, data)
        assert (refused.value.variant, refused.value.index) == (variant, index)
    assert client.missing_chunks() == [1]
    with pytest.raises(ChunksMissing) as missing:
        client.activate(upload.manifest.hash)
    assert missing.value.count == 1


def test_an_interrupted_upload_goes_on_after_an_upgrade(canister: Installed, upload: Upload) -> None:
    canister.client.begin_upload(upload.manifest)
    canister.client.put_chunk(1, upload.read_chunk(1))
    canister.upgrade()
    assert canister.client.begin_upload(upload.manifest) == (upload.manifest.hash, 3, 1)
    assert canister.client.missing_chunks() == [0, 2]
    other = UploadManifest("Other", upload.manifest.files, upload.manifest.chunk_hashes)
    assert canister.client.begin_upload(other).chunks_received == 1, "it has the same chunk"
    canister.client.drop_upload()
    assert canister.client.status().staging is None


def test_a_program_that_is_none_does_not_become_active(canister: Installed, upload: Upload) -> None:
    client = canister.client
    client.begin_upload(upload.manifest)
    for index in range(3):
        client.put_chunk(index, upload.read_chunk(index))
    with pytest.raises(InvalidRequest, match="no program"):
        client.activate(upload.manifest.hash)
    status = client.status()
    assert status.model is None and status.staging == (upload.manifest.hash, 3, 3)


def test_a_chunk_costs_little_more_than_its_hash(canister: Installed, upload: Upload) -> None:
    canister.client.begin_upload(upload.manifest)
    canister.client.put_chunk(0, upload.read_chunk(0))
    method, outcome = canister.calls[-1]
    assert method == "put_chunk"
    assert outcome.instructions < 100 * CHUNK_SIZE_BYTES


@pytest.mark.parametrize(
    "files",
    [
        (),
        (UploadFile("tokenizer.json", 5),),
        (UploadFile("program", 5), UploadFile("program", 5)),
        (UploadFile("program", 5), UploadFile("../../etc/passwd", 5)),
        (UploadFile("program", 0),),
        (UploadFile("program", (1 << 64) - 1), UploadFile("x", 1)),
    ],
)
def test_manifests_that_break_a_rule(canister: Installed, files: tuple[UploadFile, ...]) -> None:
    with pytest.raises(InvalidRequest):
        canister.client.begin_upload(UploadManifest("m", files, (bytes(32),)))
    assert canister.client.status().staging is None
