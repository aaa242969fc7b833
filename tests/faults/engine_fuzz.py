"""Changed inputs for everything in the canister that reads foreign bytes.

    python -m tests.faults.engine_fuzz [--inputs 20000] [--parser candid] [--seed 1] [--json]
    python -m tests.faults.engine_fuzz --wasm [--inputs 20000] [--json]

Inputs are valid ones with a few changes. Natively the canister's own sources run with every check of Zig on
(`tests/canister/shell_fuzz.zig`, `tests/canister/engine/fuzz.zig`), `--inputs` for each parser; with `--wasm` the
shipped module runs, `--inputs` for all parsers together. A trap is a process that died or a message that trapped; a
hang is one that did not end in time. Parsers:

    candid    arguments of every method              manifest  upload manifests, from messages and from stable memory
    generate  requests to a model that answers       sampling  parameters and logits of any bit pattern
    program   program files, opened and run         run       requests to a graph that answers

accepted_share: of the inputs that got past the header (Candid: past the type table, then perhaps refused for types
or rules), for each parser also the share that was accepted altogether.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from personal_ai.canister import build
from personal_ai.compiler.compile import compile_graph, compile_onnx
from personal_ai.models.quantisation import Quantisation
from tests.canister.fuzz_seeds import (
    Kind,
    canonical_seeds,
    message_seeds,
    request_seeds,
    run_seeds,
    sampling_seeds,
    upload_seed,
)
from tests.canister.fuzz_wasm import fuzz_module
from tests.compiler.decoders import DECODERS, write_decoder
from tests.compiler.drawn_graphs import GRAPHS, MAXIMA, save

PARSERS = ("candid", "manifest", "generate", "sampling", "program", "run")
GRAPH = GRAPHS["embeddings"]
PROGRAMS: tuple[tuple[str, Quantisation], ...] = (
    ("llama", "int8"),
    ("gpt2", "int8"),
    ("llama", "f32"),
    ("gpt2", "f32"),
)
_TESTS = Path(__file__).parent.parent / "canister"
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


def fuzz_native(
    folder: Path, parsers: Sequence[str], inputs: int, seed: int, mode: str = "ReleaseSafe"
) -> dict[str, Counts]:
    """Builds the fuzzers in `folder` and gives `inputs` to each parser, in batches with seeds of their own.

    mode: of the Zig compiler; Debug compiles sooner and runs slower, with the same checks.
    """
    by_parser = {}
    if shell_parsers := [parser for parser in parsers if parser != "program"]:
        shell = _compile(folder / "shell_fuzz", _TESTS / "shell_fuzz.zig", "shell", "shell.zig", mode)
        decoder = _program(folder / "answering", *PROGRAMS[0])
        for parser in shell_parsers:
            program = graph_program(folder / "graph") if parser == "run" else decoder
            command = _shell_command(shell, parser, _seeds(folder, parser, program), program)
            by_parser[parser] = _run_batches([command], inputs, seed)
    if "program" in parsers:
        engine = _compile(folder / "engine_fuzz", _TESTS / "engine" / "fuzz.zig", "engine", "engine/engine.zig", mode)
        programs = [_program(folder / f"{name}-{weights}", name, weights) for name, weights in PROGRAMS]
        programs.append(graph_program(folder / "damaged graph"))
        by_parser["program"] = _run_batches([_engine_command(engine, program) for program in programs], inputs, seed)
    return by_parser


Command = Callable[[int, int], list[str]]


def _shell_command(binary: Path, parser: str, seeds: Path, program: Path) -> Command:
    return lambda inputs, seed: [str(binary), parser, str(seeds), str(inputs), str(seed), str(program)]


def _engine_command(binary: Path, program: Path) -> Command:
    return lambda inputs, seed: [str(binary), str(program), str(inputs), str(seed)]


def _run_batches(commands: list[Command], inputs: int, seed: int) -> Counts:
    """Takes the commands in turn. A batch that died is named, so that it can be run again."""
    counts = Counts()
    for number, size in enumerate(_sizes(inputs, len(commands))):
        command = commands[number % len(commands)](size, seed * 1_000_003 + number)
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_BATCH_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            print(f"hang: {' '.join(command)}", file=sys.stderr)
            counts.add(Counts(inputs=size, hangs=1))
            continue
        if result.returncode != 0:
            print(f"trap: {' '.join(command)}\n{result.stderr}", file=sys.stderr)
            counts.add(Counts(inputs=size, traps=1))
            continue
        told = json.loads(result.stderr)
        accepted = told.get("accepted", told.get("opened"))
        counts.add(Counts(inputs=told["inputs"], past_header=told["past_header"], accepted=accepted))
    return counts


def _sizes(inputs: int, least_count: int) -> Iterator[int]:
    batch = min(_BATCH, -(-inputs // least_count))
    for start in range(0, inputs, batch):
        yield min(batch, inputs - start)


def _compile(binary: Path, root: Path, name: str, source: str, mode: str) -> Path:
    modules = ("-O", mode, "--dep", name, f"-Mroot={root}", "-O", mode, f"-M{name}={source}")
    result = build.zig("build-exe", *modules, f"-femit-bin={binary}", cwd=build.SOURCES)
    if result.returncode != 0:
        raise SystemExit(result.stderr)
    return binary


def _program(folder: Path, name: str, weights: Quantisation) -> Path:
    folder.mkdir()
    small = replace(
        DECODERS[name], hidden_size=64, layer_count=1, intermediate_size=64, vocabulary_size=30, context_length=64
    )
    target = folder / "program"
    compile_onnx(write_decoder(folder, small, weights), target, end_tokens=(1,), context_length=64)
    return target


def graph_program(folder: Path) -> Path:
    """The program of GRAPH."""
    folder.mkdir()
    compile_graph(save(folder / "model.onnx", GRAPH), folder / "program", maxima=MAXIMA)
    return folder / "program"


def _seeds(folder: Path, parser: str, program: Path) -> Path:
    """The file of valid inputs that shell_fuzz.zig reads."""
    seeds: dict[str, Callable[[], list[tuple[Kind, bytes]]]] = {
        "candid": message_seeds,
        "manifest": lambda: [*canonical_seeds(), *(s for s in message_seeds() if s[0] is Kind.BEGIN_UPLOAD)],
        "generate": lambda: [upload_seed(program), *request_seeds(vocabulary=30)],
        "sampling": sampling_seeds,
        "run": lambda: [upload_seed(program), *run_seeds(GRAPH)],
    }
    path = folder / f"{parser}.seeds"
    path.write_bytes(
        b"".join(bytes([kind]) + len(content).to_bytes(4, "little") + content for kind, content in seeds[parser]())
    )
    return path


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
    parser = argparse.ArgumentParser(prog="python -m tests.faults.engine_fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--wasm", action="store_true", help="the shipped module instead of native code")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    parsers = chosen.parser or PARSERS
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if chosen.wasm:
            program = _program(folder / "program", "llama", "int8")
            told = fuzz_module(folder / "network", program, parsers, chosen.inputs, chosen.seed)
            by_parser = {name: Counts(**counts) for name, counts in told.items()}
        else:
            by_parser = fuzz_native(folder, parsers, chosen.inputs, chosen.seed)
    figures = report(by_parser)
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 1 if figures["traps"] or figures["hangs"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
