"""What weights in the heap alone, kept over upgrades (`wasm_memory_persistence = keep`), would save and would break.

    python -m tests.benchmarks.heap_only [--shape smollm2-135m] [--weights int8] [--json]

The shipped engine is given the metadata section that the network asks of modules which may keep their heap, runs the
whole model with random weights on the practice network's executor, and is upgraded: to itself and to a build whose
constants lie elsewhere, with the heap kept and replaced. docs/engine-memory.md draws the conclusion.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from personal_ai.canister import build
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import UserFacingError
from personal_ai.common.paths import resource
from personal_ai.ic.profile import IC
from personal_ai.models.decoder import Decoder
from personal_ai.models.quantisation import Quantisation
from personal_ai.replica.execution import Entry, InstallMode, Message, Outcome
from tests.benchmarks.engine import compile_shape
from tests.benchmarks.shapes import SHAPES
from tests.canister.installed import INSTALL_LIMIT, OWNER, Installed, Network, Trapped
from tests.canister.models import Talk, load
from tests.support.programs import with_custom_section

_KEEPING = ("icp:private enhanced-orthogonal-persistence", b"")
_PROMPT = [7 * at for at in range(40)]
_GIB = 1 << 30
_DAY_S = 86_400


def measure(decoder: Decoder, weights: Quantisation) -> dict[str, Any]:
    """The figures of one model."""
    shipped = resource(build.WASM).read_bytes()
    same = with_custom_section(shipped, *_KEEPING)
    with tempfile.TemporaryDirectory() as scratch:
        network = Network(Path(scratch) / "network")
        upload = Upload.of("Benchmark", [("program", compile_shape(Path(scratch), decoder, weights).path)])
        canister = network.canister(same)
        load(canister.client, upload)
        loading = _instructions(canister)
        status = canister.client.status()
        moved = with_custom_section(_moved(Path(scratch)), *_KEEPING)
        return {
            "heap_bytes": status.heap_bytes,
            "stable_bytes": status.stable_bytes,
            "rent_per_day_cycles": _rent(status.heap_bytes + status.stable_bytes),
            "rent_per_day_heap_only_cycles": _rent(status.heap_bytes),
            "upload_again_cycles": IC.costs.ingress_per_byte * upload.size_bytes,
            "reload_after_upgrade_instructions": loading,
            "upgrades": {
                "no section, heap kept": _upgrade(canister, shipped, keep=True),
                "section, option left out": _upgrade(canister, same, keep=None),
                "same build, heap kept": _upgrade(canister, same, keep=True),
                "other build, heap replaced": _upgrade(canister, moved, keep=False),
                "other build, heap kept": _upgrade(canister, same, keep=True),
            },
        }


def _instructions(canister: Installed) -> int:
    """Of loading the model, after its upload."""
    loading = ("activate", "canister_global_timer")
    return sum(outcome.instructions for method, outcome in canister.calls if method in loading)


def _rent(size_bytes: int) -> int:
    return IC.costs.storage_per_gib_second * size_bytes * _DAY_S // _GIB


def _moved(folder: Path) -> bytes:
    """The engine with a longer version text: all constants behind it lie elsewhere, as after any change."""
    sources = shutil.copytree(build.SOURCES, folder / "src")
    (sources / "version.txt").write_text("a longer version than there was before " * 4)
    return build.build(sources)


def _upgrade(canister: Installed, wasm: bytes, *, keep: bool | None) -> dict[str, Any]:
    """Upgrades while a conversation is held, and asks it to go on."""
    canister.client.activate()
    talk = Talk(canister.client, [], b"kept")
    talk.go_on(0, [])
    talk.go_on(3, _PROMPT)
    message = Message(Entry.INIT, OWNER.bytes, b"DIDL\0\0", 1, INSTALL_LIMIT, replicated=True)
    outcome: Outcome = canister.executor.install(
        canister.id.bytes, wasm, InstallMode.UPGRADE, message, keep_memory=keep
    )
    if outcome.reject is not None:
        return {"refused": outcome.reject.message}
    return {"instructions": outcome.instructions, "the conversation then": _after(canister, talk)}


def _after(canister: Installed, talk: Talk) -> str:
    before = canister.client.status().counters.tokens_computed
    canister.client.activate()
    try:
        talk.go_on(3)
        return f"goes on, {canister.client.status().counters.tokens_computed - before} tokens computed"
    except Trapped as trap:
        return f"traps: {trap}"
    except UserFacingError as error:
        return type(error).__name__


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.heap_only", description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="smollm2-135m")
    parser.add_argument("--weights", choices=("int4", "int8", "f32"), default="int8")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    figures = {
        "module_hash": hashlib.sha256(resource(build.WASM).read_bytes()).hexdigest(),
        "shape": chosen.shape,
        "weights": chosen.weights,
        **measure(SHAPES[chosen.shape], chosen.weights),
    }
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
