"""Builds what goes into canisters: `python -m personal_ai.canister.build` writes resources/canister.wasm (the engine)
and drain.wasm (which sends the cycles off before the end), with `--check` it only compares. The same sources give the
same bytes in any folder and on any machine, so anyone can see that the module whose hash the network certifies is this
one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from personal_ai.common.errors import UserFacingError
from personal_ai.common.paths import resource
from personal_ai.common.zig import BuildError, write_or_compare, zig
from personal_ai.ic import leb128

SOURCES = Path(__file__).parent / "engine" / "src"
DRAIN_SOURCES = Path(__file__).parent / "drain"
WASM = "canister.wasm"
DRAIN_WASM = "drain.wasm"
CANDID = "canister.did"

_STACK_SIZE_BYTES = 1 << 20
_DRAIN_STACK_SIZE_BYTES = 1 << 14
_TARGET = ("-target", "wasm32-freestanding", "-mcpu", "generic+simd128+bulk_memory+sign_ext")
_LINKING = ("-fstrip", "-fno-entry", "-rdynamic", "--stack")
_MODE = ("-O", "ReleaseSafe", *_LINKING, str(_STACK_SIZE_BYTES))
_DRAIN_MODE = ("-O", "ReleaseSmall", *_LINKING, str(_DRAIN_STACK_SIZE_BYTES))


def build(sources: Path = SOURCES, candid: Path | None = None) -> bytes:
    """The finished module. Raises BuildError."""
    module = _compile(sources, _MODE)
    interface = (candid or resource(CANDID)).read_bytes()
    version = (sources / "version.txt").read_bytes()
    return (
        module
        + _custom_section("icp:public candid:service", interface)
        + _custom_section("icp:public personal-ai:version", version)
    )


def build_drain(sources: Path = DRAIN_SOURCES) -> bytes:
    """The module that empties a canister of its cycles. Raises BuildError."""
    return _compile(sources, _DRAIN_MODE)


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1: one was not built, or with --check is not the same."""
    parser = argparse.ArgumentParser(prog="python -m personal_ai.canister.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the module in resources, write nothing")
    check: bool = parser.parse_args(arguments).check
    try:
        for name, make in ((WASM, build), (DRAIN_WASM, build_drain)):
            module = make()
            write_or_compare(resource(name), module, check=check, command="python -m personal_ai.canister.build")
            print(f"{name}: {len(module)} bytes")
    except UserFacingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _compile(sources: Path, mode: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="personal-ai-build-") as folder:
        linked = Path(folder) / WASM
        result = zig("build-exe", "main.zig", *_TARGET, *mode, f"-femit-bin={linked}", cwd=sources)
        if result.returncode != 0 or not linked.exists():
            raise BuildError(f"The canister's sources do not compile:\n{result.stderr}")
        return linked.read_bytes()


def _custom_section(name: str, content: bytes) -> bytes:
    """A section that the linker would drop: id 0, length, name, content (WebAssembly core specification, 5.5.3)."""
    payload = leb128.unsigned(len(name.encode())) + name.encode() + content
    return b"\x00" + leb128.unsigned(len(payload)) + payload


if __name__ == "__main__":
    raise SystemExit(main())
