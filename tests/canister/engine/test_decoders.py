"""Programs against onnxruntime on the same ONNX file, and against themselves however a text is cut."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wasmtime

from personal_ai.compiler.compile import compile_onnx
from personal_ai.models.decoder import Decoder, Weight
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.runtime import onnxruntime
from tests.canister.engine.wasm_engine import WasmEngine
from tests.compiler.decoders import DECODERS, LLAMA, RandomWeights, write_decoder
from tests.compiler.unpacking import read_unpacked
from tests.support.rounded_cache import as_kept

# Tables of bytes (int4) round more than activations of 16 bits; random weights carry all of it to the logits.
BOUNDS: dict[Quantisation, float] = {"f32": 1e-5, "int8": 6e-4, "int4": 0.12}  # of the greatest logit
# Among many keys and values some lie so near to half a step that both sides round them apart.
BOUNDS_OF_MANY: dict[Quantisation, float] = {"f32": 1e-5, "int8": 4e-3, "int4": 0.12}
TOKEN_COUNT = 100
FEW = 2  # tokens

Logits = npt.NDArray[np.float32]


class OutlierWeights(RandomWeights):
    """Norms let every 17th channel through a hundredfold, and the matrices after them take a hundredth of it."""

    def vector(self, weight: Weight) -> Logits:
        values = super().vector(weight)
        if weight.name.endswith("norm.weight"):
            values[::17] *= 100
        return values

    def columns(self, weight: Weight, start: int, stop: int) -> Logits:
        values = super().columns(weight, start, stop)
        if weight.name.endswith((".q.weight", ".k.weight", ".v.weight", ".gate.weight", ".up.weight")):
            values[::17] /= 100
        return values


class Case:
    """One model, as onnxruntime runs it and as the canister does."""

    def __init__(
        self,
        folder: Path,
        harness: wasmtime.Module,
        decoder: Decoder,
        quantisation: Quantisation,
        *,
        weights: RandomWeights | None = None,
    ) -> None:
        self._decoder = decoder
        path = write_decoder(folder, decoder, quantisation, weights)
        # Without its optimiser onnxruntime multiplies int8 weights as the f32 numbers that they stand for; with it, it
        # rounds activations to 8 bits.
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = onnxruntime.InferenceSession(as_kept(path, decoder, quantisation), options)
        program = folder / "program"
        compile_onnx(path, program, end_tokens=(1,), context_length=decoder.context_length)
        self.engine = WasmEngine(harness, read_unpacked(program))

    def expected(self, tokens: list[int]) -> Logits:
        empty = np.zeros((1, self._decoder.key_value_head_count, 0, self._decoder.head_size), dtype=np.float32)
        feed = {port.name: empty for port in self._session.get_inputs() if port.name != "input_ids"}
        (logits,) = self._session.run(["logits"], feed | {"input_ids": np.asarray([tokens], dtype=np.int64)})
        return np.asarray(logits).reshape(-1)


@pytest.fixture(
    params=[(name, q) for name in DECODERS for q in BOUNDS], ids=lambda p: f"{p[0]}, {p[1]}", scope="module"
)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, harness: wasmtime.Module) -> Case:
    name, quantisation = request.param
    return Case(tmp_path_factory.mktemp("model"), harness, DECODERS[name], quantisation)


@pytest.fixture
def tokens(case: Case) -> list[int]:
    random = np.random.default_rng(7)
    return [int(token) for token in random.integers(0, case.engine.vocabulary_size, TOKEN_COUNT)]


def _splits(count: int) -> Iterator[list[int]]:
    """Ways to cut `count` tokens: one by one, every kernel's batch size, and at random."""
    yield [1] * count
    for size in (2, 3, 4, 5, 8, 15, 16, 17, 31):
        yield [min(size, count - start) for start in range(0, count, size)]
    random = np.random.default_rng(11)
    for _ in range(6):
        cuts = sorted({0, count, *range(0, count, 32), *random.integers(1, count, 9).tolist()})
        yield [end - start for start, end in pairwise(cuts)]


def test_logits_are_those_of_onnxruntime(case: Case, tokens: list[int], request: pytest.FixtureRequest) -> None:
    quantisation: Quantisation = request.node.callspec.params["case"][1]
    for count in (1, 2, 33, TOKEN_COUNT):
        expected = case.expected(tokens[:count])
        logits = case.engine.run(tokens[:count])
        difference = float(np.abs(logits - expected).max() / np.abs(expected).max())
        bounds = BOUNDS if count <= FEW else BOUNDS_OF_MANY
        assert difference < bounds[quantisation], f"{difference:.2g} after {count} tokens"


def test_outlier_channels_cost_no_accuracy(tmp_path: Path, harness: wasmtime.Module) -> None:
    """Activations of which a few are a hundred times as large as the rest, as trained models have them."""
    case = Case(tmp_path, harness, LLAMA, "int8", weights=OutlierWeights(1))
    tokens = [int(token) for token in np.random.default_rng(7).integers(0, LLAMA.vocabulary_size, TOKEN_COUNT)]
    expected = case.expected(tokens)
    difference = float(np.abs(case.engine.run(tokens) - expected).max() / np.abs(expected).max())
    assert difference < BOUNDS_OF_MANY["int8"]


def test_any_split_gives_the_same_bits(case: Case, tokens: list[int]) -> None:
    whole = case.engine.run(tokens).tobytes()
    for split in _splits(TOKEN_COUNT):
        assert case.engine.run(tokens, split).tobytes() == whole, split


def test_what_ran_before_does_not_matter(case: Case, tokens: list[int]) -> None:
    first = case.engine.run(tokens[:50]).tobytes()
    case.engine.run(tokens[::-1])
    assert case.engine.run(tokens[:50]).tobytes() == first
    case.engine.forward(tokens[60:70], 50)  # goes on, then forgets ten tokens again
    assert case.engine.forward(tokens[49:50], 49).tobytes() == first


def test_absorbed_tokens_count_like_others_and_cost_less(case: Case, tokens: list[int]) -> None:
    whole = case.engine.run(tokens[:40], [20, 20]).tobytes()
    case.engine.forward(tokens[:20], 0)
    full_cost = case.engine.instructions
    assert case.engine.absorb(tokens[:20], 0) == ""
    assert case.engine.instructions < full_cost
    assert case.engine.forward(tokens[20:40], 20).tobytes() == whole


def test_greedy_tokens_are_those_of_onnxruntime(case: Case, tokens: list[int], request: pytest.FixtureRequest) -> None:
    """Random weights leave close calls: where the two differ, onnxruntime must have both nearly equal."""
    nearly = max(1e-3, BOUNDS[request.node.callspec.params["case"][1]])
    context = tokens[:8]
    logits = case.engine.run(context)
    for _ in range(24):
        expected = case.expected(context)
        token = int(logits.argmax())
        assert expected[token] >= expected.max() - nearly * np.abs(expected).max()
        context.append(token)
        logits = case.engine.forward([token], len(context) - 1)
