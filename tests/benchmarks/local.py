"""How fast this computer answers: `python -m tests.benchmarks.local [--json] [--peer llama_cpp]`.

Decoders of well-known shapes with random weights, in the process that the program itself uses, pipe and all. With the
peer both hold the same numbers of bits and take turns, question by question, so that whatever else this computer does
hits both; a ratio is the median over the rounds, more than 1 where ours is faster. No speculation on either side: what
guessing ahead is worth stands apart (tests.benchmarks.guessing).

- prefill: prompt tokens per second, from the question to the first token; first_token_s is that time
- decode: tokens per second after the first, at the prompt's length and on
- start_s: from nothing to the first token of a short question, the files in the system's cache
- peak_memory_bytes: of the process, what is mapped from files included; loading_memory_bytes is the peak before the
  first question, own_memory_bytes what no file lies behind, after the last
- prefill_processor_time, decode_processor_time among the ratios: the same in the processes' own time, which counts on
  one thread alone (with more they wait for each other in a loop) and there hardly depends on what else runs

`--quick` (135M at int8 alone, fewer rounds) ends within 50 s on two quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from personal_ai.common.jobs import Cancel, Meter, ignore_progress
from personal_ai.models.decoder import Decoder
from personal_ai.models.local.process import LocalProcess
from personal_ai.models.manifest import MANIFEST_FILE, WORD_FILES, Manifest
from personal_ai.models.onnx_file import write_model
from personal_ai.models.package import ModelPackage, record_files
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.sampling import Sampling
from tests.benchmarks import guessing, llama_cpp
from tests.benchmarks.shapes import SHAPES, CheapWeights

SHAPE_NAMES: Final = ("smollm2-135m", "qwen2.5-0.5b")
PROMPT: Final = 256
REPLY: Final = 33
CONTEXT_LENGTH: Final = 2048
TARGETS: Final[dict[Quantisation, dict[str, float]]] = {
    "int8": {"decode": 0.9, "prefill": 1.3},
    "int4": {"decode": 0.65, "prefill": 1.05},
}

Answer = Callable[[list[int], int], list[float]]


def write_package(folder: Path, decoder: Decoder, quantisation: Quantisation) -> ModelPackage:
    """A package without a tokenizer, of random numbers."""
    folder.mkdir()
    meter = Meter("", 1, "", ignore_progress)
    write_model(folder, decoder, CheapWeights(), quantisation=quantisation, meter=meter, cancel=Cancel())
    for name in WORD_FILES:
        (folder / name).write_bytes(b"")
    facts: dict[str, Any] = dict.fromkeys(("label", "description", "licence", "source", "revision"), "")
    manifest = Manifest(
        name="benchmark",
        quantisation=quantisation,
        end_tokens=(),
        stop_texts=(),
        network=decoder,
        files=record_files(folder),
        **facts,
        parameters=1,
    )
    (folder / MANIFEST_FILE).write_bytes(manifest.to_bytes())
    return ModelPackage.open(folder)


def local_answer(process: LocalProcess) -> Answer:
    """The seconds from a question to each token of its answer."""

    def answer(tokens: list[int], count: int) -> list[float]:
        times: list[float] = []
        start_s = time.perf_counter()
        process.generate(
            tokens,
            max_tokens=count,
            sampling=Sampling(),
            on_token=lambda _: times.append(time.perf_counter() - start_s),
            cancel=Cancel(),
        )
        return times

    return answer


def measured(
    folder: Path, name: str, quantisation: Quantisation, *, rounds: int, threads: int, peer: bool
) -> dict[str, Any]:
    """The figures of one shape in one format."""
    decoder = replace(SHAPES[name], context_length=CONTEXT_LENGTH)
    process = LocalProcess(write_package(folder / "package", decoder, quantisation), threads=threads, guess_ahead=False)
    answer = local_answer(process)
    (start_s,) = answer([1], 1)
    result: dict[str, Any] = {"shape": name, "weights": quantisation, "threads": threads, "start_s": round(start_s, 2)}
    result["loading_memory_bytes"] = _memory_bytes(process.pid, "VmHWM")
    if not peer:
        ours = [_round(answer, index, process.pid) for index in range(rounds)]
        result |= _figures(ours) | _memory(process.pid)
    else:
        llama_cpp.write_gguf(folder / "model.gguf", decoder, CheapWeights(), quantisation)
        other = llama_cpp.LlamaCpp(folder / "model.gguf", threads)
        other.answer([1], 1)
        pairs = [
            (_round(answer, index, process.pid), _round(other.answer, index, other.pid)) for index in range(rounds)
        ]
        ours, theirs = (list(side) for side in zip(*pairs, strict=True))
        result |= _figures(ours) | _memory(process.pid)
        result["peer"] = _figures(theirs) | _memory(other.pid)
        result["ratios"] = {
            kind: round(statistics.median(theirs[index] / ours[index] for ours, theirs in pairs), 3)
            for index, kind in enumerate(("prefill", "decode", "prefill_processor_time", "decode_processor_time"))
        }
        result["targets"] = TARGETS[quantisation]
        other.close()
    process.close()
    result["speculation"] = guessing.measured(folder / "package", threads, max(1, rounds // 2))
    return result


def _round(answer: Answer, index: int, pid: int | None) -> tuple[float, float, float, float]:
    """Seconds to the first token, and per token from then on; then the same two of the processor's time.

    Each round asks something else: nothing is cached.
    """
    start_s = _processor_s(pid)
    times = answer([(7 * index + 3 * token) % 40_000 for token in range(PROMPT)], REPLY)
    between_s = _processor_s(pid)
    answer([(7 * index + 3 * token + 1) % 40_000 for token in range(PROMPT)], 1)
    first_s = _processor_s(pid) - between_s
    tokens = len(times) - 1
    return times[0], (times[-1] - times[0]) / tokens, first_s, (between_s - start_s - first_s) / tokens


def _figures(rounds: list[tuple[float, float, float, float]]) -> dict[str, float]:
    first_s, token_s, *_ = (statistics.median(column) for column in zip(*rounds, strict=True))
    return {
        "prefill_tokens_per_s": round(PROMPT / first_s, 1),
        "decode_tokens_per_s": round(1 / token_s, 1),
        "first_token_s": round(first_s, 3),
    }


def _processor_s(pid: int | None) -> float:
    """Of all threads of the process, by Linux's own count."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int | None) -> dict[str, int]:
    return {"peak_memory_bytes": _memory_bytes(pid, "VmHWM"), "own_memory_bytes": _memory_bytes(pid, "RssAnon")}


