"""Looks for secrets where none may be: `python -m tests.faults.leaks [--json]`.

Canaries (a phrase, keys, passwords, a hub token, prompts, a contact) go the app's main ways, by the real command line
and once by a process that is killed while its files are open. Meanwhile the arguments and environments of all
processes are watched. At the end every file that the app, its practice network and its crash report left behind is
searched for every canary, as text in two encodings, in hexadecimal digits and in base64, and so is all that the
commands printed.

The practice network plays the canister. It computes with the prompt's tokens, so their numbers are in that canister's
memory, as they are in any canister's; `prompt_tokens_in_canister` says whether they were seen there.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from personal_ai.app.workspace import Workspace
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.common.paths import HOME_VARIABLE, Paths
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.identities import keys, pem
from personal_ai.identities import phrase as phrases
from personal_ai.identities.keys import SecretKey
from personal_ai.models.tokenizer import ChatTokenizer
from tests.faults.needles import Needle, needles_of_bytes, needles_of_phrase, needles_of_text, search_bytes, search_file
from tests.support.checkpoints import Shape, write_checkpoint
from ui.report import report

_MODEL = "small"
_WATCH_S = 0.05
_TOKENS = slice(2, 10)  # of the prompt; the first depend on what stands before it


@dataclass
class Findings:
    """What was looked through, and where canaries were found: (canary, form, place)."""

    canaries: int = 0
    commands: int = 0
    files: int = 0
    size_bytes: int = 0
    processes: int = 0
    prompt_tokens_in_canister: bool | None = None
    found: list[tuple[str, str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Canaries:
    """The secrets; `given` is the folder of files in which a user would hand them over, which is not searched."""

    given: Path
    phrase: str
    imported: SecretKey
    words: dict[str, str]

    @classmethod
    def fresh(cls, given: Path) -> Canaries:
        def word() -> str:
            return f"canary {secrets.token_hex(10)} sings"

        names = ("password", "new-password", "backup-password", "key-password", "hub-token", "contact")
        words = {name: word().replace(" ", "-") for name in names} | {
            "prompt": f"{word()} in the canister",
            "local-prompt": f"{word()} on this computer",
            "saved-prompt": f"{word()} in the conversations",
            "draft": f"{word()} and is not sent",
        }
        canaries = cls(given, phrases.generate(), SecretKey("ed25519", secrets.token_bytes(32)), words)
        given.mkdir()
        for name, text in (*words.items(), ("phrase", canaries.phrase)):
            (given / name).write_text(f"{text}\n")
        (given / "all-words").write_text("\n".join(canaries.phrase.split()) + "\n")
        (given / "key.pem").write_bytes(pem.write(canaries.imported))
        return canaries

    @classmethod
    def read(cls, given: Path) -> Canaries:
        words = {path.name: path.read_text().strip() for path in given.iterdir() if path.name != "key.pem"}
        return cls(given, words.pop("phrase"), pem.read((given / "key.pem").read_bytes()), words)

    def needles(self) -> list[Needle]:
        seed = phrases.seed(self.phrase)
        found = [*needles_of_phrase(self.phrase), *needles_of_bytes("seed", seed)]
        found += needles_of_bytes("imported key", self.imported.secret)
        for index in range(3):
            found += needles_of_bytes(f"key {index}", keys.derive(seed, index).secret)
        for name, text in self.words.items():
            if name != "all-words":
                found += needles_of_text(name, text)
        return found


class Commands:
    """Runs commands in a home folder of their own and keeps all that they print."""

    def __init__(self, folder: Path, canaries: Canaries) -> None:
        self.given = canaries.given
        temporary = folder / "temporary"
        temporary.mkdir()
        self._environment = {**os.environ, HOME_VARIABLE: str(folder / "home"), "TMPDIR": str(temporary)}
        self._printed = folder / "printed"
        self._printed.mkdir()
        self.count = 0

    def run(self, *arguments: str, password: str = "password", typed: str | None = None, fails: bool = False) -> None:
        """`typed`: the name of the canary file that is standard input."""
        given = self.given / typed if typed else Path(os.devnull)
        unlock = ("--password-file", str(self.given / password))
        with given.open("rb") as stdin:
            self.run_module("ui", *arguments, *unlock, stdin=stdin.fileno(), fails=fails)

    def run_module(
        self, *arguments: str, stdin: int = subprocess.DEVNULL, fails: bool = False, kills: bool = False
    ) -> None:
        self.count += 1
        command = [sys.executable, "-m", *arguments]
        printed = self._printed / f"{self.count}.txt"
        with printed.open("wb") as output:
            done = subprocess.run(
                command, env=self._environment, stdin=stdin, stdout=output, stderr=subprocess.STDOUT, check=False
            )
        expected = -signal.SIGKILL if kills else int(fails)
        assert done.returncode == expected, f"{arguments} ended with {done.returncode}: {printed.read_text()}"


class Watch:
    """Looks at the arguments and environments of all processes that this user may see, as long as it is entered."""

    def __init__(self, needles: list[Needle], home: Path) -> None:
        self._needles, self._home = needles, str(home).encode()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self.seen: set[str] = set()
        self.found: set[tuple[str, str, str]] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_WATCH_S):
            for process in Path("/proc").iterdir():
                if process.name.isdecimal():
                    self._look(process)

    def _look(self, process: Path) -> None:
        for name in ("environ", "cmdline"):
            try:
                content = (process / name).read_bytes()
            except OSError:  # it ended, or is another user's
                return
            if self._home in content:
                self.seen.add(process.name)
            for needle in search_bytes(content, self._needles):
                self.found.add((needle.name, needle.form, f"{name} of a process"))


def look_for_leaks(folder: Path, *, short: bool = False) -> Findings:
    """The whole story in `folder`; the short one is without a model, a network and the commands on identities."""
    canaries = Canaries.fresh(folder / "given")
    needles = canaries.needles()
    commands = Commands(folder, canaries)
    with Watch(needles, folder) as watch:
        _hand_over(commands, folder)
        if short:
            _back_up(commands, folder)
        else:
            _go_the_ways(commands, folder)
    findings = Findings(
        canaries=len({needle.name for needle in needles}), commands=commands.count, processes=len(watch.seen)
    )
    findings.found += sorted(watch.found)
    if not short:
        findings.prompt_tokens_in_canister = _tokens_seen(folder, canaries.words["prompt"])
    for path in _files(folder):
        findings.files += 1
        findings.size_bytes += path.stat().st_size
        for needle in search_file(path, needles):
            findings.found.append((needle.name, needle.form, str(path.relative_to(folder))))
    return findings


def _hand_over(commands: Commands, folder: Path) -> None:
    commands.run("vault", "create", "--phrase-file", str(commands.given / "phrase"))
    commands.run("identity", "import", "imported", "--pem", str(commands.given / "key.pem"))
    commands.run_module("tests.faults.leaks", "--inside", str(folder), kills=True)


def _go_the_ways(commands: Commands, folder: Path) -> None:
    given = commands.given
    commands.run("identity", "create", "first")
    commands.run("identity", "verify", "--all", typed="all-words")
    encrypted = ("--key-password-file", str(given / "key-password"))
    commands.run("identity", "export", "imported", str(folder / "exported.pem"), "--yes", *encrypted)
    commands.run("identity", "list", "--json", password="new-password", fails=True)
    commands.run("identity", "import", "again", "--phrase-file", str(given / "phrase"), fails=True)
    write_checkpoint(folder / "checkpoint", Shape())
    commands.run_module("ui", "model", "import", str(folder / "checkpoint"), "--name", _MODEL)
    commands.run("chat", "--local", "--model", _MODEL, typed="local-prompt")
    try:
        commands.run("deploy", "--model", _MODEL)
        commands.run("chat", typed="prompt")
    finally:
        PracticeNetwork(Paths(folder / "home").practice_network).stop()
    _back_up(commands, folder)
    password = ("--backup-password-file", str(given / "backup-password"))
    commands.run("backup", "restore", str(folder / "everything.backup"), *password)
    commands.run("backup", "sheet", str(folder / "sheet.html"))
    commands.run("vault", "password", "--new-password-file", str(given / "new-password"))


def _back_up(commands: Commands, folder: Path) -> None:
    password = ("--backup-password-file", str(commands.given / "backup-password"))
    commands.run("backup", "create", str(folder / "everything.backup"), *password)


def _inside(folder: Path) -> None:
    """What the window does with the core, then a crash report, then a kill with all files open."""
    canaries = Canaries.read(folder / "given")
    workspace = Workspace(Paths(folder / "home"))
    workspace.unlock(canaries.words["password"])
    words = canaries.words
    workspace.vault.change_notes(
        lambda notes: notes.with_hub_token(words["hub-token"]).with_contact(words["contact"], "aaaaa-aa")
    )
    prompt = words["saved-prompt"]
    conversation = Conversation(_MODEL).with_turn(Turn("user", prompt)).with_turn(Turn("assistant", prompt))
    workspace.conversations.save(conversation)
    workspace.conversations.save_draft("", words["draft"])
    try:
        raise RuntimeError(f"{canaries.phrase} {prompt} {canaries.imported.secret.hex()}")
    except RuntimeError as error:
        (folder / "home" / "crash-report.txt").write_text(report(error))
    os.kill(os.getpid(), signal.SIGKILL)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and folder / "given" not in path.parents:
            yield path


def _tokens_seen(folder: Path, prompt: str) -> bool:
    package = Workspace(Paths(folder / "home")).model(_MODEL)
    tokens = np.asarray(ChatTokenizer(package).encode_text(prompt)[_TOKENS], dtype="<u4").tobytes()
    state = Paths(folder / "home").practice_network
    return any(search_file(path, [Needle("prompt", "tokens", tokens)]) for path in _files(state))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside is not None:
        _inside(arguments.inside)
    with tempfile.TemporaryDirectory() as folder:
        findings = look_for_leaks(Path(folder))
    print(json.dumps(asdict(findings)) if arguments.json else findings)
    return 1 if findings.found else 0


if __name__ == "__main__":
    sys.exit(main())
