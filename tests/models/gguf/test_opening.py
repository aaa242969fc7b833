"""A GGUF file becomes the same package as the folder that it was made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from personal_ai.common.errors import BadInputError, FormatError, UnsupportedModelError
from personal_ai.models.detection import open_foreign
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.tokenizer import ChatTokenizer
from tests.support.checkpoints import ROPE_SCALINGS, Shape, write_checkpoint
from tests.support.gguf_files import NUMBERS, Numbers, write_gguf

SHAPES = {
    "llama": Shape("llama", bias=True),
    "llama, stretched": Shape("llama", tied=True, rope_scaling=ROPE_SCALINGS["llama3"]),
    "mistral": Shape("mistral"),
    "qwen2": Shape("qwen2", tied=True, rope_scaling=ROPE_SCALINGS["yarn"]),
    "qwen3": Shape("qwen3", head_size=32, rope_scaling=ROPE_SCALINGS["linear"]),
    "phi3": Shape("phi3", head_size=32, partial_rotary=0.75, window=20),
    "gemma3": Shape("gemma3_text", tied=True, layers=2, head_size=32, window=12, logit_cap=30.0),
    "gpt2": Shape("gpt2", tied=True),
}


def _checkpoint(folder: Path, shape: Shape) -> Path:
    source = write_checkpoint(folder / "source", shape)
    if shape.architecture == "gemma3_text":  # what llama.cpp takes for granted
        path = source / "config.json"
        config = json.loads(path.read_text()) | {"query_pre_attn_scalar": 32, "layer_types": ["sliding_attention"] * 2}
        path.write_text(json.dumps(config))
    return source


@pytest.mark.parametrize("name", SHAPES)
def test_it_gives_the_numbers_of_the_folder(tmp_path: Path, name: str) -> None:
    source = _checkpoint(tmp_path, SHAPES[name])
    library = Library(tmp_path / "library")
    folder = import_folder(source, library, quantisation="f32")
    file = import_folder(write_gguf(source, tmp_path / "Made Of It.gguf"), library, quantisation="f32")
    assert file.name == "made-of-it"
    assert file.manifest.end_tokens == folder.manifest.end_tokens
    _assert_equal_weights(folder, file, exactly=not name.startswith(("gemma3", "llama, stretched")))
    chat = [Message("user", "Grüße"), Message("assistant", "Hello!"), Message("user", "?")]
    assert ChatTokenizer(file).encode_chat(chat) == ChatTokenizer(folder).encode_chat(chat)


def _assert_equal_weights(folder: ModelPackage, file: ModelPackage, *, exactly: bool) -> None:
    """Gemma's norms are rounded once more, and Llama 3.1's divisors are f32 in a GGUF file."""
    left, right = (np.fromfile(package.folder / "model.onnx.data", np.float32) for package in (folder, file))
    assert np.abs(left - right).max() <= (0.0 if exactly else 1e-5)
    if exactly and folder.manifest.architecture == file.manifest.architecture:  # Mistral is a Llama to llama.cpp
        assert (folder.folder / "model.onnx").read_bytes() == (file.folder / "model.onnx").read_bytes()


@pytest.mark.parametrize("numbers", NUMBERS)
def test_every_number_format_is_dequantised_by_rows(tmp_path: Path, numbers: Numbers) -> None:
    shape = Shape(hidden=256, intermediate=256, vocabulary=300, layers=1, heads=4)
    name = "model.layers.0.mlp.up_proj.weight"
    source = write_checkpoint(tmp_path / "source", shape)
    path = write_gguf(source, tmp_path / "m.gguf", numbers)
    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}["blk.0.ffn_up.weight"]
    assert stored.tensor_type.name == numbers
    expected = gguf.quants.dequantize(stored.data, stored.tensor_type).reshape(256, 256)
    with open_foreign(path) as model:
        rows = model.checkpoint.file("model.layers.0.mlp.up_proj.weight").rows(
            "model.layers.0.mlp.up_proj.weight", 3, 9
        )
    assert np.array_equal(rows, expected[3:9])
    original = load_file(source / "model.safetensors")[name]
    assert numbers.endswith("_K") or np.abs(expected - original).max() < 0.1


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"general__architecture": "mamba"}, "'mamba' is not one of"),
        ({"llama__expert_count": 8}, "mixture of experts"),
        ({"split__count": 3}, "several files"),
        ({"tokenizer__ggml__pre": "unheard-of"}, "'unheard-of'"),
        ({"tokenizer__ggml__model": "bert"}, "'bert'"),
        ({"llama__rope__scaling__type": "dynamic"}, "'dynamic'"),
    ],
    ids=str,
)
def test_what_cannot_be_imported_is_named(tmp_path: Path, facts: dict[str, Any], reason: str) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(layers=1))
    with pytest.raises(UnsupportedModelError, match=reason):
        import_folder(write_gguf(source, tmp_path / "m.gguf", **facts), Library(tmp_path / "library"))
    assert not (tmp_path / "library" / "m").exists()


def test_weights_in_formats_that_are_not_read_are_named(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(layers=1))
    content = write_gguf(source, tmp_path / "m.gguf", "F16").read_bytes()
    name = b"blk.0.ffn_up.weight"
    at = content.index(name) + len(name) + 4 + 16
    (tmp_path / "m.gguf").write_bytes(content[:at] + (10).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(UnsupportedModelError, match="of type Q2_K"):
        import_folder(tmp_path / "m.gguf", Library(tmp_path / "library"))


@pytest.mark.parametrize("content", [b"", b"GGU", b"GGUF"])
def test_what_is_no_model_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.gguf").write_bytes(content)
    with pytest.raises(FormatError), open_foreign(tmp_path / "m.gguf"):
        pass


def test_the_maker_may_say_its_licence(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(layers=1))
    path = write_gguf(source, tmp_path / "m.gguf", general__license="mit")
    assert import_folder(path, Library(tmp_path / "library")).manifest.licence == "mit"


def test_heads_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "source", Shape(layers=1))
    path = write_gguf(source, tmp_path / "m.gguf", llama__attention__head_count=6, llama__attention__head_count_kv=6)
    with pytest.raises(BadInputError):
        import_folder(path, Library(tmp_path / "library"))
