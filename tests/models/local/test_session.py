"""The fused graph computes what the package's graph computes, over a cache that grows and is cut back in place."""

from __future__ import annotations

import numpy as np
import pytest

from personal_ai.compiler.onnx_graph import read_onnx
from personal_ai.models.decoder import Decoder
from personal_ai.models.local import session as sessions
from personal_ai.models.local.bound import BoundGraph
from personal_ai.models.local.devices import ACCELERATORS, CPU, OWN_KERNEL, Device
from personal_ai.models.local.session import Session
from personal_ai.models.local.session_layers import session_graph
from personal_ai.models.local.weights import Tensors
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.runtime import onnxruntime
from tests.conformance.models import OnnxSteps
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape

TOKENS = [int(token) for token in np.random.default_rng(5).integers(0, 300, 40)]
SHAPES = {
    "gpt2": Shape("gpt2"),
    "llama, tied": Shape(tied=True),
    "heads that nothing divides": Shape(hidden=60, heads=5, key_value_heads=5),
    "heads that it cannot turn": Shape(head_size=24),
    "window": Shape("mistral", window=16),
    "norms of heads": Shape("qwen3"),
    "norms, two windows, scaled, capped": Shape("gemma3_text", layers=3, window=16, tied=True, logit_cap=5.0),
    "part of each head turned": Shape("phi3", head_size=32, partial_rotary=0.5),
    "biases": Shape(bias=True),
    "all within the model": Shape(vocabulary=300, hidden=16, heads=2, key_value_heads=1, intermediate=24),
}


def session_of(package: ModelPackage, device: Device = OWN_KERNEL) -> Session:
    return session_over(package.manifest.decoder, read_onnx(package.onnx_path).constants, device)


def session_over(decoder: Decoder, tensors: Tensors, device: Device = OWN_KERNEL) -> Session:
    return Session(session_graph(decoder, tensors, device), device, threads=1)


def package_graph(package: ModelPackage) -> OnnxSteps:
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return OnnxSteps(package.folder, package.manifest.decoder, level)


def exact_graph(package: ModelPackage) -> OnnxSteps:
    """The package's graph as it is written, which rounds no activations."""
    level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return OnnxSteps(package.folder, package.manifest.decoder, level)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("quantisation", "bound"), [("f32", 2e-5), ("int8", 0.02), ("int4", 0.02)])
def test_it_answers_as_the_packages_graph(
    shape: Shape, quantisation: Quantisation, bound: float, imported: Importer
) -> None:
    """The bound is relative to the logits' spread: products round what comes in to 8 bits."""
    _, package = imported(shape, quantisation)
    _assert_alike(session_of(package, CPU), package_graph(package), bound)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("quantisation", "bound"), [("f32", 2e-5), ("int8", 5e-4), ("int4", 5e-4)])
def test_the_own_kernel_rounds_next_to_nothing(
    shape: Shape, quantisation: Quantisation, bound: float, imported: Importer
) -> None:
    _, package = imported(shape, quantisation)
    _assert_alike(session_of(package), exact_graph(package), bound)


def _assert_alike(session: Session, expected: OnnxSteps, bound: float) -> None:
    past = 0
    for count in (7, 1, 1, 16, 1, 14):
        logits = expected.forward(TOKENS[past : past + count], past)
        assert np.abs(session.step(TOKENS[past : past + count], past) - logits).max() < bound * np.ptp(logits)
        past += count


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_in_cudas_operators_it_answers_alike(shape: Shape, imported: Importer) -> None:
    """The processor has them too. Attention is in 16-bit floats, so the next product may round another way."""
    _, package = imported(shape, "int8")
    decoder, tensors = package.manifest.decoder, read_onnx(package.onnx_path).constants
    session, expected = Session(session_graph(decoder, tensors, ACCELERATORS[0]), threads=1), session_of(package, CPU)
    past = 0
    for count in (7, 1, 16, 1):
        logits = expected.step(TOKENS[past : past + count], past)
        assert np.abs(session.step(TOKENS[past : past + count], past) - logits).max() < 0.02 * np.ptp(logits)
        past += count


@pytest.mark.parametrize("device", [OWN_KERNEL, CPU], ids=lambda device: device.label)
def test_tokens_may_be_read_without_an_answer(package: ModelPackage, device: Device) -> None:
    session, expected = session_of(package, device), session_of(package, device)
    assert session.step(TOKENS[:9], 0, rows=0).shape == (0, package.manifest.decoder.vocabulary_size)
    expected.step(TOKENS[:9], 0)
    assert np.array_equal(session.step(TOKENS[9:12], 9, rows=2), expected.step(TOKENS[9:12], 9, rows=2))


