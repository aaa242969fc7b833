"""The canister chooses the same tokens as this computer, and never takes longer than its budget counts on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.models.sampling import Sampling, sample
from tests.canister.metered import Probe

REFUSED = 0xFFFF_FFFF
_few = settings(max_examples=300)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Probe:
    return Probe("sampling_probe", "sampling", tmp_path_factory.mktemp("probe"))


def _in_canister(probe: Probe, logits: np.ndarray, context: list[int], sampling: Sampling) -> int:
    probe.write("logits", logits.tobytes())
    probe.write("context", np.array(context, dtype="<u4").tobytes())
    seed = sampling.seed - (1 << 64) if sampling.seed >> 63 else sampling.seed
    chosen: int = probe.call(
        "sample",
        len(logits),
        len(context),
        sampling.temperature,
        sampling.top_k - (1 << 32) if sampling.top_k >> 31 else sampling.top_k,
        sampling.top_p,
        sampling.min_p,
        sampling.repetition_penalty,
        seed,
    )
    most = probe.call("instructionsMost", sampling.temperature, 0, len(logits), len(context))
    used_by_sample = probe.instructions
    assert used_by_sample < 10_000
    return chosen & 0xFFFF_FFFF if most else 0


_specials = st.sampled_from(
    [0.0, -0.0, float("nan"), float("inf"), float("-inf"), 2.0**127, -(2.0**127), 2.0**-149, 1.0]
)
_logits = st.one_of(
    st.lists(st.one_of(st.floats(-30, 30, width=32), _specials), min_size=1, max_size=70),
    st.lists(st.sampled_from([1.0, 2.0, 2.5, -1.0]), min_size=1, max_size=70),
)
_samplings = st.builds(
    Sampling,
    temperature=st.one_of(st.just(0.0), st.floats(2**-10, 5, width=32), st.sampled_from([2.0**-100, 100.0])),
    top_k=st.one_of(st.just(0), st.integers(1, 80), st.just(0xFFFF_FFFF)),
    top_p=st.one_of(st.just(1.0), st.floats(0.0625, 1, width=32)),
    min_p=st.one_of(st.just(0.0), st.floats(0, 1, width=32)),
    repetition_penalty=st.one_of(st.just(1.0), st.floats(0.5, 4, width=32)),
    seed=st.integers(0, (1 << 64) - 1),
)


@_few
@given(numbers=_logits, context=st.lists(st.integers(0, 90), max_size=40), sampling=_samplings)
def test_the_same_token_from_the_same_logits(
    probe: Probe, numbers: list[float], context: list[int], sampling: Sampling
) -> None:
    logits = np.array(numbers, dtype=np.float32)
    assert _in_canister(probe, logits, context, sampling) == sample(logits, context, sampling)


@pytest.mark.parametrize("seed", range(20))
def test_the_same_token_from_a_large_vocabulary(probe: Probe, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = (rng.standard_normal(50_257) * 4).astype(np.float32)
    context = [int(token) for token in rng.integers(0, 50_257, 100)]
    sampling = Sampling(
        temperature=float(rng.uniform(0.1, 3)),
        top_k=int(rng.choice([0, 1, 40, 1000])),
        top_p=float(rng.choice([1.0, 0.95, 0.5])),
        min_p=float(rng.choice([0.0, 0.05])),
        repetition_penalty=float(rng.choice([1.0, 1.3])),
        seed=seed,
    )
    assert _in_canister(probe, logits, context, sampling) == sample(logits, context, sampling)


@pytest.mark.parametrize("kind", ["equal", "falling", "rising", "random"])
@pytest.mark.parametrize("vocabulary", [300, 151_936])
@pytest.mark.parametrize("temperature", [0.0, 100.0])
def test_choosing_never_costs_more_than_is_set_aside(
    probe: Probe, kind: str, vocabulary: int, temperature: float
) -> None:
    places = np.arange(vocabulary, dtype=np.float32)
    logits = {
        "equal": np.zeros(vocabulary, dtype=np.float32),
        "falling": -places,
        "rising": places,
        "random": np.random.default_rng(1).standard_normal(vocabulary).astype(np.float32),
    }[kind]
    probe.write("logits", logits.tobytes())
    probe.write("context", np.arange(4096, dtype="<u4").tobytes())
    for top_k in (0, 40, vocabulary - 1):
        most = probe.call("instructionsMost", temperature, top_k, vocabulary, 4096)
        probe.call("sample", vocabulary, 4096, temperature, top_k, 0.999999, 0.0, 1.3, 1)
        assert probe.instructions < most


def test_the_k_greatest_of_a_large_vocabulary_are_found_without_weighing_it(probe: Probe) -> None:
    """Instructions for each token of the vocabulary, with logits as spread as a model's: 2 % more than measured."""
    vocabulary = 1 << 18
    logits = (np.random.default_rng(0).standard_normal(vocabulary) * 3).astype(np.float32)
    probe.write("logits", logits.tobytes())
    for temperature, top_k, top_p, measured in (
        (0.0, 0, 1.0, 2.46),
        (0.8, 40, 1.0, 15.5),
        (0.8, 40, 0.95, 15.7),
        (0.8, 0, 0.95, 251.4),
    ):
        probe.call("sample", vocabulary, 1000, temperature, top_k, top_p, 0.0, 1.0, 1)
        assert probe.instructions / vocabulary < 1.02 * measured


@pytest.mark.parametrize(
    "changed",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"temperature": 101.0},
        {"top_p": 0.0},
        {"top_p": 1.5},
        {"min_p": -0.1},
        {"min_p": float("inf")},
        {"repetition_penalty": 0.0},
        {"repetition_penalty": 1000.0},
    ],
)
def test_parameters_out_of_range_are_refused_on_both_sides(probe: Probe, changed: dict[str, float]) -> None:
    given = {"temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, **changed}
    chosen = probe.call(
        "sample", 3, 0, given["temperature"], 0, given["top_p"], given["min_p"], given["repetition_penalty"], 0
    )
    assert chosen & 0xFFFF_FFFF == REFUSED
    with pytest.raises(ValueError, match="must be in"):
        Sampling(**changed)  # type: ignore[arg-type]
