"""The written graph is the architecture: against plain numpy, by the ONNX checker, and in onnxruntime."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import BLOCK_SIZE, QUANTISATIONS, Quantisation, dequantise, quantise, quantise_int4
from personal_ai.models.runtime import onnxruntime
from tests.models.conftest import Importer
from tests.support import reference
from tests.support.checkpoints import NumberFormat, Shape, write_checkpoint

LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SHAPES = {
    "gpt2, tied": Shape("gpt2", tied=True),
    "gpt2, untied, ragged blocks": Shape("gpt2", hidden=72, intermediate=100),
    "llama, grouped heads": Shape("llama", heads=8, key_value_heads=2),
    "llama, tied, one key/value head": Shape("llama", key_value_heads=1, tied=True),
    "llama, biases, wide heads, stretched rope": Shape("llama", bias=True, head_size=32, rope_scaling=LLAMA_3),
    "llama, ragged blocks": Shape("llama", hidden=80, intermediate=130),
    "mistral": Shape("mistral"),
    "mistral, window": Shape("mistral", window=12),
    "gemma 3": Shape("gemma3_text", tied=True, layers=4, head_size=32, key_value_heads=1, window=12),
    "gemma 3, capped, untied": Shape("gemma3_text", layers=3, window=7, logit_cap=3.0),
    "phi 3": Shape("phi3"),
    "phi 3, window, part of the head turned": Shape("phi3", window=9, head_size=32, partial_rotary=0.5),
    "qwen2": Shape("qwen2", tied=True),
    "qwen3": Shape("qwen3", head_size=32),
}
by_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
TOKENS = [int(token) for token in np.random.default_rng(3).integers(0, 384, 100)]


@by_shape
def test_logits_are_the_architectures(shape: Shape, imported: Importer) -> None:
    source, package = imported(shape)
    expected = reference.logits(source, TOKENS)
    model = LocalModel(package)
    assert np.abs(model.logits(TOKENS) - expected[-1]).max() < 1e-4
    for position in (0, 1, 17, 63):
        assert np.abs(model.logits(TOKENS[: position + 1]) - expected[position]).max() < 1e-4
    assert np.ptp(expected[-1]) > 1, "a flat answer would prove nothing"
    model.close()


@by_shape
@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_a_prompt_at_once_equals_one_token_after_the_other(
    shape: Shape, quantisation: Quantisation, imported: Importer
) -> None:
    _, package = imported(shape, quantisation)
    at_once, stepwise = LocalModel(package), LocalModel(package)
    for count in range(1, 41):
        last = stepwise.logits(TOKENS[:count])
    # onnxruntime adds up in another order for one row than for many, and its products round what comes in to 8 bits.
    bound = {"f32": 2e-4, "int8": 0.02 * np.ptp(last), "int4": 0.05 * np.ptp(last)}[quantisation]
    assert np.abs(at_once.logits(TOKENS[:40]) - last).max() < bound
    at_once.close()
    stepwise.close()


@by_shape
@pytest.mark.parametrize(("quantisation", "error_max", "correlation_min"), [("int8", 0.1, 0.99), ("int4", 0.6, 0.8)])
def test_rounded_weights_stay_near_f32(
    shape: Shape, quantisation: Quantisation, error_max: float, correlation_min: float, imported: Importer
) -> None:
    """Random weights have the widest spread that a model can have; trained ones come nearer (conformance.quantisation
    measures them).
    """
    exact, rounded = (LocalModel(imported(shape, name)[1]) for name in ("f32", quantisation))
    expected = exact.logits(TOKENS[:20])
    error = np.abs(rounded.logits(TOKENS[:20]) - expected)
    assert error.mean() < error_max * expected.std()
    assert np.corrcoef(expected, rounded.logits(TOKENS[:20]))[0, 1] > correlation_min


@by_shape
@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_the_graph_passes_the_checker_and_has_the_written_names(
    shape: Shape, quantisation: Quantisation, imported: Importer
) -> None:
    _, package = imported(shape, quantisation)
    onnx.checker.check_model(str(package.onnx_path), full_check=True)
    model = onnx.load(package.onnx_path, load_external_data=False)
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 24)]
    assert all(node.name == node.output[0] for node in model.graph.node)
    names = [value.name for value in model.graph.input]
    assert names[:3] == ["input_ids", "past_key_values.0.key", "past_key_values.0.value"]
    assert [value.name for value in model.graph.output][:2] == ["logits", "present.0.key"]
    for tensor in model.graph.initializer:
        places = {entry.key: entry.value for entry in tensor.external_data}
        assert not places or (places["location"] == "model.onnx.data" and int(places["offset"]) % 64 == 0)


def initialisers(package: ModelPackage) -> dict[str, np.ndarray]:
    model = onnx.load(package.onnx_path)
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@pytest.mark.parametrize("quantisation", ["int8", "int4"])
def test_weights_are_the_checkpoints_rounded_once(quantisation: Quantisation, imported: Importer) -> None:
    _, package = imported(SHAPES["llama, ragged blocks"], quantisation)
    _, exact = imported(SHAPES["llama, ragged blocks"])
    written, originals = initialisers(package), initialisers(exact)
    matrices = [name for name in written if f"{name}.scale" in written and name != "embed.weight"]
    assert len(matrices) == 2 * 7 + 1
    for name in matrices:
        four = quantisation == "int4" and name.startswith("layers.1.")
        assert written[name].dtype == (ml_dtypes.int4 if four else np.int8)
        integers, scales = (quantise_int4 if four else quantise)(originals[name], BLOCK_SIZE)
        assert np.array_equal(written[name].astype(np.int8), integers)
        assert np.array_equal(written[f"{name}.scale"], scales)
    embedding = dequantise(written["embed.weight"].T, written["embed.weight.scale"].T, BLOCK_SIZE).T
    assert np.abs(embedding - originals["embed.weight"]).max() < np.abs(originals["embed.weight"]).max() / 250


def test_a_tied_head_has_the_embeddings_numbers(imported: Importer) -> None:
    for shape in (SHAPES["gpt2, tied"], SHAPES["qwen2"]):
        written = initialisers(imported(shape, "int8")[1])
        assert np.array_equal(written["embed.weight"].T, written["head.weight"])
        assert np.array_equal(written["embed.weight.scale"].T, written["head.weight.scale"])
        assert "head.weight" not in initialisers(imported(shape)[1])


@pytest.mark.parametrize("name", ["llama, ragged blocks", "gpt2, tied"])
@pytest.mark.parametrize("quantisation", ["int8", "int4"])
def test_onnxruntime_keeps_integers_packed(
    name: str, quantisation: Quantisation, imported: Importer, tmp_path: Path
) -> None:
    _, package = imported(SHAPES[name], quantisation)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(package.onnx_path), options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx", load_external_data=False)
    operators = [node.op_type for node in optimised.graph.node]
    assert operators.count("MatMulNBits") == {"llama, ragged blocks": 15, "gpt2, tied": 13}[name]
    assert "MatMul" not in operators
    unpacked = [node.name for node in optimised.graph.node if node.op_type == "DequantizeLinear"]
    assert all(node.startswith("embed") for node in unpacked), "only the rows that were looked up"


@pytest.mark.parametrize("quantisation", QUANTISATIONS)
def test_equal_checkpoints_are_equal_bytes(quantisation: Quantisation, tmp_path: Path) -> None:
    packages = []
    for copy in ("a", "b"):
        source = write_checkpoint(tmp_path / copy / "same", Shape("gpt2", tied=True))
        packages.append(import_folder(source, Library(tmp_path / f"library-{copy}"), quantisation=quantisation))
    assert packages[0].manifest_sha256 == packages[1].manifest_sha256


@pytest.mark.parametrize("number_format", ["F16", "BF16"])
@pytest.mark.parametrize("shards", [1, 3])
def test_half_precision_and_shards(number_format: NumberFormat, shards: int, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(), number_format=number_format, shards=shards)
    package = import_folder(source, Library(tmp_path / "library"), quantisation="f32")
    assert np.abs(LocalModel(package).logits(TOKENS[:9]) - reference.logits(source, TOKENS[:9])[-1]).max() < 1e-4


def test_large_matrices_are_quantised_in_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(tied=True))
    whole = import_folder(source, Library(tmp_path / "whole"))
    monkeypatch.setattr("personal_ai.models.onnx_file._COLUMNS_AT_ONCE_SIZE_BYTES", 4 * 64 * 7)
    parts = import_folder(source, Library(tmp_path / "parts"))
    assert parts.manifest_sha256 == whole.manifest_sha256


def test_a_shorter_context_changes_nothing_within_it(tmp_path: Path) -> None:
    for architecture in ("gpt2", "llama"):
        source = write_checkpoint(tmp_path / architecture, Shape(architecture))
        package = import_folder(source, Library(tmp_path / "library"), quantisation="f32", context_length=32)
        assert package.manifest.context_length == 32
        assert np.abs(LocalModel(package).logits(TOKENS[:32]) - reference.logits(source, TOKENS[:32])[-1]).max() < 1e-4
