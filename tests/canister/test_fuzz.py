"""The short form of `python -m tests.faults.engine_fuzz` (programs are in engine/test_hostile_programs.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.faults.engine_fuzz import PARSERS, main, prepare
from tests.faults.fuzz_batches import COMMANDS_FILE, report, run_batches

SHELL_PARSERS = tuple(parser for parser in PARSERS if parser not in ("program", "packed"))

INPUTS = 3000


def test_changed_inputs_break_nothing_natively(tmp_path: Path) -> None:
    prepare(tmp_path / "fuzz", SHELL_PARSERS, mode="Debug")
    by_parser = run_batches(tmp_path / "fuzz", INPUTS, seed=1, jobs=2)
    figures = report(by_parser)
    assert (figures["inputs"], figures["traps"], figures["hangs"]) == (len(SHELL_PARSERS) * INPUTS, 0, 0)
    for parser, counts in by_parser.items():
        assert counts.past_header > INPUTS // 5, f"the changes hardly get past the header of {parser}"
        assert INPUTS // 20 < counts.accepted < INPUTS, f"{parser}: too mild or too harsh to test anything"


def test_changed_inputs_break_nothing_in_the_module(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--wasm", "--inputs", "200", "--json"]) == 0
    assert '"inputs": 200' in capsys.readouterr().out


def test_batches_have_seeds_of_their_own_and_stop_when_the_time_is_up(tmp_path: Path) -> None:
    told = json.dumps({"inputs": 0, "past_header": 0, "accepted": 0})
    script = f"echo \"$1 $2\" >> seen; echo '{told}' >&2"
    (tmp_path / "fuzzer").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "fuzzer").chmod(0o755)
    (tmp_path / COMMANDS_FILE).write_text(json.dumps({"a": [["./fuzzer"], ["./fuzzer", "other"]], "b": [["./fuzzer"]]}))
    run_batches(tmp_path, 50_000, seed=3, parsers=["a"], jobs=3)
    seen = [tuple(map(int, line.split())) for line in (tmp_path / "seen").read_text().splitlines()]
    assert sum(inputs for inputs, _ in seen) == 50_000
    assert len({seed for _, seed in seen}) == len(seen) == 3
    assert report(run_batches(tmp_path, 50_000, seed=3, seconds=0.0))["inputs"] == 0


def test_a_process_that_dies_is_a_trap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / COMMANDS_FILE).write_text(json.dumps({"a": [["false"]]}))
    assert report(run_batches(tmp_path, 10, seed=7))["traps"] == 1
    assert "trap: false 10 7000021" in capsys.readouterr().err
