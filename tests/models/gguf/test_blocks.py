"""Every number format that is read gives what llama.cpp's own package reads."""

from __future__ import annotations

import gguf
import numpy as np
import pytest

from personal_ai.models.gguf.blocks import FORMATS, OTHER_FORMATS, dequantise


@pytest.mark.parametrize("number", FORMATS, ids=lambda number: FORMATS[number].name)
def test_blocks_are_read_as_by_their_makers(number: int) -> None:
    kind, form = gguf.GGMLQuantizationType(number), FORMATS[number]
    assert (kind.name, gguf.GGML_QUANT_SIZES[kind]) == (form.name, (form.values, form.size_bytes))
    data = np.random.default_rng(number).integers(0, 256, (64, form.size_bytes), dtype=np.uint8)
    with np.errstate(all="ignore"):
        expected = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(-1)
    assert np.array_equal(dequantise(form, data.tobytes()), expected, equal_nan=True)
    assert len(expected) == 64 * form.values


def test_the_names_of_the_others_are_their_makers() -> None:
    assert all(gguf.GGMLQuantizationType(number).name == name for number, name in OTHER_FORMATS.items())
