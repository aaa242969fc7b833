"""What is told of a program before it exists is what the compiler then makes."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import onnx
import pytest

from personal_ai.compiler.compile import ProgramSizes, compile_onnx
from personal_ai.compiler.foretelling import foretell
from personal_ai.compiler.format import Element
from personal_ai.compiler.obstacles import ModelObstaclesError
from personal_ai.models.decoder import Decoder, Windows
from personal_ai.models.manifest import DATA_FILE
from personal_ai.models.quantisation import QUANTISATIONS, Quantisation
from personal_ai.models.tensor_shapes import data_file_size_bytes, package_size_bytes, tensor_shapes
from tests.compiler.decoders import DECODERS, GPT2, LLAMA, write_decoder

CASES = {**DECODERS, "windows": replace(LLAMA, windows=Windows(32, (0, 2)), post_norms=True, embedding_scale=9.5)}
by_decoder = pytest.mark.parametrize("decoder", CASES.values(), ids=CASES.keys())
by_quantisation = pytest.mark.parametrize("quantisation", QUANTISATIONS)


@by_decoder
@by_quantisation
def test_sizes_are_the_compilers(tmp_path: Path, decoder: Decoder, quantisation: Quantisation) -> None:
    path = write_decoder(tmp_path, decoder, quantisation)
    made = asdict(compile_onnx(path, tmp_path / "program", end_tokens=(), context_length=200))
    foretold = foretell(decoder, quantisation, context_length=200).sizes
    assert ProgramSizes(**{name: made[name] for name in made if name != "path"}) == foretold


@by_decoder
@by_quantisation
def test_tensors_are_the_importers(tmp_path: Path, decoder: Decoder, quantisation: Quantisation) -> None:
    path = write_decoder(tmp_path, decoder, quantisation)
    written = {
        tensor.name: tuple(tensor.dims) for tensor in onnx.load(path, load_external_data=False).graph.initializer
    }
    told = list(tensor_shapes(decoder, quantisation))
    assert {tensor.name: written[tensor.name] for tensor in told} == {tensor.name: tensor.shape for tensor in told}
    data_size_bytes = (tmp_path / DATA_FILE).stat().st_size
    assert data_file_size_bytes(told) == data_size_bytes
    whole = path.stat().st_size + data_size_bytes + 1000
    assert package_size_bytes(decoder, quantisation, 1000) == pytest.approx(whole, rel=0.02)


def test_what_does_not_fit_is_refused_with_the_numbers() -> None:
    huge = replace(LLAMA, hidden_size=8192, intermediate_size=28672, layer_count=32, head_size=128, head_count=64)
    with pytest.raises(ModelObstaclesError, match=r"weights of .* bytes"):
        foretell(huge, "int8")


def test_keys_and_values_are_as_exact_as_memory_allows() -> None:
    wide = replace(LLAMA, layer_count=8, head_size=64, head_count=8, key_value_head_count=8, context_length=8192)
    assert foretell(wide, "f32", context_length=4096).kept is Element.F32
    assert foretell(wide, "f32", context_length=4097).kept is Element.I8_KEPT, "more than 128 MiB as f32"
    assert foretell(wide, "int4", context_length=4096).kept is Element.I8_KEPT
    odd = replace(GPT2, head_size=36)
    assert foretell(odd, "int8").kept is Element.F32, "heads that the kernel does not take"
