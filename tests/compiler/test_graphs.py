"""Graphs of ordinary operators: compiled, they compute what onnxruntime computes, in whatever tiles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import wasmtime
from onnx import TensorProto

from personal_ai.common.errors import UnsupportedModelError
from personal_ai.compiler.compile import compile_graph
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_graph import StepRefused, WasmGraph
from tests.compiler.drawn_graphs import BATCH, GRAPHS, MAXIMA, SEQUENCE, Drawn, given, save


@pytest.mark.parametrize("name", GRAPHS)
def test_the_numbers_are_those_of_onnxruntime_in_any_tiles(
    tmp_path: Path,
    harness: wasmtime.Module,
    name: str,
) -> None:
    drawn = GRAPHS[name]
    path = save(tmp_path / "model.onnx", drawn)
    compile_graph(path, tmp_path / "program", maxima=MAXIMA)
    graph = WasmGraph(harness, tmp_path / "program")
    session = onnxruntime.InferenceSession(path)
    for batch, sequence in ((BATCH, SEQUENCE), (1, 2), (MAXIMA["batch"], MAXIMA["sequence"])):
        values = given(drawn, batch, sequence)
        (expected,) = session.run(None, values)
        result = graph.run(values)["y"]
        np.testing.assert_allclose(result, np.asarray(expected), rtol=2e-5, atol=2e-5)
        assert graph.run(values, rows=1)["y"].tobytes() == result.tobytes()
        assert graph.run(values, rows=2)["y"].tobytes() == result.tobytes()
        assert all(used <= foretold for _, foretold, used in graph.steps)


def test_rows_that_a_table_does_not_have_are_refused(
    tmp_path: Path,
    harness: wasmtime.Module,
) -> None:
    drawn = GRAPHS["embeddings"]
    compile_graph(save(tmp_path / "model.onnx", drawn), tmp_path / "program", maxima=MAXIMA)
    graph = WasmGraph(harness, tmp_path / "program")
    for row in (40, -41, 2**62, -(2**63)):
        with pytest.raises(StepRefused, match="BadIndex"):
            graph.run({"ids": np.full((2, 3), row)})
    last = graph.run({"ids": np.full((1, 2), -1)})["y"]
    assert not np.array_equal(last, graph.run({"ids": np.full((1, 2), 38)})["y"])


def test_a_shape_that_only_some_lengths_allow_is_refused_when_it_comes(
    tmp_path: Path,
    harness: wasmtime.Module,
) -> None:
    drawn = Drawn([("Reshape", ["x", "shape"], "y", {})], {"x": ("batch", 6)}, {"shape": np.asarray([3, 4])})
    compile_graph(save(tmp_path / "model.onnx", drawn), tmp_path / "program", maxima=MAXIMA)
    graph = WasmGraph(harness, tmp_path / "program")
    assert graph.run(given(drawn, batch=2))["y"].shape == (3, 4)
    with pytest.raises(StepRefused, match="BadReshape"):
        graph.run(given(drawn, batch=3))


X = {"x": ("batch", "sequence", 12)}
REFUSED: dict[str, tuple[Drawn, str]] = {
    "an operator that is not there": (
        Drawn([("Softplus", ["x"], "y", {})], X),
        "Softplus.*does not have this operator",
    ),
    "another axis": (Drawn([("Softmax", ["x"], "y", {"axis": 1})], X), "Softmax.*another axis"),
    "a power": (Drawn([("Pow", ["x", "p"], "y", {})], X, {"p": np.float32(3)}), "Pow.*powers 0.5, 1 and 2"),
    "an axis that may be empty": (
        Drawn([("Slice", ["x", "a", "b", "a"], "y", {})], X, {"a": np.asarray([1]), "b": np.asarray([2**40])}),
        "Slice.*may be empty",
    ),
    "beyond an axis": (
        Drawn([("Gather", ["x", "at"], "y", {"axis": 1})], X, {"at": np.asarray([1])}),
        "Gather.*beyond the axis",
    ),
    "a cast": (Drawn([("Cast", ["x"], "y", {"to": TensorProto.INT64})], X), "Cast.*only casts to float32"),
    "a length without a maximum": (Drawn([("Relu", ["x"], "y", {})], {"x": ("rows", 4)}), "no maximum.*'rows'"),
    "an input of another kind": (Drawn([("Relu", ["x"], "y", {})], {"x": ()}), "Input.*1 to 8 axes"),
    "a norm of odd width": (
        Drawn([("LayerNormalization", ["x", "g"], "y", {})], {"x": (2, 3)}, {"g": np.ones(3, dtype=np.float32)}),
        "LayerNormalization.*multiple of 4",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_run_is_refused_by_name(tmp_path: Path, name: str) -> None:
    drawn, reason = REFUSED[name]
    with pytest.raises(UnsupportedModelError, match=f"(?s){reason}"):
        compile_graph(save(tmp_path / "model.onnx", drawn), tmp_path / "program", maxima=MAXIMA)
    assert not (tmp_path / "program").exists()
