"""The short form of `python -m tests.faults.engine_fuzz` (programs are in engine/test_hostile_programs.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.engine_fuzz import PARSERS, fuzz_native, main, report

SHELL_PARSERS = tuple(parser for parser in PARSERS if parser != "program")

INPUTS = 3000


def test_changed_inputs_break_nothing_natively(tmp_path: Path) -> None:
    by_parser = fuzz_native(tmp_path, SHELL_PARSERS, INPUTS, seed=1, mode="Debug")
    figures = report(by_parser)
    assert (figures["inputs"], figures["traps"], figures["hangs"]) == (len(SHELL_PARSERS) * INPUTS, 0, 0)
    for parser, counts in by_parser.items():
        assert counts.past_header > INPUTS // 5, f"the changes hardly get past the header of {parser}"
        assert INPUTS // 20 < counts.accepted < INPUTS, f"{parser}: too mild or too harsh to test anything"


def test_changed_inputs_break_nothing_in_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wasm", "--inputs", "200", "--json"]) == 0
    assert '"inputs": 200' in capsys.readouterr().out
