"""`model measure`, and what an import says of the loss."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Run
from tests.support.checkpoints import Shape, write_checkpoint


def test_an_import_tells_what_it_cost_and_measuring_tells_it_again(run: Run, own_home: Path, tmp_path: Path) -> None:
    source = str(write_checkpoint(tmp_path / "tiny", Shape()))
    imported = run("model", "import", source, "--quantisation", "int4")
    assert "Beside the original, on 512 tokens: perplexity" in imported.output
    text = tmp_path / "mine.txt"
    text.write_text("A canister is a small computer on the network.")
    measured = run("model", "measure", "tiny", "--text", str(text), "--json")
    figures = json.loads(measured.output)
    assert figures["perplexity"] > 1 and figures["tokens"] < 100
    assert 0 < figures["loss"]["agreement"] <= 1
    again = run("model", "measure", "tiny", "--text", str(text), "--original", source)
    assert "Beside the original" in again.output


def test_without_the_original_the_loss_is_not_known(run: Run, own_home: Path, tmp_path: Path) -> None:
    source = str(write_checkpoint(tmp_path / "tiny", Shape()))
    assert "Beside" not in run("model", "import", source, "--no-measure").output
    assert "is not known" in run("model", "measure", "tiny").output


def test_a_missing_text_is_told_in_words(run: Run, own_home: Path) -> None:
    failed = run("model", "measure", "starter", "--text", "gone.txt")
    assert failed.exit_code != 0 and "gone.txt" in failed.errors
