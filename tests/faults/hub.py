"""Kills downloads and breaks the hub, and goes on: `python -m tests.faults.hub --runs N [--seed S] [--json]`.

In each run a process that fetches a model from a hub on loopback is killed with SIGKILL once or twice, at random bytes
of random files; then one more trouble befalls it, a different one from run to run, which it must name; then it is left
alone and must give the whole model. What counts: `corrupt`, files under their name whose content is not the model's;
`restarted_from_zero`, files of which something was on the disk and that were asked for from the first byte again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from personal_ai.common.errors import UserFacingError
from personal_ai.models.hub.connection import Hub, Patience
from personal_ai.models.hub.download import downloaded
from personal_ai.models.hub.planning import plan
from tests.support.hub import DESCRIPTION, Fault, LoopbackHub, entry

_MODEL = "maker/random"
_CONFIG = {
    "model_type": "llama",
    "vocab_size": 384,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 160,
    "max_position_embeddings": 128,
}
_PARTS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
_PATIENCE = Patience(
    stall_timeout_s=0.5, slow_bytes_per_s=10_000, slow_window_s=0.3, tries=1, progress_bytes=1 << 30, first_delay_s=0.01
)
_TIMEOUT_S = 60.0


@dataclass
class Outcome:
    """The counts over all runs. `unnamed`: troubles that were not told as what they were."""

    runs: int = 0
    kills: int = 0
    troubles: int = 0
    corrupt: int = 0
    restarted_from_zero: int = 0
    unnamed: int = 0

    @property
    def good(self) -> bool:
        return self.corrupt == self.restarted_from_zero == self.unnamed == 0


def _flip_last(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _wrong_hash(run: _Run) -> None:
    run.hub.listed(_MODEL)[_PARTS[0]]["lfs"]["oid"] = "0" * 64


def _always(name: str, fault: Fault) -> Callable[[_Run], None]:
    return lambda run: run.hub.always.update({name: fault})


_TROUBLES: tuple[tuple[str, Callable[[_Run], None]], ...] = (
    (
        "WrongContentError",
        lambda run: run.hub.always.update({_PARTS[1]: Fault(content=_flip_last(run.files[_PARTS[1]]))}),
    ),
    ("WrongContentError", _wrong_hash),
    ("TruncatedDownloadError", lambda run: run.hub.always.update({_PARTS[1]: Fault(cut_at=run.size_bytes - 1)})),
    ("HubNotFoundError", _always("config.json", Fault(status=404))),
    ("HubNotFoundError", _always(DESCRIPTION, Fault(status=404))),
    ("HubAccessError", _always(DESCRIPTION, Fault(status=401))),
    ("HubBusyError", _always(_PARTS[1], Fault(status=429, headers={"Retry-After": "1"}))),
    ("NetworkTimeoutError", _always(_PARTS[1], Fault(trickle_s=0.05))),
    ("NetworkTimeoutError", lambda run: run.hub.always.update({_PARTS[1]: Fault(hold_at=run.size_bytes - 1)})),
)


class _Run:
    """One hub, one folder, one model of random bytes."""

    def __init__(self, hub: LoopbackHub, folder: Path, rng: random.Random, outcome: Outcome) -> None:
        self._folder, self._rng, self._outcome = folder, rng, outcome
        self.hub: LoopbackHub = hub
        self.size_bytes: int = rng.randrange(200_000, 2_000_000)
        index = {"weight_map": {f"tensor-{number}": name for number, name in enumerate(_PARTS)}}
        self.files: dict[str, bytes] = {
            "config.json": json.dumps(_CONFIG).encode(),
            "tokenizer.json": rng.randbytes(rng.randrange(100, 5000)),
            "tokenizer_config.json": b"{}",
            "model.safetensors.index.json": json.dumps(index).encode(),
        } | {name: rng.randbytes(self.size_bytes) for name in _PARTS}
        self._publish()

    def _publish(self) -> None:
        self.hub.add(_MODEL, self.files, cardData={"license": "mit"})
        self.hub.always.clear()
        self.hub.faults.clear()

    def kill(self) -> None:
        """Kills a fetch at a random byte of what is missing of a file."""
        name = self._rng.choice([name for name in _PARTS if self._left(name) < self.size_bytes])
        self.hub.rearm()
        self.hub.faults[name].append(Fault(hold_at=self._rng.randrange(self._left(name), self.size_bytes)))
        with self._fetching() as process:
            assert self.hub.holding.wait(_TIMEOUT_S), "the fetch came to no file"
            process.kill()
        self.hub.release()
        self.hub.faults.clear()
        self._outcome.kills += 1
        self._count_corrupt()

    def befall(self, error: str, trouble: Callable[[_Run], None]) -> None:
        """Something lasting happens to the hub; the fetch must name it. Then it passes."""
        self.hub.rearm()
        trouble(self)
        told = self._finished().get("error")
        self.hub.release()
        self._outcome.troubles += 1
        self._outcome.unnamed += told != error
        self._count_corrupt()
        self._publish()

    def complete(self) -> None:
        """Left alone, the fetch must give the model."""
        whole = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        self._outcome.corrupt += self._finished() != whole

    def _finished(self) -> dict[str, str]:
        with self._fetching() as process:
            output, _ = process.communicate(timeout=_TIMEOUT_S)
        told: dict[str, str] = json.loads(output)
        return told

    def _fetching(self) -> _Fetch:
        return _Fetch(self.hub, self._folder, {name: self._left(name) for name in self.files}, self._outcome)

    def _left(self, name: str) -> int:
        """How much of what the hub promises under a name is on the disk."""
        promised = self.hub.listed(_MODEL)[name]
        digest = promised["lfs"]["oid"] if "lfs" in promised else promised["oid"]
        paths = list(self._folder.rglob(f"{digest}.part"))
        if promised == entry(name, self.files[name]):
            paths += self._folder.rglob(name)
        return max((path.stat().st_size for path in paths), default=0)

    def _count_corrupt(self) -> None:
        for name, content in self.files.items():
            self._outcome.corrupt += any(path.read_bytes() != content for path in self._folder.rglob(name))


class _Fetch:
    """A process that fetches. At its end its first requests are compared with what it had before."""

    def __init__(self, hub: LoopbackHub, folder: Path, left: dict[str, int], outcome: Outcome) -> None:
        self._hub, self._folder, self._left, self._outcome = hub, folder, left, outcome

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._seen = len(self._hub.seen)
        command = [sys.executable, "-m", "tests.faults.hub", "--fetch", self._hub.endpoint, str(self._folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        first: dict[str, int] = {}
        for seen in self._hub.seen[self._seen :]:
            if seen.server == "storage":
                first.setdefault(seen.name, seen.start)
        self._outcome.restarted_from_zero += sum(start == 0 < self._left[name] for name, start in first.items())


def break_downloads(runs: int, seed: int) -> Outcome:
    """The whole story: kills, a trouble, and the end."""
    outcome = Outcome()
    for number in range(runs):
        rng = random.Random(f"{seed}/{number}")
        with tempfile.TemporaryDirectory() as folder, LoopbackHub() as hub:
            run = _Run(hub, Path(folder), rng, outcome)
            for _ in range(rng.randint(1, 2)):
                run.kill()
            run.befall(*_TROUBLES[number % len(_TROUBLES)])
            run.complete()
        outcome.runs += 1
    return outcome


def _fetch(endpoint: str, folder: Path) -> dict[str, str]:
    """What the killed process does: the files' hashes, or the error's name."""
    try:
        with Hub(endpoint, patience=_PATIENCE) as hub, downloaded(hub, plan(hub, _MODEL), folder) as complete:
            return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in complete.iterdir()}
    except UserFacingError as error:
        return {"error": type(error).__name__}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fetch", nargs=2, metavar=("ENDPOINT", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fetch:
        print(json.dumps(_fetch(arguments.fetch[0], Path(arguments.fetch[1]))))
        return 0
    outcome = break_downloads(arguments.runs, arguments.seed)
    print(json.dumps(asdict(outcome)) if arguments.json else outcome)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
