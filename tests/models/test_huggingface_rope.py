"""Scaled positions: the imported model computes what the papers' formulas, written down anew, compute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from personal_ai.common.errors import FormatError
from personal_ai.models.decoder import PairScaling, Rope
from personal_ai.models.fields import Fields
from personal_ai.models.huggingface_rope import parse_rope
from personal_ai.models.local import LocalModel
from tests.models.conftest import Importer
from tests.support import reference
from tests.support.checkpoints import ROPE_SCALINGS, Shape


def rope(scaling: dict[str, Any], context_length: int = 128) -> Rope:
    config = {"rope_theta": 1e6, "max_position_embeddings": 128, "rope_scaling": scaling}
    fields = Fields(config, "config.json")
    return parse_rope(fields, fields.fields("rope_scaling"), rotary_size=8, context_length=context_length)


def test_all_scalings_compute_what_their_papers_say(imported: Importer) -> None:
    tokens = [int(token) for token in np.random.default_rng(1).integers(0, 300, 60)]
    for name, scaling in ROPE_SCALINGS.items():
        shape = Shape("phi3" if name == "longrope" else "llama", rope_scaling=scaling)
        source, package = imported(shape)
        expected = reference.logits(source, tokens)[-1]
        unscaled, _ = imported(replace(shape, rope_scaling=None))
        assert np.abs(LocalModel(package).logits(tokens) - expected).max() < 1e-4, name
        assert np.abs(reference.logits(unscaled, tokens)[-1] - expected).max() > 1e-2, "positions matter here"


def test_longrope_goes_by_the_packages_context() -> None:
    scaling: dict[str, Any] = {"type": "su", "short_factor": [1.0] * 4, "long_factor": [2.0] * 4}
    scaling["original_max_position_embeddings"] = 64
    amplitude = pytest.approx((1 + np.log(2) / np.log(64)) ** 0.5)
    for context_length, divisor in ((64, 1.0), (65, 2.0)):
        found = rope(scaling, context_length).scaling
        assert isinstance(found, PairScaling)
        assert (found.divisors, found.amplitude) == ((divisor,) * 4, amplitude)
    assert rope(scaling | {"attention_factor": 1.5}).scaling == PairScaling((2.0,) * 4, 1.5)


def test_the_amplitude_of_yarn_may_be_told() -> None:
    yarn = {"rope_type": "yarn", "factor": 4.0}
    told = [yarn | {"attention_factor": 2.0}, yarn | {"mscale": 1.0, "mscale_all_dim": 1.0}]
    assert [scaling.amplitude for scaling in _scalings(told)] == [2.0, 1.0]


def _scalings(kinds: list[dict[str, Any]]) -> list[PairScaling]:
    found = [rope(kind).scaling for kind in kinds]
    return [scaling for scaling in found if isinstance(scaling, PairScaling)]


@pytest.mark.parametrize(
    "scaling",
    [
        {"rope_type": "linear"},
        {"rope_type": "linear", "factor": "2"},
        {"rope_type": "yarn", "factor": 2.0, "beta_fast": 1.0, "beta_slow": 32.0},
        {"rope_type": "longrope", "long_factor": [1.0, 0.0, 1.0, 1.0], "original_max_position_embeddings": 64},
    ],
    ids=str,
)
def test_scalings_that_cannot_be_are_refused(scaling: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        rope(scaling)
