"""Norms give their channels' size to the matrices behind them: the same answers, and blocks that round evenly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from personal_ai.models.balancing import BalancedSource
from personal_ai.models.checkpoint import open_checkpoint
from personal_ai.models.decoder import Decoder, weights
from personal_ai.models.fields import Fields, read_json
from personal_ai.models.huggingface import parse_decoder
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.quantisation import Quantisation
from tests.support import reference
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.outliers import plant_outliers

TOKENS = [int(token) for token in np.random.default_rng(3).integers(0, 384, 40)]
SHAPES = {
    "llama": Shape(),
    "llama, tied": Shape(tied=True),
    "gpt2, tied": Shape("gpt2", tied=True),
    "gpt2": Shape("gpt2"),
    "qwen3": Shape("qwen3", tied=True),
}
by_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def decoder_of(source: Path, has_head: bool) -> Decoder:
    return parse_decoder(Fields(read_json(source / "config.json"), "config.json"), has_head=has_head)


@by_shape
def test_planted_outliers_change_no_answer(shape: Shape, tmp_path: Path) -> None:
    """Of the test's own tool: the models compared below are the same function."""
    plain = write_checkpoint(tmp_path / "plain", shape)
    planted = plant_outliers(plain, tmp_path / "planted", scale_max=100.0)
    before, after = (reference.logits(folder, TOKENS) for folder in (plain, planted))
    assert np.abs(before - after).max() < 1e-4
    changed = [name for name, values in load_file(planted / "model.safetensors").items() if values.ndim == 1]
    originals = load_file(plain / "model.safetensors")
    ratios = [np.abs(load_file(planted / "model.safetensors")[name] / originals[name]).max() for name in changed]
    assert max(ratios) > 50


@by_shape
def test_gains_are_near_one_and_products_are_the_same_bits(shape: Shape, tmp_path: Path) -> None:
    plain = write_checkpoint(tmp_path / "plain", shape)
    planted = plant_outliers(plain, tmp_path / "planted", scale_max=100.0)
    with open_checkpoint(planted) as checkpoint:
        decoder = decoder_of(planted, checkpoint.has_head)
        checkpoint.check(decoder)
        balanced = BalancedSource(checkpoint, decoder)
        known = {weight.name: weight for weight in weights(decoder)}
        pairs = {"layers.1.attention.norm": "layers.1.attention.k", "layers.0.mlp.norm": "layers.0.mlp.up"}
        pairs |= {} if decoder.tied_embedding else {"final_norm": "head"}
        for norm, matrix in pairs.items():
            gain, columns = known[f"{norm}.weight"], known[f"{matrix}.weight"]
            new_gain, new_columns = balanced.vector(gain), balanced.columns(columns, 3, 9)
            assert (np.abs(new_gain) <= 2**0.5 * 1.0001).all()
            assert (np.abs(new_gain) >= 0.5**0.5 * 0.9999).all()
            expected = checkpoint.vector(gain)[:, None] * checkpoint.columns(columns, 3, 9)
            assert np.array_equal(new_gain[:, None] * new_columns, expected)
        if decoder.tied_embedding:
            assert np.array_equal(
                balanced.vector(known["final_norm.weight"]), checkpoint.vector(known["final_norm.weight"])
            )


@by_shape
@pytest.mark.parametrize("quantisation", ["int8", "int4"])
def test_outliers_cost_no_accuracy(shape: Shape, quantisation: Quantisation, tmp_path: Path) -> None:
    plain = write_checkpoint(tmp_path / "plain", shape)
    folders = {"plain": plain, "planted": plant_outliers(plain, tmp_path / "planted", scale_max=100.0)}
    expected = reference.logits(plain, TOKENS)[-1]
    errors = {}
    for name, folder in folders.items():
        package = import_folder(folder, Library(tmp_path / "library"), name=name, quantisation=quantisation)
        errors[name] = np.abs(LocalModel(package).logits(TOKENS) - expected).mean()
    assert errors["planted"] < 1.5 * errors["plain"] + 0.01


def test_silent_and_broken_channels_stay_as_they_are(tmp_path: Path) -> None:
    source = write_checkpoint(tmp_path / "odd", Shape())
    with open_checkpoint(source) as checkpoint:
        decoder = decoder_of(source, checkpoint.has_head)
        checkpoint.check(decoder)
        gain = next(weight for weight in weights(decoder) if weight.name == "layers.0.mlp.norm.weight")
        odd = checkpoint.vector(gain).copy()
        odd[:4] = (0.0, 1e-30, 1e30, -3.0)

        class Odd:
            vector = staticmethod(lambda weight: odd if weight == gain else checkpoint.vector(weight))
            columns = staticmethod(checkpoint.columns)

        assert BalancedSource(Odd(), decoder).vector(gain)[:4].tolist() == [
            0.0,
            np.float32(1e-30),
            np.float32(1e30),
            -0.75,
        ]
