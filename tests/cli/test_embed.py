"""An embedding model from a folder to numbers, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests.cli.conftest import Run
from tests.support.encoders import EncoderShape, write_encoder_checkpoint


def test_import_shows_the_kind_and_embed_prints_numbers(run: Run, tmp_path: Path) -> None:
    source = write_encoder_checkpoint(tmp_path / "tiny-encoder", EncoderShape(hidden=32, layers=1))
    imported = run("model", "import", str(source))
    assert imported.exit_code == 0, imported.errors
    assert "an embedding model" in imported.output
    assert "embedding model" in run("model", "list").output
    embedded = run("embed", "--model", "tiny-encoder", "Where", "do my words go?")
    assert embedded.exit_code == 0, embedded.errors
    numbers = json.loads(embedded.output)
    assert len(numbers) == 32
    np.testing.assert_allclose(np.linalg.norm(numbers), 1.0, rtol=1e-5)


def test_a_model_of_the_other_kind_is_refused_in_words(run: Run, tmp_path: Path) -> None:
    starter = run("model", "list").output.split()[0]
    refused = run("embed", "--model", starter, "words")
    assert refused.exit_code == 1
    assert "does not turn texts into numbers" in refused.errors
