"""Test canisters in Zig, built once with the compiler that also builds the real canister."""

from __future__ import annotations

import hashlib
import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAMS = Path(__file__).parent.parent / "replica" / "programs"


def echo_program(built_folder: Path) -> bytes:
    """The echo canister with its interface as metadata; it is built where `built_folder` does not hold it yet."""
    return with_custom_section(_build("echo", built_folder), "icp:public candid:service", b"service : {}")


def with_custom_section(wasm: bytes, name: str, content: bytes) -> bytes:
    """A module with one more custom section at its end."""
    body = _leb(len(name.encode())) + name.encode() + content
    return wasm + b"\0" + _leb(len(body)) + body


def _build(name: str, built_folder: Path) -> bytes:
    source = PROGRAMS / f"{name}.zig"
    version = importlib.metadata.version("ziglang")
    digest = hashlib.sha256(source.read_bytes() + version.encode()).hexdigest()
    built = built_folder / f"{name}-{digest[:16]}.wasm"
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
