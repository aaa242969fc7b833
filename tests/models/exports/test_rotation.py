"""Positions are recovered from their tables."""

from __future__ import annotations

import numpy as np
import pytest

from personal_ai.common.errors import FormatError
from personal_ai.models.decoder import Llama3Scaling, PairScaling, Rope
from personal_ai.models.exports.rotation import rope_of_tables
from personal_ai.models.fields import Fields
from personal_ai.models.huggingface_rope import parse_rope
from personal_ai.models.rope import rope_tables


def recovered(rope: Rope, length: int, size: int) -> Rope:
    config = Fields({"max_position_embeddings": length} | rope_of_tables(*rope_tables(rope, size, length)), "")
    return parse_rope(config, config.fields("rope_scaling"), rotary_size=size, context_length=length)


@pytest.mark.parametrize("theta", [10_000.0, 100_000.0, 500_000.0, 1_000_000.0, 12_345.0])
def test_one_theta_is_named_exactly(theta: float) -> None:
    assert recovered(Rope(theta), 4096, 64) == Rope(theta)


@pytest.mark.parametrize(
    "scaling", [Llama3Scaling(8.0, 1.0, 4.0, 2048), PairScaling((2.0,) * 32, 1.25)], ids=["llama3", "pairs"]
)
def test_other_waves_are_recovered_pair_by_pair(scaling: Llama3Scaling | PairScaling) -> None:
    rope = Rope(500_000.0, scaling)
    expected, found = (np.stack(rope_tables(kind, 64, 8192)) for kind in (rope, recovered(rope, 8192, 64)))
    assert np.abs(expected - found).max() < 1e-3


@pytest.mark.parametrize("spoil", [np.nan, 0.0])
def test_broken_tables_are_refused(spoil: float) -> None:
    with pytest.raises(FormatError):
        rope_of_tables(np.full((8, 4), spoil, np.float32), np.full((8, 4), spoil, np.float32))
