"""How soon the window is there and how little it makes its user wait: `python -m tests.benchmarks.ui [--json]`.

start_ratio             first page usable, over a bare window with as many widgets: from process start to drawn and
                        answering; the least of several runs of each, in turn
stream_*_block_ms       how long a click would wait while 100 tokens a second, prose and code, come into a conversation
                        of 200 messages: a thread knocks every 2 ms; of the times until it is heard the 99th of 100 and
                        the longest
open_10k_ms             from choosing a conversation of 10,000 messages to having it drawn, the encrypted store included
idle_cpu_percent        of one core, with an open chat that nobody touches

Times depend on the machine; run it on a quiet one.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QObject, Qt, Signal

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.store import ConversationStore
from personal_ai.common.jobs import Cancel
from tests.benchmarks.usable import USABLE
from ui.application import make_application
from ui.tour.scripted import ScriptedCore, deployment
from ui.tour.stage import Stage, wait

_STARTS = 11
_TOKENS_PER_S = 100
_STREAM_S = 6
_IDLE_S = 5
_KNOCK_S = 0.002
_MESSAGES = 200
_MESSAGES_LONG = 10_000
_OPEN_TIMEOUT_MS = 60_000
_REPLY = (
    "Some **words** of a reply with `code` in it, long enough to wrap once or twice on the page that it is read on.\n\n"
)
_STREAMED = (
    _REPLY * 3
    + "```python\n"
    + 'def area(radius: float) -> float:\n    """Of a disc."""\n    return 3.14 * radius**2  # about\n\n' * 4
    + "```\n\n"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.ui", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = measure()
    if arguments.json:
        print(json.dumps(figures))
    else:
        for name, figure in figures.items():
            print(f"{name:24} {figure:g}")
    return 0


def measure(starts: int = _STARTS, stream_s: float = _STREAM_S, long: int = _MESSAGES_LONG) -> dict[str, float]:
    """The figures of the module's text, by their names."""
    figures = {"start_ratio": start_ratio(starts)}
    application = make_application()
    with tempfile.TemporaryDirectory() as home:
        blocks_ms = stream(Path(home), stream_s)
    figures["stream_p99_block_ms"] = blocks_ms[int(0.99 * (len(blocks_ms) - 1))]
    figures["stream_longest_block_ms"] = blocks_ms[-1]
    with tempfile.TemporaryDirectory() as home:
        figures["open_10k_ms"], figures["idle_cpu_percent"] = open_long_then_idle(Path(home), long)
    application.quit()
    return {name: round(figure, 3) for name, figure in figures.items()}


def start_ratio(starts: int) -> float:
    """See the module's text."""
    _, widgets = _start("start_window", "")
    window_s, bare_s = [], []
    for _ in range(starts):
        window_s.append(_start("start_window", "")[0])
        bare_s.append(_start("start_bare", widgets)[0])
    return min(window_s) / min(bare_s)


def _start(module: str, argument: str) -> tuple[float, str]:
    """Seconds until the window of a process of its own can be used, and how many widgets it says it has."""
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", argument or home]
        began_s = time.perf_counter()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            said = process.stdout.readline().strip()
            took_s = time.perf_counter() - began_s
            widgets = process.stdout.readline().strip()
        assert process.returncode == 0 and said == USABLE, f"{module} did not start"
        return took_s, widgets


class Knocks(QObject):
    """Knocks at the window's thread and times how long it takes to be heard."""

    _knocked = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.waited_ms: list[float] = []
        self._over = threading.Event()
        self._knocked.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._knock)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _knock(self) -> None:
        while not self._over.wait(_KNOCK_S):
            self._knocked.emit(time.perf_counter())

    def _hear(self, knocked_s: float) -> None:
        self.waited_ms.append(1000 * (time.perf_counter() - knocked_s))


def stream(home: Path, stream_s: float) -> list[float]:
    """How long each knock waited in ms while a reply streamed, the shortest first."""
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    talk = _talk(_MESSAGES)
    core.conversations.save(talk)
    tokens = itertools.cycle(re.findall(r"\s*\S+", _STREAMED))
    core.script.words = list(itertools.islice(tokens, round(stream_s * _TOKENS_PER_S)))
    core.script.before_word = _paced()
    stage = Stage(core, home).enter()
    stage.chat.list.selected.emit(talk.id)
    stage.until(lambda: stage.chat.conversation.id == talk.id)
    stage.settle()
    knocks = Knocks()
    stage.chat.send("Go on")
    wait(round(1000 * stream_s))
    knocks.stop()
    stage.close()
    return sorted(knocks.waited_ms)


def _paced() -> Callable[[int, Cancel], None]:
    """Holds each word back until it is due, counted from the first."""
    began_s = 0.0

    def pace(at: int, _: Cancel) -> None:
        nonlocal began_s
        if at == 0:
            began_s = time.perf_counter()
        time.sleep(max(0.0, began_s + at / _TOKENS_PER_S - time.perf_counter()))

    return pace


def open_long_then_idle(home: Path, messages: int) -> tuple[float, float]:
    """open_10k_ms and idle_cpu_percent."""
    core = ScriptedCore()
    store = ConversationStore(home / "conversations.sqlite", bytes(32))
    core.conversations = store  # type: ignore[assignment]
    talk = _talk(messages)
    store.save(talk)
    stage = Stage(core, home).enter()
    began_s = time.perf_counter()
    stage.chat.list.selected.emit(talk.id)
    stage.until(lambda: stage.chat.conversation.id == talk.id, timeout_ms=_OPEN_TIMEOUT_MS)
    stage.draw()
    took_s = time.perf_counter() - began_s
    stage.settle()
    cpu_s, began_s = time.process_time(), time.perf_counter()
    wait(1000 * _IDLE_S)
    idle = (time.process_time() - cpu_s) / (time.perf_counter() - began_s)
    stage.close()
    store.close()
    return 1000 * took_s, 100 * idle


def _talk(messages: int) -> Conversation:
    facts = ReplyFacts(Place.LOCAL, 25, 1.0, "end")
    turns: list[Turn] = []
    for number in range(messages):
        reply = number % 2 == 1
        parent = turns[-1].id if turns else None
        text = _REPLY * 3 if reply else f"Question {number}"
        turns.append(
            Turn("assistant" if reply else "user", text, facts if reply else None, created_at_ns=number, parent=parent)
        )
    return Conversation("starter", title="Long", turns=tuple(turns))


if __name__ == "__main__":
    sys.exit(main())
