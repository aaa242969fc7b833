"""Files by the real library are read exactly; broken ones are refused with a typed error and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from personal_ai.common.errors import FormatError
from personal_ai.models.safetensors_file import SafetensorsFile


@pytest.mark.parametrize("number_format", [np.float32, np.float16, ml_dtypes.bfloat16], ids=["F32", "F16", "BF16"])
def test_rows_are_read_as_f32(tmp_path: Path, number_format: Any) -> None:
    values = np.random.default_rng(0).standard_normal((7, 3, 2)).astype(number_format)
    save_file({"a": np.arange(5, dtype=np.int64), "b": values}, tmp_path / "t.safetensors")
    file = SafetensorsFile(tmp_path / "t.safetensors")
    rows = file.rows("b", 2, 6)
    assert rows.dtype == np.float32
    assert np.array_equal(rows, values[2:6].astype(np.float32))
    assert file.tensors["b"].readable
    assert not file.tensors["a"].readable
    file.close()


def safetensors(header: object, data: bytes = bytes(64)) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(**changes: object) -> dict[str, object]:
    return {"t": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]} | changes}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"short",
        bytes(8),
        (1 << 40).to_bytes(8, "little") + b"{}",
        (2**64 - 1).to_bytes(8, "little") + b"{}" * 20,
        (20).to_bytes(8, "little") + b"{}",
        safetensors([]),
        safetensors({"t": 5}),
        safetensors({"t": {}}),
        safetensors(entry(dtype="F99")),
        safetensors(entry(dtype=7)),
        safetensors(entry(shape=[4, -4])),
        safetensors(entry(shape=[4, 4.0])),
        safetensors(entry(shape=[4, True])),
        safetensors(entry(shape="44")),
        safetensors(entry(shape=[1 << 62, 1 << 62])),
        safetensors(entry(shape=[1] * 100)),
        safetensors(entry(data_offsets=[0, 60])),
        safetensors(entry(data_offsets=[4, 68])),
        safetensors(entry(data_offsets=[-64, 0])),
        safetensors(entry(data_offsets=[64, 0])),
        safetensors(entry(data_offsets=[0])),
        safetensors(entry(), bytes(63)),
        (10**6).to_bytes(8, "little") + b"[" * 10**6,
    ],
    ids=lambda content: content[:40].hex(),
)
def test_broken_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.safetensors"
    path.write_bytes(content)
    with pytest.raises(FormatError):
        SafetensorsFile(path)


@given(position=st.integers(0, 200), byte=st.integers(0, 255), cut=st.integers(0, 250))
@settings(max_examples=300)
def test_damage_anywhere_is_an_error_or_other_numbers(tmp_path: Path, position: int, byte: int, cut: int) -> None:
    content = bytearray(safetensors(entry() | {"__metadata__": {"format": "pt"}}))
    content[min(position, len(content) - 1)] = byte
    path = tmp_path / "t.safetensors"
    path.write_bytes(content[: max(1, len(content) - cut)])
    try:
        file = SafetensorsFile(path)
    except FormatError:
        return
    for name, tensor in file.tensors.items():
        if tensor.readable and tensor.shape:
            file.rows(name, 0, tensor.shape[0])
    file.close()


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read"):
        SafetensorsFile(tmp_path / "none.safetensors")
