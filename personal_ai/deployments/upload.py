"""Uploading a model in parallel, hashed chunks; what the canister has already verified is never sent again."""

from __future__ import annotations

from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from personal_ai.canister.client import CanisterClient
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import NetworkTimeoutError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback

STEP = "Uploading the weights"
# Enough to keep the network busy over a home connection; more only makes an interruption cost more.
PARALLEL_CHUNKS = 4
_ATTEMPTS_MAX = 4
_BACKOFF_S = 0.5


def upload_missing(client: CanisterClient, upload: Upload, on_progress: ProgressCallback, cancel: Cancel) -> int:
    """Sends every chunk that the canister lacks, and returns the bytes sent.

    After a Cancel or an error the chunks under way are waited for, so that none is sent twice later on.
    Raises what the canister and the network raise, and Cancelled.
    """
    missing = client.missing_chunks()
    sizes = {index: upload.chunk_size_bytes(index) for index in missing}
    missing_bytes = sum(sizes.values())
    meter = Meter(STEP, upload.size_bytes, "bytes", on_progress, done=upload.size_bytes - missing_bytes)

    def send(index: int) -> None:
        cancel.raise_if_cancelled()
        _send_with_retries(client, index, upload.read_chunk(index), cancel)
        meter.advance(sizes[index])

    with ThreadPoolExecutor(PARALLEL_CHUNKS, thread_name_prefix="upload") as pool:
        futures: list[Future[None]] = [pool.submit(send, index) for index in missing]
        done, waiting = wait(futures, return_when=FIRST_EXCEPTION)
        for future in waiting:
            future.cancel()
    for future in done:
        future.result()
    cancel.raise_if_cancelled()
    return missing_bytes


def _send_with_retries(client: CanisterClient, index: int, chunk: bytes, cancel: Cancel) -> None:
    """A chunk may be sent again harmlessly: the canister answers the same."""
    for attempt in range(_ATTEMPTS_MAX):
        try:
            client.put_chunk(index, chunk)
            return
        except (NetworkTimeoutError, NetworkUnreachableError):
            if attempt == _ATTEMPTS_MAX - 1:
                raise
            cancel.wait(_BACKOFF_S * 2**attempt)
