"""Uploads on this computer's side: coverage of files by chunks, hashes, damaged files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from personal_ai.canister.upload import CHUNK_SIZE_BYTES, Upload, UploadFile, UploadManifest
from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError
from personal_ai.common.jobs import Cancel, Progress

GOLDEN = Path(__file__).parent / "golden" / "upload.json"


def _files(folder: Path, *sizes: int) -> list[tuple[str, Path]]:
    files = []
    for number, size in enumerate(sizes):
        path = folder / f"file-{number}"
        path.write_bytes(bytes((number + place) % 251 for place in range(1000)) * (size // 1000 + 1))
        with path.open("r+b") as file:
            file.truncate(size)
        files.append(("program" if number == 0 else path.name, path))
    return files


def test_chunks_cover_the_files_one_after_another(tmp_path: Path) -> None:
    files = _files(tmp_path, CHUNK_SIZE_BYTES - 10, 0, 20, CHUNK_SIZE_BYTES + 5)
    upload = Upload.of("name", files)
    whole = b"".join(path.read_bytes() for _, path in files)
    chunks = [upload.read_chunk(index) for index in range(3)]
    assert b"".join(chunks) == whole
    assert [len(chunk) for chunk in chunks] == [upload.chunk_size_bytes(index) for index in range(3)]
    assert [len(chunk) for chunk in chunks] == [CHUNK_SIZE_BYTES, CHUNK_SIZE_BYTES, 15]
    assert upload.manifest.chunk_hashes == tuple(hashlib.sha256(chunk).digest() for chunk in chunks)


def test_golden_hashes() -> None:
    for case in json.loads(GOLDEN.read_text()):
        files = tuple(UploadFile(name, size) for name, size in case["files"])
        manifest = UploadManifest(case["name"], files, tuple(map(bytes.fromhex, case["chunk_hashes"])))
        assert manifest.canonical_bytes().hex() == case["canonical"]
        assert manifest.hash.hex() == case["hash"]


def test_progress_and_cancel(tmp_path: Path) -> None:
    seen: list[Progress] = []
    Upload.of("name", _files(tmp_path, 2 * CHUNK_SIZE_BYTES), seen.append)
    assert [report.done for report in seen] == [0, CHUNK_SIZE_BYTES, 2 * CHUNK_SIZE_BYTES]
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        Upload.of("name", _files(tmp_path, 10), cancel=cancel)


def test_nothing_and_too_much_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="0 bytes"):
        Upload.of("name", _files(tmp_path, 0))
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(4096 * CHUNK_SIZE_BYTES + 1)  # a sparse file
    with pytest.raises(BadInputError, match="at most"):
        Upload.of("name", [("program", huge)])


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    files = _files(tmp_path, 1000)
    upload = Upload.of("name", files)
    files[0][1].write_bytes(b"short")
    with pytest.raises(DamagedFileError):
        upload.read_chunk(0)
