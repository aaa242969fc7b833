"""Changed inputs for everything in the canister that reads foreign bytes.

    python -m tests.faults.engine_fuzz [--inputs 20000] [--jobs 2] [--parser candid] [--seed 1] [--json]
    python -m tests.faults.engine_fuzz --bits 32 [...]
    python -m tests.faults.engine_fuzz --wasm [--inputs 20000] [--json]
    python -m tests.faults.engine_fuzz --prepare DIR    (then, on any Linux: python -m tests.faults.fuzz_batches DIR)

Inputs are valid ones with a few changes. Natively the canister's own sources run with every check of Zig on
(`tests/canister/shell_fuzz.zig`, `tests/canister/engine/fuzz.zig`), `--inputs` for each parser; with `--bits 32` sizes
and addresses have 32 bits as in Wasm, where sums overflow that do not in 64 (the kernel must run such programs, as most
on x86-64 do). With `--wasm` the shipped module runs, `--inputs` for all parsers together. A trap is a process that died
or a message that trapped; a hang is one that did not end in time. Parsers:

    candid    arguments of every method              manifest  upload manifests, from messages and from stable memory
    generate  requests to a model that answers       sampling  parameters and logits of any bit pattern
    program   program files, opened and run         packed    packed program files, unpacked, opened and run
    run       requests to a graph that answers

accepted_share: of the inputs that got past the header (Candid: past the type table, then perhaps refused for types
or rules), for each parser also the share that was accepted altogether; of programs that is opened, and run_share those
that ran to their end. operators: how often each was run in decoders and in graphs, apart for every kind of numbers or
function that has code of its own; operators_never_run must be empty (natively, all parsers).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from personal_ai.canister import build
from personal_ai.common.zig import zig
from personal_ai.compiler.compile import compile_graph, compile_onnx
from personal_ai.models.quantisation import Quantisation
from tests.canister.engine import every_operator
from tests.canister.fuzz_seeds import (
    Kind,
    Seed,
    canonical_seeds,
    message_seeds,
    request_seeds,
    run_seeds,
    sampling_seeds,
    upload_seed,
)
from tests.canister.fuzz_wasm import fuzz_module
from tests.compiler.decoders import DECODERS, write_decoder
from tests.compiler.drawn_graphs import GRAPHS, MAXIMA, Drawn, save
from tests.faults.fuzz_batches import COMMANDS_FILE, Counts, report, run_batches

PARSERS = ("candid", "manifest", "generate", "sampling", "program", "packed", "run")
GRAPH = GRAPHS["embeddings"]
PROGRAMS: tuple[tuple[str, Quantisation], ...] = (
    ("llama", "int8"),
    ("gpt2", "int8"),
    ("llama", "f32"),
    ("gpt2", "f32"),
)
_SCREENED_VOCABULARY = 4096  # the smallest whose head is packed although it is of 8 bits
_TESTS = Path(__file__).parent.parent / "canister"


_TARGETS = {64: ("-mcpu", "baseline"), 32: ("-target", "x86-linux", "-mcpu", "pentium4")}  # the least that has vectors


def prepare(folder: Path, parsers: Sequence[str], mode: str = "ReleaseSafe", bits: int = 64) -> None:
    """Fills the new `folder` with all that tests.faults.fuzz_batches needs: fuzzers that run on any machine of this
    architecture with Linux, and what they are given.

    mode: of the Zig compiler; Debug compiles sooner and runs slower, with the same checks. bits: of an address.
    """
    options = ("-O", mode, *_TARGETS[bits])
    folder.mkdir(parents=True)
    commands: dict[str, list[list[str]]] = {}
    if shell_parsers := [parser for parser in parsers if parser not in ("program", "packed")]:
        _compile(folder / "shell_fuzz", _TESTS / "shell_fuzz.zig", options)
        decoder = decoder_program(folder, "answering", *PROGRAMS[0])
        for parser in shell_parsers:
            program = graph_program(folder, "graph") if parser == "run" else decoder
            _write_seeds(folder / f"{parser}.seeds", _seeds(parser, program))
            commands[parser] = [["./shell_fuzz", parser, f"{parser}.seeds", program.name]]
    if "program" in parsers or "packed" in parsers:
        _compile(folder / "engine_fuzz", _TESTS / "engine" / "fuzz.zig", options)
    if "program" in parsers:
        programs = [decoder_program(folder, f"{name}-{weights}", name, weights) for name, weights in PROGRAMS]
        programs += [graph_program(folder, f"graph-{number}", drawn) for number, drawn in enumerate(GRAPHS.values())]
        programs += [write(folder / name) for name, write in every_operator.PROGRAMS.items()]
        commands["program"] = [["./engine_fuzz", program.name] for program in programs]
    if "packed" in parsers:
        nibbles = decoder_program(folder, "packed-int4", "llama", "int4")
        screened = decoder_program(folder, "packed-screened", "llama", "int8", vocabulary=_SCREENED_VOCABULARY)
        commands["packed"] = [["./engine_fuzz", program.name] for program in (nibbles, screened)]
    (folder / COMMANDS_FILE).write_text(json.dumps(commands, indent=1))


def _compile(binary: Path, root: Path, options: Sequence[str]) -> None:
    """Nothing is linked but what Zig brings."""
    modules = (*options, "--dep", "shell", f"-Mroot={root}", *options, "-Mshell=shell.zig")
    result = zig("build-exe", *modules, f"-femit-bin={binary.resolve()}", cwd=build.SOURCES)
    if result.returncode != 0:
        raise SystemExit(result.stderr)


def decoder_program(folder: Path, file: str, name: str, weights: Quantisation, vocabulary: int = 30) -> Path:
    """A small decoder's program, as `file` in `folder`."""
    small = replace(
        DECODERS[name],
        hidden_size=64,
        layer_count=2 if weights == "int4" else 1,  # the first layer keeps 8 bits
        intermediate_size=64,
        vocabulary_size=vocabulary,
        context_length=64,
    )
    with tempfile.TemporaryDirectory() as scratch:
        compile_onnx(write_decoder(Path(scratch), small, weights), folder / file, end_tokens=(1,), context_length=64)
    return folder / file


