"""What weights of fewer than four bits would cost trained models: `python -m tests.conformance.codebooks [--json]`.

None of these formats exists in compiler or engine: this measures whether one would be worth building
(docs/engine-memory.md). The two checkpoints of tests.conformance.quantisation run in plain numpy with their matrices
rounded, those that an int4 model keeps at 8 bits at 8 bits; compared is as there, with the unquantised checkpoint.
Rounding needs no data and is the best for each block of weights:

- int4: as the importer rounds, to compare with
- four levels: two magnitudes for each block, fitted to it (Lloyd's iteration): about as near to the weights as a
  symmetrical codebook of 2 bits can be, shared or not
- ternary: -s, 0, s with the s and the zeros that leave the least squared error, exactly
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save_file

from personal_ai.models.quantisation import BLOCK_SIZE, Floats, dequantise, quantise, quantise_int4
from tests.conformance.quantisation import BOUNDS, CHECKPOINTS, GOLDEN, SEQUENCE_COUNT, Text, held_out
from tests.support import reference

Rounding = Callable[[Floats], Floats]  # of a matrix [inputs, outputs]


@dataclass(frozen=True)
class Case:
    """squared_error: of the matrices that were rounded so, relative to their squares."""

    checkpoint: str
    rounding: str
    block: int
    squared_error: float
    agreement: float
    perplexity_change: float
    reaches_int4: bool


def int4(matrix: Floats) -> Floats:
    return dequantise(*quantise_int4(matrix, BLOCK_SIZE), BLOCK_SIZE)


def int8(matrix: Floats) -> Floats:
    return dequantise(*quantise(matrix, BLOCK_SIZE), BLOCK_SIZE)


def ternary(blocks: Floats) -> Floats:
    """Of [blocks, inputs of a block, outputs]. Where the n greatest are kept, s is their mean magnitude and the error
    falls by n s^2: every n is tried.
    """
    magnitudes = np.abs(blocks)
    ordered = -np.sort(-magnitudes, axis=1)
    counts = np.arange(1, blocks.shape[1] + 1, dtype=np.float32)[None, :, None]
    means = np.cumsum(ordered, axis=1) / counts
    best = (counts * means**2).argmax(axis=1)[:, None]
    scale, least = np.take_along_axis(means, best, axis=1), np.take_along_axis(ordered, best, axis=1)
    return np.where(magnitudes >= least, np.sign(blocks) * scale, np.float32(0))


def four_levels(blocks: Floats, iterations: int = 20) -> Floats:
    """Of [blocks, inputs of a block, outputs]."""
    magnitudes = np.abs(blocks)
    spread = np.sqrt((blocks**2).mean(axis=1, keepdims=True))
    inner, outer = 0.4528 * spread, 1.51 * spread  # the best for normal numbers (Max, 1960)
    for _ in range(iterations):
        far = magnitudes > (inner + outer) / 2
        inner, outer = _mean(magnitudes, ~far, inner), _mean(magnitudes, far, outer)
    return np.sign(blocks) * np.where(magnitudes > (inner + outer) / 2, outer, inner)


def _mean(values: Floats, chosen: np.ndarray, otherwise: Floats) -> Floats:
    count = chosen.sum(axis=1, keepdims=True)
    sums = (values * chosen).sum(axis=1, keepdims=True)
    return np.asarray(np.where(count > 0, sums / np.maximum(count, 1), otherwise), dtype=np.float32)


def in_blocks(rounding: Rounding, block: int) -> Rounding:
    """The rounding of a whole matrix, block by block along its inputs."""

    def rounded(matrix: Floats) -> Floats:
        inputs, outputs = matrix.shape
        return rounding(matrix.reshape(inputs // block, block, outputs)).reshape(inputs, outputs)

    return rounded


ROUNDINGS: Final[tuple[tuple[str, int, Rounding], ...]] = (
    ("int4", BLOCK_SIZE, int4),
    ("four levels", 64, in_blocks(four_levels, 64)),
    ("four levels", 16, in_blocks(four_levels, 16)),
    ("ternary", 64, in_blocks(ternary, 64)),
    ("ternary", 16, in_blocks(ternary, 16)),
)


def measured(name: str, text: Text, kind: str, block: int, rounding: Rounding) -> Case:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / name
        shutil.copytree(GOLDEN / name, folder)
        squared_error = _round_matrices(folder, rounding)
        logits = [reference.logits(folder, sequence) for sequence in text.sequences]
    agreement, change = text.compare(logits)
    bounds = BOUNDS["int4"]
    reaches = agreement >= bounds.agreement and change <= bounds.perplexity_change
    return Case(name, kind, block, squared_error, agreement, change, reaches)


def _round_matrices(folder: Path, rounding: Rounding) -> float:
    """Rounds the checkpoint's matrices in place; the relative squared error of those in layers after the first."""
    tensors = {name: values.astype(np.float32) for name, values in load_file(folder / "model.safetensors").items()}
    errors = squares = 0.0
    for name, values in tensors.items():
        if values.ndim < 2 or "wpe" in name:
            continue
        inputs_first = ".c_" in name
        matrix = values if inputs_first else values.T
        coarse = any(part in name for part in ("layers.", ".h.")) and not any(part in name for part in ("s.0.", "h.0."))
        rounded = rounding(matrix) if coarse else int8(matrix)
        if coarse:
            errors += float(((rounded - matrix) ** 2).sum())
            squares += float((matrix**2).sum())
        tensors[name] = np.ascontiguousarray(rounded if inputs_first else rounded.T)
    save_file(tensors, folder / "model.safetensors")
    return errors / squares


def run(sequence_count: int = SEQUENCE_COUNT) -> list[Case]:
    texts = {name: held_out(GOLDEN / name, sequence_count) for name in CHECKPOINTS}
    return [measured(name, text, *rounding) for name, text in texts.items() for rounding in ROUNDINGS]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="What weights of fewer than four bits would cost trained models.")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--sequences", type=int, default=SEQUENCE_COUNT)
    options = parser.parse_args(arguments)
    cases = run(options.sequences)
    if options.json:
        print(json.dumps({"cases": [asdict(case) for case in cases]}))
    else:
        for case in cases:
            print(" ".join(f"{name}={value}" for name, value in asdict(case).items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
