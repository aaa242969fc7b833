"""Changed inputs for the shipped module, in whole messages."""

from __future__ import annotations

import random
import struct
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from personal_ai.canister import interface
from personal_ai.canister.client import CanisterClient
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import CanisterRefusedError
from personal_ai.compiler.format import FRAME
from personal_ai.compiler.program_file import read_parts
from personal_ai.ic import candid
from tests.canister.fuzz_seeds import METHOD_KINDS, Kind, message_seeds, request_seeds, run_seeds
from tests.canister.installed import Installed, Network, Trapped
from tests.canister.models import Talk, load
from tests.canister.test_canister import REQUEST, RESULTS
from tests.compiler.drawn_graphs import GRAPHS

_OUT_OF_INSTRUCTIONS = "instruction"  # in the network's words for a message that did not end
_SHARES = {"candid": 7, "manifest": 4, "generate": 5, "sampling": 2, "program": 1, "packed": 1, "run": 5}
_WORDS = (0, 1, 0xFFFF_FFFF, 0x8000_0000, 0x7FFF_FFFF, 0x7FC0_0000, 0x7F80_0000, 0xFF80_0000, 0x3F80_0000)
_METHODS = {kind: method for method, kind in METHOD_KINDS.items()}
_NOT_CANDID = "the argument is not a Candid message"


@dataclass
class _Fuzzer:
    """One canister with a model; each input is a message or a few to it."""

    canister: Installed
    program: Path
    rng: random.Random

    def candid(self) -> str:
        return self._send(*self.rng.choice([seed for seed in message_seeds() if seed[0] is not Kind.NONE]))

    def manifest(self) -> str:
        return self._send(*self.rng.choice([seed for seed in message_seeds() if seed[0] is Kind.BEGIN_UPLOAD]))

    def generate(self) -> str:
        return self._send(*self.rng.choice(request_seeds(vocabulary=30)))

    def run(self) -> str:
        return self._send(*self.rng.choice(run_seeds(GRAPHS["embeddings"])))

    def sampling(self) -> str:
        """Every number of the request may be any number: bits are drawn, not values."""
        floats = struct.unpack("<4f", struct.pack("<4I", *(self._word() for _ in range(4))))
        names = ("temperature", "top_p", "min_p", "repetition_penalty")
        plain = {"temperature": 0.8, "top_p": 0.9, "min_p": 0.1, "repetition_penalty": 1.1}
        drawn = dict(zip(names, floats, strict=True))
        chosen = plain | {name: drawn[name] for name in self.rng.sample(names, self.rng.randint(0, 2))}
        fields = {**chosen, "top_k": self._word(), "seed": self.rng.getrandbits(64)}
        request = {**REQUEST, "sampling": fields, "stop": []}
        return self._answer("generate", candid.encode([interface.GENERATE_REQUEST], [request]))

    def program_file(self) -> str:
        """Uploads a damaged program, and generates if it became active."""
        client = self.canister.client
        try:
            with tempfile.TemporaryDirectory() as folder:
                damaged = Path(folder) / "damaged"
                damaged.write_bytes(self._damage())
                load(client, Upload.of("m", [("program", damaged)]))
            Talk(client, [], self.rng.randbytes(4)).go_on(2, [1])
        except CanisterRefusedError as refused:
            return "refused" if "is no program" in str(refused) else "past_header"
        return "accepted"

    def _send(self, kind: Kind, argument: bytes) -> str:
        return self._answer(_METHODS[kind], self._change(argument))

    def _answer(self, method: str, argument: bytes) -> str:
        send = self.canister.query if method == "read_file" else self.canister.update
        answer = send(self.canister.id, method, argument)
        ((variant, value),) = candid.decode([RESULTS[method]], answer)
        if variant in ("ok", "more"):
            return "accepted"
        return "refused" if value == ("invalid", _NOT_CANDID) else "past_header"

    def _change(self, valid: bytes) -> bytes:
        changed = bytearray(valid)
        for _ in range(self.rng.randint(0, 3)):
            at = self.rng.randrange(len(changed))
            match self.rng.randrange(8):
                case 0:
                    changed = changed[: at + 1]
                case 1:
                    changed[at:at] = changed[at : at + self.rng.randrange(32)]
                case 2 | 3:
                    changed[at : at + 4] = struct.pack("<I", self._word())
                case _:
                    changed[at] = self.rng.choice([self.rng.randrange(256), changed[at] ^ 1, 0, 0x7F, 0x80, 0xFF])
        return bytes(changed)

    def _damage(self) -> bytes:
        """The program with changes: in its tables, which lie before the weights, and where it says how it is packed."""
        changed = bytearray(self.program.read_bytes())
        parts = read_parts(self.program)
        start = parts[0].file_offset
        (tables_size,) = struct.unpack_from("<I", changed, start + 64 + 6 * 16 + 4)
        heads = [8, *range(12, start, 4), *(part.file_offset - FRAME.layout.size for part in parts[1:])]
        for _ in range(self.rng.randint(1, 3)):
            at = start + self.rng.randrange(8 if self.rng.random() < 0.9 else 0, tables_size)
            if start and self.rng.random() < 0.3:
                at = self.rng.choice(heads)
            struct.pack_into("<I", changed, at & ~3, self._word())
        return bytes(changed)

    def _word(self) -> int:
        return self.rng.choice([*_WORDS, self.rng.getrandbits(32), self.rng.randrange(100)])


def fuzz_module(
    folder: Path, programs: Mapping[str, Path], parsers: Iterable[str], inputs: int, seed: int
) -> dict[str, dict[str, int]]:
    """inputs, traps, hangs, past_header and accepted of each parser, which share `inputs`.

    programs: those of the parsers "run" and "packed"; "program" is for all others.
    """
    parsers = tuple(parsers)
    whole = sum(_SHARES[parser] for parser in parsers)
    network = Network(folder)
    told = {}
    for parser in parsers:
        program = programs.get(parser, programs["program"])
        canister = network.canister()
        load(canister.client, Upload.of("m", [("program", program)]))
        fuzzer = _Fuzzer(canister, program, random.Random(f"{parser} {seed}"))
        examine = fuzzer.program_file if parser in ("program", "packed") else getattr(fuzzer, parser)
        told[parser] = _count(examine, canister.client, max(1, inputs * _SHARES[parser] // whole))
    return told


def _count(examine: Callable[[], str], client: CanisterClient, inputs: int) -> dict[str, int]:
    counts = {"inputs": inputs, "traps": 0, "hangs": 0, "past_header": 0, "accepted": 0}
    for _ in range(inputs):
        try:
            verdict = examine()
        except Trapped as trapped:
            counts["hangs" if _OUT_OF_INSTRUCTIONS in str(trapped) else "traps"] += 1
            continue
        counts["past_header"] += verdict != "refused"
        counts["accepted"] += verdict == "accepted"
    client.status()
    return counts
