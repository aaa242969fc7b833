"""The upload's pace, its memory, and going on elsewhere, against a canister that keeps what it is sent."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import cast

import pytest

from personal_ai.canister.client import CanisterClient
from personal_ai.canister.upload import CHUNK_SIZE_BYTES, Upload
from personal_ai.common.errors import Cancelled, NetworkError, NetworkTimeoutError, OutOfCyclesError, RejectedError
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.deployments import upload as uploading
from personal_ai.deployments.upload import PARALLEL_CHUNKS, PARALLEL_CHUNKS_MOST, Pace, upload_missing
from personal_ai.ic import candid, requests
from personal_ai.ic.candid import Blob, Nat32
from personal_ai.ic.rejections import GatewayRefusedError
from tests.replica.network.running import OWNER

CHUNKS = 40
MEMORY_MOST_BYTES = 64_000_000


class Canister:
    """What `upload_missing` needs of a client: it encodes and signs what it gets, as the real one does."""

    def __init__(self, chunks: int = CHUNKS) -> None:
        self.received: list[int] = []
        self.troubles: list[NetworkError] = []
        self.most_at_once = self._at_once = 0
        self._chunks, self._lock = chunks, threading.Lock()

    def missing_chunks(self) -> list[int]:
        return sorted(set(range(self._chunks)) - set(self.received))

    def put_chunk(self, index: int, data: bytes) -> None:
        with self._lock:
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            trouble = self.troubles.pop() if self.troubles else None
        content = requests.call_content(OWNER.principal, "put_chunk", candid.encode([Nat32, Blob], [index, data]))
        requests.sign(content, OWNER, 1)
        with self._lock:
            self._at_once -= 1
            if trouble is None:
                self.received.append(index)
        if trouble is not None:
            raise trouble


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    path = tmp_path / "program"
    with path.open("wb") as file:
        file.truncate(CHUNKS * CHUNK_SIZE_BYTES)
    return Upload.of("sparse", [("program", path)])


def send(canister: Canister, upload: Upload, cancel: Cancel | None = None) -> int:
    return upload_missing(cast(CanisterClient, canister), upload, ignore_progress, cancel or Cancel())


def test_memory_does_not_grow_with_the_model(upload: Upload) -> None:
    canister = Canister()
    tracemalloc.start()
    try:
        send(canister, upload)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sorted(canister.received) == list(range(CHUNKS))
    assert most_bytes < MEMORY_MOST_BYTES < upload.size_bytes
    assert canister.most_at_once <= PARALLEL_CHUNKS_MOST


def test_a_busy_network_is_given_time(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploading, "_BACKOFF_S", 0.001)
    canister = Canister()
    canister.troubles = [
        GatewayRefusedError(429, "slow down"),
        NetworkTimeoutError("late"),
        GatewayRefusedError(503, ""),
        RejectedError("", reject_code=2, reject_message="its heap delta is rate limited"),
    ]
    send(canister, upload)
    assert sorted(canister.received) == list(range(CHUNKS))


@pytest.mark.parametrize(
    "final", [GatewayRefusedError(413, "too large"), OutOfCyclesError("", reject_code=2, reject_message="")]
)
def test_a_refusal_for_good_is_not_tried_again(upload: Upload, final: NetworkError) -> None:
    canister = Canister()
    canister.troubles = [final]
    with pytest.raises(type(final)):
        send(canister, upload)


def test_another_computer_sends_only_what_is_missing(upload: Upload) -> None:
    canister, cancel = Canister(), Cancel()
    canister.troubles = [GatewayRefusedError(400, "the first computer is switched off")]
    with pytest.raises(GatewayRefusedError):
        send(canister, upload, cancel)
    arrived = len(canister.received)
    assert send(canister, upload) == (CHUNKS - arrived) * CHUNK_SIZE_BYTES
    assert sorted(canister.received) == list(range(CHUNKS)), "each once"


def test_cancelled_it_sends_nothing(upload: Upload) -> None:
    canister, cancel = Canister(), Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        send(canister, upload, cancel)
    assert canister.received == []


def test_the_pace_rises_one_by_one_and_halves() -> None:
    pace = Pace()
    for _ in range(PARALLEL_CHUNKS):
        pace.went_well()
    assert pace.limit == PARALLEL_CHUNKS + 1
    for _ in range(100):
        pace.went_well()
    assert pace.limit == PARALLEL_CHUNKS_MOST
    limits = []
    for _ in range(4):
        pace.refused()
        limits.append(pace.limit)
    assert limits == [3, 1, 1, 1]
