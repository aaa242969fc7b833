"""Test canisters, built once with the Zig compiler that also builds the real canister."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.replica.network.inside import Inside

PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="session")
def echo_wasm(pytestconfig: pytest.Config) -> bytes:
    """The echo canister (programs/echo.zig) with its interface as metadata."""
    return with_custom_section(_build(pytestconfig, "echo"), "icp:public candid:service", b"service : {}")


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[Inside]:
    """The parts of a network, without a process."""
    parts = Inside.open(tmp_path / "inside")
    yield parts
    parts.store.close()


def with_custom_section(wasm: bytes, name: str, content: bytes) -> bytes:
    """A module with one more custom section at its end."""
    body = _leb(len(name.encode())) + name.encode() + content
    return wasm + b"\0" + _leb(len(body)) + body


def _build(config: pytest.Config, name: str) -> bytes:
    source = PROGRAMS / f"{name}.zig"
    version = importlib.metadata.version("ziglang")
    digest = hashlib.sha256(source.read_bytes() + version.encode()).hexdigest()
    assert config.cache is not None
    built = config.cache.mkdir("programs") / f"{name}-{digest[:16]}.wasm"
    if not built.exists():
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            aside = Path(folder) / built.name
            options = ["-target", "wasm32-freestanding", "-mcpu", "generic+simd128+bulk_memory+sign_ext"]
            options += ["-O", "ReleaseSafe", "-fno-entry", "-fstrip", "-rdynamic", f"-femit-bin={aside}"]
            subprocess.run([sys.executable, "-m", "ziglang", "build-exe", str(source), *options], check=True)
            aside.replace(built)  # another worker may have done the same
    return built.read_bytes()


def _leb(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + _leb(value >> 7)
