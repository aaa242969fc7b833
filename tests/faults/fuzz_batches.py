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
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

COMMANDS_FILE = "commands.json"  # {parser: [[program, arguments after the inputs and the seed], ...]}
_BATCH = 20_000
_BATCH_TIMEOUT_S = 240.0


_NUMBERS = ("inputs", "traps", "hangs", "past_header", "accepted", "run")


@dataclass
class Counts:
    """What became of one parser's inputs.

    run: of programs, those that ran to their end. operators: how often each was run, by the kind of program.
    """

    inputs: int = 0
    traps: int = 0
    hangs: int = 0
    past_header: int = 0
    accepted: int = 0
    run: int = 0
    operators: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        for number in _NUMBERS:
            setattr(self, number, getattr(self, number) + getattr(other, number))
        for kind, times in other.operators.items():
            self.operators.setdefault(kind, Counter()).update(times)


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
        return Counts(
            inputs=told["inputs"],
            past_header=told["past_header"],
            accepted=told.get("accepted", told.get("opened")),
            run=told.get("run", 0),
            operators={kind: Counter(times) for kind, times in told.get("operators", {}).items()},
        )


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
    figures = {
        "inputs": total.inputs,
        "traps": total.traps,
        "hangs": total.hangs,
        "accepted_share": _share(total.past_header, total.inputs),
        "by_parser": {parser: _figures(counts) for parser, counts in by_parser.items()},
    }
    if total.operators:
        figures["operators"] = total.operators
        figures["operators_never_run"] = never_run(total)
    return figures


def never_run(counts: Counts) -> list[str]:
    return [f"{kind}: {name}" for kind, times in counts.operators.items() for name in times if not times[name]]


def _figures(counts: Counts) -> dict[str, int | float]:
    figures: dict[str, int | float] = {number: getattr(counts, number) for number in _NUMBERS if number != "run"}
    figures["accepted_share"] = _share(counts.past_header, counts.inputs)
    figures["accepted_altogether_share"] = _share(counts.accepted, counts.inputs)
    if counts.operators:
        figures |= {"run": counts.run, "run_share": _share(counts.run, counts.inputs)}
    return figures


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
