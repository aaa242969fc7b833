"""What taking a model in costs: peak memory and speed, each import in a process of its own.

    python -m tests.benchmarks.imports [--json]           # two sizes, and what they say of 3 billion weights
    python -m tests.benchmarks.imports --full [--json]    # 3 billion weights, in a file that is mostly a hole

The models are Llamas in bf16 with a tied embedding of 32,000 tokens or, `--full`, Llama 3.2 3B to the last size. Peak
memory is the process's own (getrusage), with Python and all libraries. Both are larger than what an import tries by
running it: running takes memory by the model's size. `bound_3b_bytes` adds to the larger run's peak
what the two runs differ by, weight by weight, up to 3 billion; it holds as long as memory grows evenly, which `--full`
proves.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.quantisation import Quantisation
from tests.support.checkpoints import Shape, config, tensor_shapes, write_tokenizer

_WEIGHTS_3B: Final = 3_212_749_824
_SMALL: Final = Shape(
    vocabulary=32_000, hidden=1024, layers=8, heads=16, key_value_heads=4, intermediate=4096, context=2048, tied=True
)
_LARGE: Final = replace(_SMALL, layers=16)
_LLAMA_3B: Final = Shape(
    vocabulary=128_256,
    hidden=3072,
    layers=28,
    heads=24,
    key_value_heads=8,
    intermediate=8192,
    context=8192,
    tied=True,
)
_NOISE_SIZE_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Run:
    """One import; `megabytes_per_s` are of the checkpoint."""

    parameters: int
    weights: Quantisation
    source_bytes: int
    peak_memory_bytes: int
    seconds: float
    megabytes_per_s: float


def _write(folder: Path, shape: Shape, *, sparse: bool) -> int:
    """A checkpoint in bf16; returns its size in bytes. sparse: only the beginning of each tensor is no hole."""
    (folder / "config.json").write_text(json.dumps(config(shape)))
    write_tokenizer(folder, 384)
    header: dict[str, dict[str, Any]] = {}
    end = 0
    for name, size in tensor_shapes(shape).items():
        count = int(np.prod(size))
        header[name] = {"dtype": "BF16", "shape": size, "data_offsets": [end, end + 2 * count]}
        end += 2 * count
    text = json.dumps(header).encode()
    noise = np.random.default_rng(0).standard_normal(_NOISE_SIZE_BYTES // 2, dtype=np.float32) * np.float32(0.02)
    halves = (noise.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for entry in header.values():
            first, last = entry["data_offsets"]
            file.seek(8 + len(text) + first)
            left = min(last - first, _NOISE_SIZE_BYTES) if sparse else last - first
            while left:
                left -= file.write(halves[: min(left, len(halves))])
        file.truncate(8 + len(text) + end)
    return 8 + len(text) + end


def _import(folder: Path, weights: Quantisation) -> None:
    """What the measured process does."""
    started = time.monotonic()
    package = import_folder(folder, Library(folder / "library"), name="model", quantisation=weights)
    seconds = time.monotonic() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    told = {"seconds": seconds, "peak": peak, "parameters": package.manifest.parameters}
    print(json.dumps(told))


def measured(shape: Shape, weights: Quantisation, *, sparse: bool = False, scratch: Path | None = None) -> Run:
    """scratch: a folder with room for the checkpoint and the package."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        size_bytes = _write(Path(name), shape, sparse=sparse)
        command = [sys.executable, "-m", "tests.benchmarks.imports", "--import", name, weights]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    rate = size_bytes / told["seconds"] / 1e6
    return Run(told["parameters"], weights, size_bytes, told["peak"], told["seconds"], rate)


def bound_bytes(small: Run, large: Run, parameters: int) -> int:
    """The peak for a model of so many weights, if memory grows evenly."""
    growth = max(0.0, (large.peak_memory_bytes - small.peak_memory_bytes) / (large.parameters - small.parameters))
    return round(large.peak_memory_bytes + growth * (parameters - large.parameters))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--full", action="store_true", help="a model of 3 billion weights: some minutes, 4 GB of disk")
    parser.add_argument("--weights", choices=get_args(Quantisation), default="int8")
    parser.add_argument("--scratch", type=Path, metavar="DIR", help="where the models are written meanwhile")
    parser.add_argument("--import", nargs=2, dest="imported", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.imported:
        _import(Path(options.imported[0]), options.imported[1])
        return 0
    if options.full:
        runs = [measured(_LLAMA_3B, options.weights, sparse=True, scratch=options.scratch)]
        peak = runs[0].peak_memory_bytes
    else:
        runs = [measured(shape, options.weights, scratch=options.scratch) for shape in (_SMALL, _LARGE)]
        small, large = runs
        peak = bound_bytes(small, large, _WEIGHTS_3B)
    told = {
        "runs": [asdict(run) for run in runs],
        "peak_memory_bytes": runs[-1].peak_memory_bytes,
        "bound_3b_bytes": peak,
    }
    told |= {"megabytes_per_s": runs[-1].megabytes_per_s}
    print(json.dumps(told) if options.json else json.dumps(told, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
