"""Breaks model files at random and has them read: `python -m tests.faults.import_fuzz --inputs N [--seed S] [--json]`.

Each input is a valid file of one of the formats (safetensors, GGUF, ONNX) with a few bytes changed, cut, repeated or
taken out, most of them in its head. It is opened, its weights are looked for, some numbers and its words are read: all
that an import does before it writes. What counts: `untyped`, errors outside the program's own; `hangs`, inputs that
took longer than TIME_LIMIT_S; `accepted_share`, inputs that were read to the end.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from personal_ai.common.errors import BadInputError
from personal_ai.models.detection import open_foreign
from personal_ai.models.huggingface import parse_decoder
from tests.support import exports
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.gguf_files import write_gguf

TIME_LIMIT_S: Final = 10.0
_FORMATS: Final = ("safetensors", "gguf", "onnx", "onnx with blocks")
_VALUES: Final = (0, 1, 2, 7, 8, 9, 0x7F, 0x80, 0xFF)


@dataclass
class Outcome:
    """The counts over all inputs of a format. `examples`: seeds and errors of what should not have been."""

    inputs: int = 0
    accepted: int = 0
    untyped: int = 0
    hangs: int = 0
    examples: list[str] = field(default_factory=list)


class _Target:
    """A valid model of a format, in a folder of its own, and the file of it that is broken."""

    def __init__(self, name: str, folder: Path) -> None:
        self._head_size = 16_384
        shape = Shape(hidden=32, heads=2, key_value_heads=1, intermediate=64, layers=1, vocabulary=300)
        match name:
            case "safetensors":
                self._source = write_checkpoint(folder / "model", shape)
                self._file = self._source / "model.safetensors"
                self._head_size = 2_000
            case "gguf":
                source = write_checkpoint(folder / "source", shape)
                self._source = self._file = write_gguf(source, folder / "model.gguf", "Q8_0")
            case _:
                style = "genai-int4" if "blocks" in name else "torchscript"
                self._source = exports.unpacked(folder / "model", "llama", style)
                self._file = self._source / "model.onnx"
                self._head_size = self._file.stat().st_size
        self._good = self._file.read_bytes()

    def broken(self, rng: random.Random) -> None:
        """Writes the file anew, with one to four things wrong."""
        content = bytearray(self._good)
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(min(self._head_size, len(content)))
            match rng.randrange(5):
                case 0:
                    content[at] = rng.choice(_VALUES)
                case 1:
                    content[at : at + 8] = rng.randbytes(8)
                case 2:
                    del content[at : at + rng.randint(1, 16)]
                case 3:
                    content[at:at] = content[at : at + rng.randint(1, 64)]
                case _ if rng.random() < 0.2:
                    del content[at:]
                case _:
                    content[at] ^= 1 << rng.randrange(8)
            if not content:
                break
        self._file.write_bytes(content)

    def read(self) -> None:
        """All that an import does before it writes. Raises BadInputError."""
        with open_foreign(self._source) as model:
            decoder = parse_decoder(model.config, has_head=model.checkpoint.has_head)
            model.checkpoint.check(decoder)
            model.checkpoint.file("model.norm.weight").rows("model.norm.weight", 0, 1)
            model.words()


def fuzz(name: str, inputs: int, seed: int) -> Outcome:
    """Breaks and reads files of one format."""
    outcome = Outcome()
    folder = Path(tempfile.mkdtemp())
    try:
        target = _Target(name, folder)
        target.read()
        for number in range(inputs):
            target.broken(random.Random(f"{name}/{seed}/{number}"))
            started = time.monotonic()
            try:
                target.read()
                outcome.accepted += 1
            except BadInputError:
                pass
            except Exception as error:
                outcome.untyped += 1
                outcome.examples.append(f"{name}/{seed}/{number}: {type(error).__name__}: {error}"[:300])
            if time.monotonic() - started > TIME_LIMIT_S:
                outcome.hangs += 1
                outcome.examples.append(f"{name}/{seed}/{number}: slow")
            outcome.inputs += 1
    finally:
        shutil.rmtree(folder)
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=2000, help="of each format; default %(default)s")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    by_parser = {name: fuzz(name, options.inputs, options.seed) for name in _FORMATS}
    inputs = sum(one.inputs for one in by_parser.values())
    told = {
        "inputs": inputs,
        "untyped": sum(one.untyped for one in by_parser.values()),
        "hangs": sum(one.hangs for one in by_parser.values()),
        "accepted_share": sum(one.accepted for one in by_parser.values()) / inputs,
        "by_parser": {name: asdict(one) for name, one in by_parser.items()},
    }
    print(json.dumps(told) if options.json else json.dumps(told, indent=2))
    return 1 if told["untyped"] or told["hangs"] else 0


if __name__ == "__main__":
    sys.exit(main())