@pytest.fixture
def package(imported: Importer) -> ModelPackage:
    return imported(Shape(), "int8")[1]


def test_the_cache_grows_and_is_cut_back(package: ModelPackage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_CAPACITY_MIN", 2)
    session, expected = session_of(package), exact_graph(package)
    for past, token in enumerate(TOKENS):
        session.step([token], past)
        logits = expected.forward([token], past)
    assert session._capacity == 64, "twice and twice again"
    assert np.abs(session.step(TOKENS[30:], 30) - logits).max() < 5e-4 * np.ptp(logits)


def test_the_cache_stays_where_it_is(package: ModelPackage) -> None:
    session = session_of(package)
    session.step(TOKENS[:5], 0)
    (key,) = (value.numpy() for value in session._cache[:1])
    address = session._cache[0].data_ptr()
    session.step(TOKENS[5:6], 5)
    assert session._cache[0].data_ptr() == address
    assert np.abs(session._cache[0].numpy()[:, :, 5]).max() > 0
    assert not session._cache[0].numpy()[:, :, 6:].any()
    assert np.array_equal(session._cache[0].numpy()[:, :, :5], key[:, :, :5])


@pytest.mark.parametrize("quantisation", ["int8", "int4"])
def test_repacked_matrices_are_given_back(quantisation: Quantisation, imported: Importer) -> None:
    package = imported(Shape(), quantisation)[1]
    graph = session_graph(package.manifest.decoder, read_onnx(package.onnx_path).constants)
    session = Session(graph, threads=1)
    matrices = [name for names in graph.matrices.values() for name in names]
    assert len(matrices) == 5 * 2 + 1
    assert not set(matrices) & set(session._bound.lent)
    assert not set(matrices) & set(graph.tensors)


@pytest.mark.parametrize(
    "answers", [[[0.0, 1.0], [0.0, 2.0]], [[3.0, 3.0], [3.0, 3.0]]], ids=["still read", "nothing can be told"]
)
def test_what_may_still_be_read_is_kept(answers: list[list[float]], package: ModelPackage) -> None:
    graph = session_graph(package.manifest.decoder, read_onnx(package.onnx_path).constants)
    bound, outputs = BoundGraph(graph, CPU, 1), iter(np.array(answers, dtype=np.float32))
    bound.give_back(graph, lambda: next(outputs))
    names = graph.matrices[8]
    assert set(names) <= set(bound.lent)
    assert all(bool(np.ptp(bound.lent[name])) for name in names), "they hold again what they held"


def test_what_is_looked_up_is_not_copied(package: ModelPackage) -> None:
    decoder, tensors = package.manifest.decoder, read_onnx(package.onnx_path).constants
    graph = session_graph(decoder, tensors)
    rows = graph.tensors["embed.weight"] = np.array(graph.tensors["embed.weight"])
    session = Session(graph, threads=1)
    before = session.step(TOKENS, 0).copy()
    np.invert(rows, out=rows)
    assert np.abs(session.step(TOKENS, 0) - before).max() > 0.1


def test_parts_kept_in_more_bits_are_multiplied_apart(imported: Importer) -> None:
    packages = {kind: imported(Shape(bias=True), kind)[1] for kind in ("int8", "int4")}
    tensors = {kind: read_onnx(package.onnx_path).constants for kind, package in packages.items()}
    sensitive = [f"layers.1.attention.v.{part}" for part in ("weight", "weight.scale")]
    mixed = tensors["int4"] | {name: tensors["int8"][name] for name in sensitive}
    decoder = packages["int8"].manifest.decoder
    logits = {
        name: session_over(decoder, source).step(TOKENS, 0)[0] for name, source in (*tensors.items(), ("mixed", mixed))
    }
    assert np.corrcoef(logits["mixed"], logits["int4"])[0, 1] > 0.9
    assert not np.array_equal(logits["mixed"], logits["int4"])


@pytest.mark.parametrize("quantisation", ["int8", "int4"])
def test_the_packages_matrices_stay_in_its_file(quantisation: Quantisation, imported: Importer) -> None:
    package = imported(Shape(), quantisation)[1]
    graph = session_graph(package.manifest.decoder, read_onnx(package.onnx_path).constants, OWN_KERNEL)
    bound = BoundGraph(graph, OWN_KERNEL, 1)
    quantised = [name for name in graph.tensors if name.endswith(".weight") and f"{name}.scale" in graph.tensors]
    assert len(quantised) == 7 * 2 + 2
    for name in quantised:
        if name not in bound.lent:
            continue  # the smallest are within the model
        assert name in graph.as_given
        tensor: object = bound.lent[name]
        while not isinstance(tensor, np.memmap):
            assert isinstance(tensor, np.ndarray)
            tensor = tensor.base
