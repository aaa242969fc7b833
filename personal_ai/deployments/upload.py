"""Uploading a model in parallel, hashed chunks; what the canister has already verified is never sent again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from personal_ai.canister.client import CanisterClient
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import (
    NetworkError,
    NetworkTimeoutError,
    NetworkUnreachableError,
    OutOfCyclesError,
    RejectedError,
)
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.ic.rejections import GatewayRefusedError
from personal_ai.ic.transport import BUSY_STATUSES

STEP = "Uploading the weights"
# Enough to keep the network busy over a home connection; more only makes an interruption cost more.
PARALLEL_CHUNKS = 4
PARALLEL_CHUNKS_MOST = 6  # each is in memory about four times on its way: all together stay below 64 MB
_ATTEMPTS_MAX = 4
_BACKOFF_S = 0.5
_SYS_TRANSIENT = 2  # the reject code of a network that has no room for a message now


class Pace:
    """How many chunks are on their way at once: one more after each round that went well, half after a refusal.

    Additive increase, multiplicative decrease, as TCP does it (RFC 5681). Safe to use from several threads.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._limit, self._sending, self._went_well = PARALLEL_CHUNKS, 0, 0

    @property
    def limit(self) -> int:
        """Chunks at once."""
        return self._limit

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until another chunk may go, and counts it while it does."""
        with self._changed:
            self._changed.wait_for(lambda: self._sending < self._limit)
            self._sending += 1
        try:
            yield
        finally:
            with self._changed:
                self._sending -= 1
                self._changed.notify_all()

    def went_well(self) -> None:
        """A chunk has arrived."""
        with self._changed:
            self._went_well += 1
            if self._went_well >= self._limit:
                self._limit, self._went_well = min(self._limit + 1, PARALLEL_CHUNKS_MOST), 0
                self._changed.notify_all()

    def refused(self) -> None:
        """The network had no room, or did not answer in time."""
        with self._changed:
            self._limit, self._went_well = max(self._limit // 2, 1), 0


def upload_missing(client: CanisterClient, upload: Upload, on_progress: ProgressCallback, cancel: Cancel) -> int:
    """Sends every chunk that the canister lacks, and returns the bytes sent.

    After a Cancel or an error the chunks under way are waited for, so that none is sent twice later on.
    Raises what the canister and the network raise, and Cancelled.
    """
    missing = client.missing_chunks()
    sizes = {index: upload.chunk_size_bytes(index) for index in missing}
    missing_bytes = sum(sizes.values())
    meter = Meter(STEP, upload.size_bytes, "bytes", on_progress, done=upload.size_bytes - missing_bytes)
    pace = Pace()

    def send(index: int) -> None:
        _send_with_retries(client, upload, index, pace, cancel)
        meter.advance(sizes[index])

    with ThreadPoolExecutor(PARALLEL_CHUNKS_MOST, thread_name_prefix="upload") as pool:
        futures: list[Future[None]] = [pool.submit(send, index) for index in missing]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
    for future in done:
        future.result()
    cancel.raise_if_cancelled()
    return missing_bytes


def _send_with_retries(client: CanisterClient, upload: Upload, index: int, pace: Pace, cancel: Cancel) -> None:
    """A chunk may be sent again harmlessly: the canister answers the same. It is in memory only while it is sent."""
    for attempt in range(_ATTEMPTS_MAX):
        try:
            with pace.turn():
                cancel.raise_if_cancelled()
                client.put_chunk(index, upload.read_chunk(index))
            pace.went_well()
            return
        except NetworkError as error:
            if not _is_passing(error):
                raise
            pace.refused()
            if attempt == _ATTEMPTS_MAX - 1:
                raise
            cancel.wait(_BACKOFF_S * 2**attempt)


def _is_passing(error: NetworkError) -> bool:
    """Whether the same message may be taken a little later."""
    if isinstance(error, GatewayRefusedError):
        return error.status in BUSY_STATUSES
    if isinstance(error, RejectedError):
        return error.reject_code == _SYS_TRANSIENT and not isinstance(error, OutOfCyclesError)
    return isinstance(error, NetworkTimeoutError | NetworkUnreachableError)