def _memory_bytes(pid: int | None, kind: str) -> int:
    """Linux's own count."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition(f"{kind}:")[2].split()[0]) << 10


def run(
    shapes: Sequence[str], formats: Sequence[Quantisation], *, rounds: int, threads: int, peer: bool
) -> list[dict[str, Any]]:
    """Every shape in every format, in files that are gone afterwards."""
    results = []
    for shape in shapes:
        for quantisation in formats:
            with tempfile.TemporaryDirectory() as folder:
                results.append(measured(Path(folder), shape, quantisation, rounds=rounds, threads=threads, peer=peer))
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="How fast this computer answers.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--peer", choices=["llama_cpp"], help="measure llama.cpp in the same run")
    parser.add_argument("--quick", action="store_true", help="one shape, one format, few rounds")
    parser.add_argument("--shape", choices=SHAPE_NAMES, action="append")
    parser.add_argument("--weights", choices=tuple(TARGETS), action="append")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args(arguments)
    shapes = options.shape or (SHAPE_NAMES[:1] if options.quick else SHAPE_NAMES)
    formats = options.weights or (("int8",) if options.quick else tuple(TARGETS))
    rounds = min(options.rounds, 3) if options.quick else options.rounds
    results = run(shapes, formats, rounds=rounds, threads=options.threads, peer=options.peer is not None)
    if options.json:
        print(json.dumps({"results": results}))
    else:
        for result in results:
            print(" ".join(f"{name}={value}" for name, value in result.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
