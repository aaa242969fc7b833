"""The window over the real core: a vault, a deployment to the practice network, a chat, and the chat without it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from personal_ai.app import workspace as app
from personal_ai.chat.conversation import Place, Turn
from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from tests.ui.looking import child, focused
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.shell import Shell
from ui.tour.stage import until
from ui.widgets.notice import Notice, Problem
from ui.widgets.rail import Page
from ui.widgets.trial_dialogs import EndDialog
from ui.window import Window

PASSWORD = "four quiet walnut trees"
QUESTION = "What is a canister?"
UNLOCK_TIMEOUT_MS, DEPLOY_TIMEOUT_MS, REPLY_TIMEOUT_MS = 30_000, 90_000, 60_000


@pytest.fixture
def paths(own_home: Path) -> Iterator[Paths]:
    paths = Paths(own_home)
    yield paths
    PracticeNetwork(paths.practice_network).stop()


def _open(paths: Paths) -> Window:
    window = Window(lambda: app.Workspace(paths), paths)
    window.bridge.crashed.connect(lambda error: pytest.fail(f"the window broke: {error!r}"))
    window.show()
    until(lambda: window.findChild(WelcomePage) is not None or window.findChild(UnlockPage) is not None)
    return window


def _shell(window: Window) -> Shell:
    assert window.shell is not None
    return window.shell


def _close(window: Window) -> None:
    ended: list[bool] = []
    window.closed.connect(lambda: ended.append(True))
    window.close()
    until(lambda: bool(ended))
    window.deleteLater()


def _first_run(window: Window) -> Shell:
    page = child(window, WelcomePage)
    page.started.emit()
    until(lambda: page.phrase_shown != "")
    assert len(page.phrase_shown.split()) == 12
    phrase = page.phrase_shown.split()
    page.chosen.emit(page.phrase_shown, PASSWORD)
    until(lambda: page.places_asked != (), UNLOCK_TIMEOUT_MS)
    page.typed.emit({place: phrase[place - 1] for place in page.places_asked})
    until(lambda: window.shell is not None, UNLOCK_TIMEOUT_MS)
    return _shell(window)


def _ask(window: Window, text: str) -> Turn:
    """Types a question and returns the reply."""
    QTest.keyClicks(focused(), text)
    QTest.keyClick(focused(), Qt.Key.Key_Return)
    until(lambda: len(_shell(window).chat.conversation.turns) == 2, REPLY_TIMEOUT_MS)
    until(lambda: not window.bridge.busy)
    assert not window.findChildren(Problem)
    return _shell(window).chat.conversation.turns[-1]


@pytest.mark.usefixtures("no_keyring")
def test_one_click_from_an_empty_home_to_a_canisters_answer_and_nothing_left(qapp: object, paths: Paths) -> None:
    window = _open(paths)
    (choice,) = [one for one in window.findChildren(QPushButton) if one.text() == "Just try it"]
    QTest.mouseClick(choice, Qt.MouseButton.LeftButton)  # the only one
    until(lambda: window.shell is not None, DEPLOY_TIMEOUT_MS)
    until(lambda: len(_shell(window).chat.conversation.turns) == 2, REPLY_TIMEOUT_MS)
    answered = _shell(window).chat.conversation.turns[-1]
    assert answered.facts is not None
    assert answered.facts.place is Place.PRACTICE
    assert answered.text
    until(lambda: not window.bridge.busy)
    window.close()  # asks
    (dialog,) = window.findChildren(EndDialog)
    dialog.throw_away.click()
    until(lambda: window.bridge.closed)
    assert {path.name for path in paths.home.iterdir()} <= {"programs", "trial.lock", "settings.json"}
    assert not PracticeNetwork(paths.practice_network).running
    window.deleteLater()


def test_from_an_empty_home_to_a_canisters_answer_and_on_without_the_network(qapp: object, paths: Paths) -> None:
    window = _open(paths)
    shell = _first_run(window)
    shell.show_page(Page.AIS)
    shell.ais.deploy_button.click()
    until(lambda: bool(shell.chat.profile.active), DEPLOY_TIMEOUT_MS)
    until(lambda: not window.bridge.busy)
    (deployment,) = shell.chat.profile.active

    shell.new_chat(deployment)
    until(lambda: shell.chat.header.place_shown == "Practice network")
    answered = _ask(window, QUESTION)
    assert answered.facts is not None
    assert answered.facts.place is Place.PRACTICE
    assert answered.facts.instructions > 0

    shell.chat.profile.core.practice_network.stop()
    shell.new_chat(deployment)
    offline = _ask(window, QUESTION)
    assert offline.facts is not None
    assert offline.facts.place is Place.LOCAL
    assert offline.facts.fallback_reason
    assert offline.text == answered.text  # the same weights
    assert shell.chat.header.place_shown == "On this computer now"
    (notice,) = [one for one in shell.chat.transcript.widgets() if isinstance(one, Notice)]
    assert notice.text.startswith(offline.facts.fallback_reason)
    kept = shell.chat.conversation
    _close(window)

    again = _open(paths)
    child(again, UnlockPage).chosen.emit(PASSWORD)
    until(lambda: again.shell is not None, UNLOCK_TIMEOUT_MS)
    until(lambda: _shell(again).chat.list.titles == [QUESTION, QUESTION])
    _shell(again).chat.list.selected.emit(kept.id)
    until(lambda: _shell(again).chat.conversation == kept)
    _close(again)
