"""What the monkey plays on: windows over a scripted core with bad days, and over the real one with its network."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QTimer

from personal_ai.app.workspace import Workspace
from personal_ai.chat.conversation import Conversation, Turn
from personal_ai.common.errors import NetworkUnreachableError, StorageError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from ui.pages.unlock import UnlockPage
from ui.theme import Appearance
from ui.tour.scripted import PASSWORD, ScriptedCore, deployment
from ui.tour.stage import Stage

TEXTS = ("Who?", "a", "**b**", "```sh\nls\n```", "\u4f60\u597d", "<b>x</b>", "%s {0}", "\U0001f642", PASSWORD)
SIZES = ((580, 480), (640, 760), (1180, 760), (1700, 900))
_OPEN_TIMEOUT_MS = 60_000
_NETWORK_FAILS_AFTER_MS = 8000

MakeStage = Callable[[random.Random, Path], Stage]


def scripted_stage(chance: random.Random, home: Path) -> Stage:
    """With or without a vault, deployments and conversations; now and then something fails or is slow."""
    core = ScriptedCore(has_vault=chance.random() < 0.7)
    if chance.random() < 0.7:
        core.all_deployments.append(deployment("Rowan"))
        core.practice_network.running = chance.random() < 0.7
    for talk in _talks(chance):
        core.conversations.save(talk)
    days = random.Random(chance.random())  # of its own: it is drawn from on other threads

    def before_word(_: int, __: Cancel) -> None:
        if days.random() < 0.03:
            raise NetworkUnreachableError("The network is away.")
        time.sleep(days.random() * 0.02)

    def before_step(_: Progress, __: Cancel) -> None:
        if days.random() < 0.1:
            raise StorageError("The disk is full.", next_step="Make room.")

    core.script.before_word, core.script.before_step = before_word, before_step
    return Stage(core, home, size=chance.choice(SIZES))


class RealStages:
    """Each stands on a copy of one profile, with its deployment on a practice network that now and then goes away."""

    def __init__(self, folder: Path) -> None:
        self._profile = folder / "profile"
        workspace = Workspace(Paths(self._profile))
        workspace.create_vault(workspace.new_phrase(), PASSWORD)
        workspace.practice_network.start()
        workspace.deploy(workspace.models()[0].name, name="Rowan", on_progress=ignore_progress, cancel=Cancel())
        workspace.practice_network.stop()
        workspace.close()

    def __call__(self, chance: random.Random, home: Path) -> Stage:
        if chance.random() < 0.8:
            # Python would fill the holes of the canisters' memory files, gigabytes of them.
            subprocess.run(["cp", "-a", f"{self._profile}/.", str(home)], check=True)
        return _RealStage(chance, home)


class _RealStage(Stage):
    """The window as `ui.__main__` opens it."""

    def __init__(self, chance: random.Random, home: Path) -> None:
        workspace = Workspace(Paths(home))
        super().__init__(workspace, home, size=chance.choice(SIZES))  # type: ignore[arg-type]
        self._network = PracticeNetwork(Paths(home).practice_network)
        self._runs, self._fails = chance.random() < 0.8, chance.random() < 0.4
        self._talks = _talks(chance)

    def open_core(self) -> Workspace:  # type: ignore[override]
        return Workspace(self._paths)  # as in `ui.__main__`: one that was closed is not opened again

    def enter(self, appearance: Appearance = Appearance.LIGHT) -> Stage:
        """Where there is a vault, it is opened, and the network runs."""
        self.show(appearance)
        if (page := self.window.findChild(UnlockPage)) is not None:
            page.chosen.emit(PASSWORD)
            self.until(lambda: self.window.shell is not None, _OPEN_TIMEOUT_MS)
            self.settle()
            self._begin()
        return self

    def _begin(self) -> None:
        for talk in self._talks:
            self.chat.shelf.save(talk)
        if self._runs:
            self.chat.profile.start_network()
        if self._fails:
            QTimer.singleShot(_NETWORK_FAILS_AFTER_MS, self.window, self._network.stop)

    def close(self) -> None:
        super().close()
        self._network.stop()


def _talks(chance: random.Random) -> list[Conversation]:
    talks = []
    for number in range(chance.randrange(4)):
        talk = Conversation("starter", title=f"Talk {number}")
        for _ in range(chance.randrange(1, 40)):
            talk = talk.with_turn(Turn("user", chance.choice(TEXTS))).with_turn(
                Turn("assistant", "\n\n".join(chance.choices(TEXTS, k=5)) + "\n[link](https://example.org)")
            )
        talks.append(talk)
    return talks
