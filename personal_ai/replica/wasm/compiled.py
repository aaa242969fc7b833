"""Compiles metered modules with wasmtime and keeps the results on disk."""

from __future__ import annotations

import atexit
import hmac
import importlib.metadata
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import wasmtime
from wasmtime import _ffi as ffi

from personal_ai.common.files import write_atomically
from personal_ai.replica.wasm.binary import WasmError
from personal_ai.replica.wasm.instrument import instrument
from personal_ai.replica.wasm.module import Module, parse, unpack
from personal_ai.replica.wasm.validation import Interface, check

HEAP_RESERVATION_BYTES = 6 << 30  # the largest heap (64-bit): a memory never moves while it grows

_METERING_VERSION = 1  # raise it when instrumentation changes: old compiled modules are then left alone
_OPERATORS_BYTES = 8
_SEAL_BYTES = 32
_LOADED_MAX = 32


@cache
def engine() -> wasmtime.Engine:
    """The one engine of this process, with the WebAssembly features that the network accepts."""
    config = wasmtime.Config()
    for feature in ("threads", "relaxed_simd", "multi_memory", "exceptions", "function_references", "gc"):
        setattr(config, f"wasm_{feature}", False)
    for feature in ("simd", "bulk_memory", "reference_types", "tail_call", "multi_value", "memory64"):
        setattr(config, f"wasm_{feature}", True)
    config.memory_reservation = HEAP_RESERVATION_BYTES
    config.memory_may_move = False
    # NaN bit patterns must not depend on the processor; the binding has no setter for this one.
    ffi.wasmtime_config_cranelift_nan_canonicalization_set(config.ptr(), True)
    made = wasmtime.Engine(config)
    atexit.register(made.close)  # the binding cannot free it any more once the interpreter shuts down
    return made


@dataclass(frozen=True, slots=True)
class CompiledModule:
    """A module ready to run. `operators` is the number of instructions of the original, `module` its outline."""

    module: Module
    interface: Interface
    linked: wasmtime.InstancePre
    operators: int


def first_line(error: wasmtime.WasmtimeError) -> str:
    """What went wrong, without the compiler's notes on where."""
    return str(error).strip().partition("\n")[0].rstrip(".")


def read(wasm: bytes) -> tuple[Module, Interface]:
    """Reads and checks a module as it was sent (perhaps gzip). Raises WasmError."""
    module = parse(unpack(wasm))
    try:
        wasmtime.Module.validate(engine(), module.data)
    except wasmtime.WasmtimeError as error:
        raise WasmError(f"The module is not valid: {first_line(error)}.") from error
    return module, check(module)


class ModuleCache:
    """Compiled modules by the hash of what was sent, in memory and in `folder`, which may be deleted at any time.

    A compiled module is machine code: only files sealed with the secret `key` of this state are ever loaded.
    Safe to use from several threads.
    """

    def __init__(
        self, folder: Path, key: bytes, link: Callable[[Module, wasmtime.Module], wasmtime.InstancePre]
    ) -> None:
        self._folder, self._key, self._link = folder, key, link
        self._lock = threading.Lock()
        self._loaded: dict[bytes, CompiledModule] = {}

    def get(self, module_hash: bytes, wasm: Callable[[], bytes]) -> CompiledModule:
        """The compiled module; `wasm` is called for the module as it was sent, if needed. Raises WasmError."""
        found = self._loaded.get(module_hash)
        if found is not None:
            return found
        with self._lock:
            if module_hash not in self._loaded:
                while len(self._loaded) >= _LOADED_MAX:
                    del self._loaded[next(iter(self._loaded))]
                self._loaded[module_hash] = self._load(module_hash, wasm())
            return self._loaded[module_hash]

    def _load(self, module_hash: bytes, wasm: bytes) -> CompiledModule:
        module, interface = read(wasm)
        version = importlib.metadata.version("wasmtime")
        path = self._folder / f"{module_hash.hex()}-wasmtime-{version}-metering-{_METERING_VERSION}"
        code, operators = self._stored(path) or self._compile(path, module)
        return CompiledModule(module, interface, self._link(module, code), operators)

    def _compile(self, path: Path, module: Module) -> tuple[wasmtime.Module, int]:
        metered = instrument(module)
        try:
            code = wasmtime.Module(engine(), metered.binary)
        except wasmtime.WasmtimeError as error:
            raise WasmError(f"The module could not be compiled: {first_line(error)}.") from error
        content = metered.operators.to_bytes(_OPERATORS_BYTES, "little") + bytes(code.serialize())
        write_atomically(path, self._seal(path, content) + content)
        return code, metered.operators

    def _stored(self, path: Path) -> tuple[wasmtime.Module, int] | None:
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        seal, content = stored[:_SEAL_BYTES], stored[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(path, content)):
            return None
        operators = int.from_bytes(content[:_OPERATORS_BYTES], "little")
        return wasmtime.Module.deserialize(engine(), content[_OPERATORS_BYTES:]), operators

    def _seal(self, path: Path, content: bytes) -> bytes:
        return hmac.digest(self._key, path.name.encode() + b"\0" + content, "sha256")
