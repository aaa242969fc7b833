"""What the deployment is told of the heap is what the real module takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from personal_ai.canister.heap import FURTHER_CONVERSATIONS_BYTES, heap_need
from personal_ai.canister.upload import Upload
from personal_ai.compiler.compile import ProgramInfo, compile_package
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.quantisation import Quantisation
from personal_ai.replica.canister import CanisterSettings
from tests.canister.installed import Installed, Network
from tests.canister.models import Talk, load
from tests.support.checkpoints import Shape, write_checkpoint

SHAPES: list[tuple[Shape, Quantisation]] = [
    (Shape(context=64), "int8"),
    (Shape(context=2048, layers=4, heads=8, key_value_heads=8, hidden=256), "int8"),
    (Shape(context=2048, layers=4, heads=8, key_value_heads=8, hidden=256, vocabulary=5000), "f32"),
    (Shape(context=64, layers=3, hidden=512, heads=8, intermediate=2048), "int4"),
]


def _compiled(folder: Path, shape: Shape, quantisation: Quantisation) -> ProgramInfo:
    checkpoint = write_checkpoint(folder / "checkpoint", shape)
    package = import_folder(checkpoint, Library(folder / "library"), quantisation=quantisation)
    return compile_package(package, folder / "program", context_length=shape.context)


def _fill(canister: Installed, program: ProgramInfo) -> tuple[int, int]:
    """Heap with the first and with as many conversations as the canister holds."""
    load(canister.client, Upload.of("m", [("program", program.path)]))
    first_bytes = canister.client.status().heap_bytes
    for number in range(20):
        Talk(canister.client, [], bytes([number])).go_on(1, [1])
    return first_bytes, canister.client.status().heap_bytes


@pytest.mark.parametrize(("shape", "quantisation"), SHAPES)
def test_the_heap_is_what_was_told(
    canister: Installed, tmp_path: Path, shape: Shape, quantisation: Quantisation
) -> None:
    program = _compiled(tmp_path, shape, quantisation)
    need = heap_need(program)
    first_bytes, most_bytes = _fill(canister, program)
    assert need.first_bytes - (2 << 20) < first_bytes <= need.first_bytes
    assert need.most_bytes - (2 << 20) < most_bytes <= need.most_bytes
    assert len(canister.client.status().conversations) == need.conversations


def test_as_a_limit_it_is_enough(network: Network, tmp_path: Path) -> None:
    program = _compiled(tmp_path, *SHAPES[1])
    settings = CanisterSettings(wasm_memory_limit=heap_need(program).most_bytes)
    _fill(network.canister(settings=settings), program)


def test_long_contexts_leave_room_for_few(tmp_path: Path) -> None:
    program = _compiled(tmp_path, *SHAPES[0])
    wide = replace(program, state_bytes=FURTHER_CONVERSATIONS_BYTES // 2 + 1)
    assert heap_need(wide).conversations == 2
    assert heap_need(replace(program, state_bytes=FURTHER_CONVERSATIONS_BYTES)).conversations == 1
    assert heap_need(replace(program, program_bytes=4 << 30)).most_bytes >= 4 << 30
