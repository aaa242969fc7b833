"""Program files: written and read back, damaged ones refused; the Zig constants are those of format.py."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError, UnknownVersionError
from personal_ai.compiler import format as f
from personal_ai.compiler import zig_constants
from personal_ai.compiler.program import Dimension, Operator, Port, Program, Tensor
from personal_ai.compiler.program_file import read_program, tables_size_bytes, write_tables

GOLDEN = Path(__file__).parent / "golden" / "llama-int8" / "program"

words = st.integers(0, 0xFFFF_FFFF)
dimensions = st.builds(Dimension, words, words, words, words)
ports = st.builds(Port, st.sampled_from(f.Direction), st.text(min_size=1, max_size=14), words)
tensors = st.builds(
    Tensor,
    st.sampled_from(f.Element),
    st.sampled_from(f.Storage),
    st.lists(dimensions, min_size=1, max_size=f.RANK_MAX).map(tuple),
    words,
    words,
)


@st.composite
def operators(draw: st.DrawFn) -> Operator:
    code = draw(st.sampled_from(f.Code))
    signature = f.SIGNATURES[code]
    floats = st.floats(width=32, allow_nan=False, allow_infinity=False)
    attributes = {name: draw(floats if kind == "f32" else words) for name, kind in signature.attributes}
    inputs, outputs = (tuple(draw(words) for _ in range(count)) for count in (signature.inputs, signature.outputs))
    return Operator(code, inputs, outputs, attributes)


programs = st.builds(
    Program,
    *([words] * 7),
    tensors=st.lists(tensors, max_size=20).map(tuple),
    operators=st.lists(operators(), max_size=20).map(tuple),
    end_tokens=st.lists(words, max_size=5).map(tuple),
    weights_size_bytes=st.integers(0, 300),
    kind=st.sampled_from(f.Kind),
    symbol_maxima=st.tuples(words, words, words),
    ports=st.lists(ports, max_size=5).map(tuple),
)


@given(program=programs)
def test_what_is_written_is_read_again(tmp_path_factory: pytest.TempPathFactory, program: Program) -> None:
    path = tmp_path_factory.mktemp("program") / "program"
    with path.open("w+b") as file:
        file.truncate(tables_size_bytes(program) + program.weights_size_bytes)
        write_tables(program, file)
    assert read_program(path) == program


def test_the_zig_constants_are_in_step() -> None:
    assert zig_constants.TARGET.read_text() == zig_constants.render()


def test_records_have_the_documented_sizes() -> None:
    sizes = {record.name: record.layout.size for record in f.RECORDS}
    tables = {"Header": 64, "SectionEntry": 16, "Dimension": 16, "Tensor": 32, "Operator": 40, "Port": 64}
    assert sizes == tables | {"PackedHeader": 16, "Frame": 8}


def test_another_version_is_refused(tmp_path: Path) -> None:
    data = bytearray(GOLDEN.read_bytes())
    struct.pack_into("<I", data, 8, f.VERSION + 1)
    path = tmp_path / "program"
    path.write_bytes(data)
    with pytest.raises(UnknownVersionError, match="version 3"):
        read_program(path)


def test_a_program_too_large_for_a_canister_is_not_written(tmp_path: Path) -> None:
    program = Program(1, 1, 1, 0, 0, 0, 0, (), (), (), 0xFFFF_FFFF)
    with (tmp_path / "program").open("w+b") as file, pytest.raises(FormatError, match="4294967295"):
        write_tables(program, file)


def test_damaged_files_are_refused_or_read(tmp_path: Path) -> None:
    original = GOLDEN.read_bytes()
    path = tmp_path / "program"
    chance = random.Random(1)
    refused = 0
    for _ in range(500):
        data = bytearray(original[:4096])
        data += original[4096 : chance.choice([len(original), chance.randrange(4096, len(original))])]
        for _ in range(chance.randrange(4)):
            place = chance.randrange(3000)
            data[place] = chance.choice([0, 0xFF, chance.randrange(256)])
        path.write_bytes(data)
        try:
            read_program(path)
        except FormatError:
            refused += 1
    assert 30 < refused < 500
