"""Encoders from Hugging Face folders: read, packed, refused with their reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from personal_ai.common.errors import BadInputError, FormatError, UnsupportedModelError
from personal_ai.models.encoders.embedder import Embedder
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.manifest import Manifest
from tests.support.encoders import EncoderShape, reference_embedding, reference_tokens, write_encoder_checkpoint

SHAPE = EncoderShape(hidden=32, layers=1, intermediate=64)


def _edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_package_says_what_it_is_and_answers(tmp_path: Path) -> None:
    shape = replace(SHAPE, architecture="roberta", token_types=1, prefix="roberta.")
    source = write_encoder_checkpoint(tmp_path / "my-encoder", shape)
    package = import_folder(source, Library(tmp_path / "library"), quantisation="f32")
    manifest = package.manifest
    assert isinstance(manifest.network, Encoder)
    assert (manifest.encoder.first_position, manifest.encoder.pooling, manifest.encoder.unit_length) == (
        2,
        "mean",
        True,
    )
    assert manifest.context_length == shape.context
    assert Manifest.from_bytes(manifest.to_bytes()) == manifest
    text = "Where do my words go?"
    expected = reference_embedding(source, shape, reference_tokens(source, text))
    np.testing.assert_allclose(Embedder(package).embed(text), expected, atol=1e-5)


def test_a_long_text_is_cut_and_a_broken_one_goes_through(tmp_path: Path) -> None:
    source = write_encoder_checkpoint(tmp_path / "source", SHAPE)
    embedder = Embedder(import_folder(source, Library(tmp_path / "library")))
    long = embedder.embed("words " * 500)
    np.testing.assert_array_equal(long, embedder.embed("words " * 400))
    assert np.isfinite(embedder.embed("half a character: \ud83d")).all()


def test_an_encoder_does_not_chat_and_a_decoder_does_not_embed(tmp_path: Path) -> None:
    source = write_encoder_checkpoint(tmp_path / "source", SHAPE)
    package = import_folder(source, Library(tmp_path / "library"))
    with pytest.raises(BadInputError, match="turns texts into numbers"):
        LocalModel(package)


CONFIGS: dict[str, tuple[dict[str, Any], str]] = {
    "relative positions": ({"position_embedding_type": "relative_key"}, "positions are relative"),
    "MPNet": ({"model_type": "mpnet", "relative_attention_num_buckets": 32}, "relative, as those of all mpnet models"),
    "another activation": ({"hidden_act": "silu"}, "SiLU"),
    "code": ({"auto_map": {"AutoModel": "x.Y"}}, "program code"),
    "writing": ({"is_decoder": True}, "write text"),
    "odd heads": ({"num_attention_heads": 16}, "multiple of 4"),
    "other weights": ({"hidden_size": 64}, "has shape"),
    "missing layers": ({"num_hidden_layers": 2}, "layer.1.attention.self.query.weight is missing"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_what_is_not_known_is_refused(tmp_path: Path, name: str) -> None:
    changes, reason = CONFIGS[name]
    source = write_encoder_checkpoint(tmp_path / "source", SHAPE)
    _edit(source / "config.json", **changes)
    with pytest.raises(UnsupportedModelError) as refused:
        import_folder(source, Library(tmp_path / "library"))
    assert any(reason in each for each in refused.value.reasons)
    assert not Library(tmp_path / "library").list()


def _pool_by_greatest(source: Path) -> None:
    _edit(source / "1_Pooling" / "config.json", pooling_mode_mean_tokens=False, pooling_mode_max_tokens=True)


def _a_dense_layer(source: Path) -> None:
    modules = json.loads((source / "modules.json").read_text())
    modules.append({"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"})
    (source / "modules.json").write_text(json.dumps(modules))


def _a_path_out_of_the_folder(source: Path) -> None:
    modules = json.loads((source / "modules.json").read_text())
    modules[1]["path"] = "../elsewhere"
    (source / "modules.json").write_text(json.dumps(modules))


def _a_weight_that_is_none(source: Path) -> None:
    tensors = load_file(source / "model.safetensors")
    tensors["embeddings.LayerNorm.bias"][0] = np.nan
    save_file(tensors, source / "model.safetensors")


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (_pool_by_greatest, UnsupportedModelError),
        (_a_dense_layer, UnsupportedModelError),
        (_a_path_out_of_the_folder, FormatError),
        (_a_weight_that_is_none, FormatError),
    ],
)
def test_odd_folders_are_refused(tmp_path: Path, damage: Callable[[Path], None], error: type[Exception]) -> None:
    source = write_encoder_checkpoint(tmp_path / "source", SHAPE)
    damage(source)
    with pytest.raises(error):
        import_folder(source, Library(tmp_path / "library"))
    assert not Library(tmp_path / "library").list()
