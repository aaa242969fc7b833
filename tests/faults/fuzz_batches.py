"""Runs the native fuzzers of a folder that `tests.faults.engine_fuzz --prepare` made, on many processors at once.

    python -m tests.faults.fuzz_batches DIR [--inputs 1000000] [--jobs 16] [--seconds 400] [--parser candid] [--json]

Nothing is needed here but Python's standard library, so that any larger computer will do. Every batch of inputs has a
seed of its own and is a process of its own; one that died or hung is named, so that it can be run again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

COMMANDS_FILE = "commands.json"  # {parser: [[program, arguments after the inputs and the seed], ...]}
_BATCH = 20_000
_BATCH_TIMEOUT_S = 240.0


@dataclass
class Counts:
    """What became of one parser's inputs."""

    inputs: int = 0
    traps: int = 0
    hangs: int = 0
    past_header: int = 0
    accepted: int = 0

    def add(self, other: Counts) -> None:
        self.inputs += other.inputs
        self.traps += other.traps
        self.hangs += other.hangs
        self.past_header += other.past_header
        self.accepted += other.accepted


@dataclass(frozen=True)
class _Batch:
    parser: str
    inputs: int
    command: list[str]

    def run(self, folder: Path, deadline: float) -> Counts:
        """Nothing where the time is up before it begins."""
        if time.monotonic() >= deadline:
            return Counts()
        try:
            result = subprocess.run(
                self.command, cwd=folder, capture_output=True, text=True, check=False, timeout=_BATCH_TIMEOUT_S
            )
        except subprocess.TimeoutExpired:
            print(f"hang: {' '.join(self.command)}", file=sys.stderr)
            return Counts(inputs=self.inputs, hangs=1)
        if result.returncode != 0:
            print(f"trap: {' '.join(self.command)}\n{result.stderr}", file=sys.stderr)
            return Counts(inputs=self.inputs, traps=1)
        told = json.loads(result.stderr)
        accepted = told.get("accepted", told.get("opened"))
        return Counts(inputs=told["inputs"], past_header=told["past_header"], accepted=accepted)


def run_batches(
    folder: Path,
    inputs: int,
    seed: int,
    *,
    parsers: Sequence[str] | None = None,
    jobs: int = 1,
    seconds: float = float("inf"),
) -> dict[str, Counts]:
    """Gives `inputs` to each parser, `jobs` batches at once; begins none after `seconds`."""
    commands = json.loads((folder / COMMANDS_FILE).read_text())
    chosen = {parser: commands[parser] for parser in parsers or commands}
    by_parser = {parser: Counts() for parser in chosen}
    batches = list(_in_turn([_batches(parser, chosen[parser], inputs, seed) for parser in chosen]))
    deadline = time.monotonic() + seconds
    with ThreadPoolExecutor(jobs) as pool:
        for batch, counts in zip(batches, pool.map(lambda batch: batch.run(folder, deadline), batches), strict=True):
            by_parser[batch.parser].add(counts)
    return by_parser


def _batches(parser: str, commands: list[list[str]], inputs: int, seed: int) -> list[_Batch]:
    """A parser's commands in turn, each with a seed that no other batch has."""
    size = min(_BATCH, -(-inputs // len(commands)))
    batches = []
    for number, start in enumerate(range(0, inputs, size)):
        program, *rest = commands[number % len(commands)]
        count = min(size, inputs - start)
        batches.append(_Batch(parser, count, [program, str(count), str(seed * 1_000_003 + number), *rest]))
    return batches


def _in_turn(lists: Sequence[Sequence[_Batch]]) -> Iterator[_Batch]:
    """The first of each, then the second of each: where time runs out, every parser had its share."""
    for number in range(max(map(len, lists), default=0)):
        for batches in lists:
            yield from batches[number : number + 1]


def report(by_parser: dict[str, Counts]) -> dict[str, Any]:
    total = Counts()
    for counts in by_parser.values():
        total.add(counts)
    return {
        "inputs": total.inputs,
        "traps": total.traps,
        "hangs": total.hangs,
        "accepted_share": _share(total.past_header, total.inputs),
        "by_parser": {
            parser: asdict(counts)
            | {
                "accepted_share": _share(counts.past_header, counts.inputs),
                "accepted_altogether_share": _share(counts.accepted, counts.inputs),
            }
            for parser, counts in by_parser.items()
        },
    }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1: something trapped or hung."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz_batches", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="for each parser")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin nothing new after so long")
    parser.add_argument("--parser", action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    by_parser = run_batches(
        chosen.folder, chosen.inputs, chosen.seed, parsers=chosen.parser, jobs=chosen.jobs, seconds=chosen.seconds
    )
    figures = report(by_parser)
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 1 if figures["traps"] or figures["hangs"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
