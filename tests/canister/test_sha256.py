"""The canister's SHA-256 costs little enough that every byte of an upload can be verified."""

from __future__ import annotations

from pathlib import Path

from personal_ai.canister.upload import CHUNK_SIZE_BYTES
from tests.canister.metered import Probe

INSTRUCTIONS_PER_BYTE_MAX = 140


def test_instructions_per_byte(tmp_path: Path) -> None:
    probe = Probe("sha256_probe", "sha256", tmp_path)
    probe.write("bytes", bytes(range(256)) * (CHUNK_SIZE_BYTES // 256))
    probe.call("hash", CHUNK_SIZE_BYTES)
    print(f"{probe.instructions / CHUNK_SIZE_BYTES:.1f} instructions per byte")
    assert probe.instructions / CHUNK_SIZE_BYTES <= INSTRUCTIONS_PER_BYTE_MAX
