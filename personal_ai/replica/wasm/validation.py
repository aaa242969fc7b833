"""The network's rules for canister modules, beyond those of WebAssembly itself (which the compiler checks)."""

from __future__ import annotations

from dataclasses import dataclass

from personal_ai.replica.wasm.binary import EXTERNREF, FUNCREF, WasmError
from personal_ai.replica.wasm.ic0 import SYSTEM_FUNCTIONS
from personal_ai.replica.wasm.instrument import RESERVED_PREFIX
from personal_ai.replica.wasm.module import KIND_FUNCTION, FunctionType, Module

FUNCTIONS_MAX = 50_000
GLOBALS_MAX = 1_000
METHODS_MAX = 1_000
METHOD_NAMES_MAX_BYTES = 20_000
METADATA_SECTIONS_MAX = 16
METADATA_MAX_BYTES = 1 << 20
HEAP_32_MAX_PAGES = 1 << 16
HEAP_64_MAX_PAGES = 6 << 14  # 6 GiB

METHOD_KINDS = ("update", "query", "composite_query")
_ENTRY_POINTS = frozenset(
    f"canister_{name}"
    for name in (
        "init",
        "inspect_message",
        "pre_upgrade",
        "post_upgrade",
        "heartbeat",
        "global_timer",
        "on_low_wasm_memory",
    )
)
_NOTHING = FunctionType(b"", b"")


@dataclass(frozen=True, slots=True)
class Metadata:
    """A custom section `icp:public NAME` or `icp:private NAME`."""

    public: bool
    content: bytes


@dataclass(frozen=True, slots=True)
class Interface:
    """What a checked module offers: entry points like "canister_init", methods (name -> kind), metadata."""

    entry_points: frozenset[str]
    methods: dict[str, str]
    metadata: dict[str, Metadata]


def check(module: Module) -> Interface:
    """Checks a module that is valid WebAssembly. Raises WasmError with the broken rule."""
    _check_sizes(module)
    _check_imports(module)
    methods = _check_exports(module)
    entry_points = frozenset(export.name for export in module.exports) & _ENTRY_POINTS
    return Interface(entry_points, methods, _metadata(module))


def _check_sizes(module: Module) -> None:
    if len(module.functions) > FUNCTIONS_MAX:
        raise WasmError(f"The module has more than {FUNCTIONS_MAX:,} functions.")
    if len(module.globals) > GLOBALS_MAX:
        raise WasmError(f"The module has more than {GLOBALS_MAX:,} globals.")
    if len(module.tables) > 1:
        raise WasmError("The module has more than one table.")
    if len(module.memories) > 1:
        raise WasmError("The module has more than one memory.")
    if any(item.mutable and item.type in (FUNCREF, EXTERNREF) for item in module.globals):
        raise WasmError("The module has a mutable global that holds a reference, which cannot be saved.")
    for memory in module.memories:
        if memory.minimum > (HEAP_64_MAX_PAGES if memory.is_64 else HEAP_32_MAX_PAGES):
            raise WasmError("The module asks for more memory than a canister may have.")


def _check_imports(module: Module) -> None:
    for item in module.imports:
        if item.module != "ic0":
            raise WasmError(f"The module imports from {item.module!r}; canisters may import from ic0 alone.")
        function = SYSTEM_FUNCTIONS.get(item.name)
        if function is None:
            raise WasmError(f"The module imports ic0.{item.name}, which the practice network does not have.")
        if function.only_32 and module.is_64:
            raise WasmError(f"The module imports ic0.{item.name}, which a 64-bit memory does not allow.")
        if module.types[item.type_index] != function.type_for(module.is_64):
            raise WasmError(f"The module imports ic0.{item.name} with another type than it has.")


def _check_exports(module: Module) -> dict[str, str]:
    methods: dict[str, str] = {}
    for export in module.exports:
        if export.name.startswith(RESERVED_PREFIX):
            raise WasmError(f"The module exports the reserved name {export.name!r}.")
        prefix, blank, method = export.name.partition(" ")
        kind = prefix.removeprefix("canister_")
        is_method = bool(blank) and prefix != kind and kind in METHOD_KINDS
        if not is_method and export.name not in _ENTRY_POINTS:
            if export.name.startswith("canister_"):
                raise WasmError(f"The module exports the reserved name {export.name!r}.")
            continue
        if export.kind != KIND_FUNCTION or module.function_type(export.index) != _NOTHING:
            raise WasmError(f"The module exports {export.name!r}, which is no function without parameters and results.")
        if is_method:
            if method in methods:
                raise WasmError(f"The module exports the method {method!r} twice.")
            methods[method] = kind
    if len(methods) > METHODS_MAX:
        raise WasmError(f"The module has more than {METHODS_MAX:,} methods.")
    if sum(len(method.encode()) for method in methods) > METHOD_NAMES_MAX_BYTES:
        raise WasmError(f"The names of the module's methods are longer than {METHOD_NAMES_MAX_BYTES:,} bytes together.")
    return methods


def _metadata(module: Module) -> dict[str, Metadata]:
    found: dict[str, Metadata] = {}
    for title, content in module.custom:
        for prefix in ("icp:public ", "icp:private "):
            if title.startswith(prefix):
                key = title.removeprefix(prefix)
                if key in found:
                    raise WasmError(f"The module has the metadata section {key!r} twice.")
                found[key] = Metadata(prefix == "icp:public ", content)
    if len(found) > METADATA_SECTIONS_MAX:
        raise WasmError(f"The module has more than {METADATA_SECTIONS_MAX} metadata sections.")
    if sum(len(key.encode()) + len(item.content) for key, item in found.items()) > METADATA_MAX_BYTES:
        raise WasmError("The module's metadata is larger than 1 MiB.")
    return found