def graph_program(folder: Path, file: str, drawn: Drawn = GRAPH) -> Path:
    """A graph's program, as `file` in `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        compile_graph(save(Path(scratch) / "model.onnx", drawn), folder / file, maxima=MAXIMA)
    return folder / file


def _seeds(parser: str, program: Path) -> list[Seed]:
    """Valid inputs of the parsers in shell_fuzz.zig."""
    match parser:
        case "candid":
            return message_seeds()
        case "manifest":
            return [*canonical_seeds(), *(seed for seed in message_seeds() if seed[0] is Kind.BEGIN_UPLOAD)]
        case "generate":
            return [upload_seed(program), *request_seeds(vocabulary=30)]
        case "sampling":
            return sampling_seeds()
        case _:
            return [upload_seed(program), *run_seeds(GRAPH)]


def _write_seeds(path: Path, seeds: Sequence[Seed]) -> None:
    path.write_bytes(b"".join(bytes([kind]) + len(content).to_bytes(4, "little") + content for kind, content in seeds))


def main(arguments: list[str] | None = None) -> int:
    """The command. Exit code 1: something trapped or hung."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.engine_fuzz", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only this one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side, natively")
    parser.add_argument("--bits", type=int, choices=sorted(_TARGETS), default=64, help="of an address, natively")
    parser.add_argument("--wasm", action="store_true", help="the shipped module instead of native code")
    parser.add_argument("--prepare", type=Path, metavar="DIR", help="only write what the native run needs to DIR")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    parsers = chosen.parser or PARSERS
    if chosen.prepare:
        prepare(chosen.prepare, parsers, bits=chosen.bits)
        return 0
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "fuzz"
        if chosen.wasm:
            folder.mkdir()
            by_parser = fuzz_in_wasm(folder, parsers, chosen.inputs, chosen.seed)
        else:
            prepare(folder, parsers, bits=chosen.bits)
            by_parser = run_batches(folder, chosen.inputs, chosen.seed, jobs=chosen.jobs)
    figures = report(by_parser)
    print(json.dumps(figures, indent=None if chosen.json else 1))
    return 1 if figures["traps"] or figures["hangs"] else 0


def fuzz_in_wasm(folder: Path, parsers: Sequence[str], inputs: int, seed: int) -> dict[str, Counts]:
    programs = {
        "program": decoder_program(folder, "program", "llama", "int8"),
        "packed": decoder_program(folder, "packed", "llama", "int4"),
        "run": graph_program(folder, "graph"),
    }
    told: Mapping[str, dict[str, Any]] = fuzz_module(folder / "network", programs, parsers, inputs, seed)
    return {name: Counts(**counts) for name, counts in told.items()}


if __name__ == "__main__":
    raise SystemExit(main())
