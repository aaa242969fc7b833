"""Hostile ONNX files: refused with a typed error, whatever they hold; nothing outside of their folder is read."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from personal_ai.common.errors import BadInputError, FormatError
from personal_ai.compiler.compile import check, compile_onnx
from personal_ai.compiler.onnx_graph import read_onnx
from tests.compiler.onnx_models import CONTEXT, Change, changed_model, find, model, node, save


def _weight(changed: ModelProto, name: str = "wq") -> TensorProto:
    return next(tensor for tensor in changed.graph.initializer if tensor.name == name)


def _externally(folder: Path, **place: str) -> Path:
    """The model with `wq` in a data file of its own, and its entries changed."""
    changed = model()
    tensor = _weight(changed)
    (folder / "data").write_bytes(tensor.raw_data)
    length = len(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in ({"location": "data", "offset": "0", "length": str(length)} | place).items():
        tensor.external_data.add(key=key, value=value)
    return save(folder, changed)


def test_external_data_is_read_in_place(tmp_path: Path) -> None:
    inline = read_onnx(save(tmp_path, model())).constants["wq"]
    mapped = read_onnx(_externally(tmp_path)).constants["wq"]
    assert isinstance(mapped, np.memmap)
    np.testing.assert_array_equal(mapped, inline)


@pytest.mark.parametrize(
    "place",
    [
        {"location": "../data"},
        {"location": "/etc/passwd"},
        {"location": "sub/data"},
        {"location": "..\\data"},
        {"location": ""},
        {"location": ".."},
        {"location": "missing"},
        {"offset": "-1"},
        {"offset": "64"},
        {"offset": "18446744073709551616"},
        {"offset": "one"},
        {"length": "8"},
        {"length": "99999999999999999999999"},
    ],
    ids=str,
)
def test_external_data_outside_of_its_file_is_refused(tmp_path: Path, place: dict[str, str]) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "data").write_bytes(bytes(1 << 16))
    path = _externally(tmp_path / "folder", **place)
    with pytest.raises(FormatError):
        read_onnx(path)


def _cycle(changed: ModelProto) -> None:
    find(changed, "q").input[0] = "mixed"


def _missing(changed: ModelProto) -> None:
    find(changed, "q").input[1] = "nowhere"


def _twice(changed: ModelProto) -> None:
    changed.graph.node.append(node("MatMul", ["x", "wq"], ["k"]))


def _two_constants(changed: ModelProto) -> None:
    changed.graph.initializer.append(_weight(changed))


def _no_such_output(changed: ModelProto) -> None:
    changed.graph.output[0].name = "nowhere"


def _wrong_dtype(changed: ModelProto) -> None:
    _weight(changed).data_type = TensorProto.DOUBLE


def _unknown_dtype(changed: ModelProto) -> None:
    _weight(changed).data_type = 250


def _wrong_length(changed: ModelProto) -> None:
    _weight(changed).raw_data = b"1234"


def _short_int4(changed: ModelProto) -> None:
    _weight(changed).data_type = TensorProto.INT4
    _weight(changed).raw_data = bytes(511)


def _flat_int4(changed: ModelProto) -> None:
    _weight(changed).data_type = TensorProto.INT4
    _weight(changed).dims[:] = [1024]
    _weight(changed).raw_data = bytes(512)


def _negative_dims(changed: ModelProto) -> None:
    _weight(changed).dims[0] = -32


def _huge_dims(changed: ModelProto) -> None:
    _weight(changed).dims[0] = 1 << 60


def _rank_nine(changed: ModelProto) -> None:
    _weight(changed).dims[:] = [1] * 8 + [1024]


def _old_opset(changed: ModelProto) -> None:
    changed.opset_import[0].version = 17


def _no_opset(changed: ModelProto) -> None:
    del changed.opset_import[:]


def _function(changed: ModelProto) -> None:
    changed.functions.append(helper.make_function("d", "f", ["a"], ["b"], [], []))


def _sparse(changed: ModelProto) -> None:
    changed.graph.sparse_initializer.add()


DAMAGES: dict[str, Change] = {
    change.__name__: change
    for change in (
        *(_cycle, _missing, _twice, _two_constants, _no_such_output, _wrong_dtype, _unknown_dtype, _wrong_length),
        *(_short_int4, _flat_int4, _negative_dims, _huge_dims, _rank_nine, _old_opset, _no_opset, _function, _sparse),
    )
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_graphs_are_refused(tmp_path: Path, name: str) -> None:
    path = changed_model(tmp_path, DAMAGES[name])
    with pytest.raises(FormatError):
        check(path)


def test_what_is_no_onnx_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.onnx"
    with pytest.raises(FormatError, match="cannot be read"):
        read_onnx(path)
    for content in (b"", b"\x00" * 100, b"PK\x03\x04", random.Random(1).randbytes(3000)):
        path.write_bytes(content)
        with pytest.raises(FormatError):
            read_onnx(path)
    monkeypatch.setattr("personal_ai.compiler.onnx_graph.MODEL_SIZE_BYTES_MAX", 1000)
    path.write_bytes(bytes(1001))
    with pytest.raises(FormatError, match="larger"):
        read_onnx(path)


def test_random_damage_ends_in_a_program_or_a_typed_error(tmp_path: Path) -> None:
    original = save(tmp_path, model()).read_bytes()
    path, chance, outcomes = tmp_path / "damaged.onnx", random.Random(2), set()
    small = [place for place in range(len(original)) if place < 2500 or place > len(original) - 1500]
    for _ in range(300):
        data = bytearray(original)
        for _ in range(chance.randrange(1, 4)):
            data[chance.choice(small)] = chance.choice([0, 1, 0x7F, 0xFF, chance.randrange(256)])
        path.write_bytes(data)
        try:
            compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=CONTEXT)
            outcomes.add("compiled")
        except BadInputError as error:
            outcomes.add(type(error).__name__)
    assert {"compiled", "FormatError", "ModelObstaclesError"} <= outcomes
