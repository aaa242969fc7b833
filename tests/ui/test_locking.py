"""Locking: by hand, for want of use, and what is under way then; unlocking by password and by keyring."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QPushButton

from personal_ai.deployments.journal import DeploymentState
from tests.support.keyrings import MemoryKeyring
from tests.ui.talks import only_talk
from ui.bridge import Lane
from ui.pages.unlock import UnlockPage
from ui.presence import IdleWatch, Presence
from ui.tour.scripted import PASSWORD, ScriptedCore, deployment
from ui.tour.stage import Stage
from ui.widgets.notice import Problem
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]


def unlock_page(stage: Stage) -> UnlockPage:
    stage.until(lambda: stage.window.shell is None)
    stage.settle()
    return stage.find(UnlockPage)


def look_idle(stage: Stage) -> None:
    """What the window does every few seconds."""
    stage.find(IdleWatch).look()
    stage.settle()


def grow_old(stage: Stage) -> None:
    """Nobody has touched anything for longer than the vault allows."""
    stage.find(Presence).take()
    stage.core.door._used_s -= stage.core.vault.notes.idle_lock_s + 1e6


def test_the_button_locks_and_the_password_opens_again(stage: Stage) -> None:
    (button,) = [one for one in stage.shell.rail.findChildren(QPushButton) if one.text() == "Lock"]
    button.click()
    page = unlock_page(stage)
    assert stage.core.door.locked
    assert page.first.hasFocus()
    page.chosen.emit(PASSWORD)
    stage.until(lambda: stage.window.shell is not None)
    assert not stage.core.door.locked


def test_the_chat_that_was_looked_at_is_seen_again_with_what_was_written(stage: Stage) -> None:
    for question in ("Oslo?", "Rome?"):
        stage.chat.new_chat()
        stage.chat.send(question)
        stage.settle()
    looked_at = stage.core.conversations.search("Oslo")[0].id
    stage.chat.open(looked_at)
    stage.settle()
    stage.chat.composer.set_text("Half a thought")
    stage.window.lock()
    unlock_page(stage).chosen.emit(PASSWORD)
    stage.until(lambda: stage.window.shell is not None)
    stage.settle()
    assert stage.chat.conversation.id == looked_at
    assert stage.chat.composer.text == "Half a thought"


def test_ctrl_l_locks_and_closes_the_dialogs_of_the_pages(stage: Stage) -> None:
    stage.shell.show_page(Page.IDENTITIES)
    stage.settle()
    stage.shell.identities.new_identity()
    stage.draw()
    stage.window.lock()
    unlock_page(stage)
    assert not [dialog for dialog in stage.window.findChildren(QDialog) if dialog.isVisible()]


def test_the_shortcut(stage: Stage) -> None:
    QTest.keyClick(stage.window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    unlock_page(stage)


def test_a_reply_under_way_is_stopped_and_kept(answering: Stage) -> None:
    answering.window.lock()
    unlock_page(answering)
    assert only_talk(answering.core).turns[-1].text == "Only you. "


def test_the_vault_locks_between_two_uses_of_the_conversations(
    make_stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their store serves one thread at a time, and locking closes it. The chat's end may take long meanwhile."""
    stage = make_stage().enter()
    used_by: list[str] = []

    def noting(act: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: object) -> object:
            used_by.append(f"{act.__name__} on {threading.current_thread().name}")
            return act(*given)

        return noted

    def search_meanwhile() -> None:
        stage.chat.shelf.look_for("canister")
        closing()

    closing = stage.chat._desk.close
    monkeypatch.setattr(stage.chat._desk, "close", search_meanwhile)
    monkeypatch.setattr(stage.core, "lock", noting(stage.core.lock))
    monkeypatch.setattr(stage.core.conversations, "search", noting(stage.core.conversations.search))
    stage.window.lock()
    unlock_page(stage)
    assert used_by == ["search on lane desk", "lock on lane desk"]


def test_a_deployment_under_way_is_paused(deploying: Stage) -> None:
    deploying.window.lock()
    unlock_page(deploying)
    assert deploying.core.all_deployments[0].state is DeploymentState.RUNNING


def test_the_window_can_be_closed_while_it_locks(answering: Stage) -> None:
    answering.window.lock()
    answering.window.close()
    answering.until(lambda: answering.core.closed)


def test_a_closing_window_looks_for_nobody_any_more(make_stage: MakeStage) -> None:
    stage = make_stage().enter()
    watch = stage.find(IdleWatch)
    stage.window.close()
    stage.until(lambda: stage.core.closed)
    assert not watch.watching


def test_it_locks_itself_when_nobody_is_there(stage: Stage) -> None:
    grow_old(stage)
    look_idle(stage)
    unlock_page(stage)


def test_it_stays_open_while_somebody_types(stage: Stage) -> None:
    grow_old(stage)
    QTest.keyClick(stage.window.windowHandle(), Qt.Key.Key_A)
    look_idle(stage)
    look_idle(stage)
    assert stage.window.shell is not None


def test_it_stays_open_while_a_deployment_goes_on(deploying: Stage) -> None:
    grow_old(deploying)
    deploying.find(IdleWatch).look()
    deploying.until(lambda: not deploying.core.door.idle)
    assert deploying.window.shell is not None


def test_what_it_does_by_itself_is_nobodys_presence(make_stage: MakeStage) -> None:
    stage = make_stage(ScriptedCore(all_deployments=[deployment("Rowan")])).enter()
    stage.core.ais.before = lambda _, cancel: stage.hold(cancel)
    stage.shell.herald.tend()
    assert stage.window.bridge.runs(Lane.CARE)
    grow_old(stage)
    stage.find(IdleWatch).look()
    unlock_page(stage)


def test_it_never_locks_itself_where_the_owner_wants_that(stage: Stage) -> None:
    stage.core.vault.change_notes(lambda notes: notes.with_idle_lock(0))
    grow_old(stage)
    look_idle(stage)
    assert stage.window.shell is not None


@pytest.mark.usefixtures("system_keyring")
def test_the_keyring_opens_at_the_start_and_by_a_button_after_locking(make_stage: MakeStage) -> None:
    core = ScriptedCore()
    core.door.move_to_keyring()
    core.door.lock()
    core.has_vault = True
    stage = make_stage(core).show()
    stage.until(lambda: stage.window.shell is not None)
    stage.window.lock()
    page = unlock_page(stage)
    assert not page.first.isVisible()
    page.go.click()
    stage.until(lambda: stage.window.shell is not None)


def test_a_key_that_the_keyring_lost_is_told(make_stage: MakeStage, system_keyring: MemoryKeyring) -> None:
    core = ScriptedCore()
    core.door.move_to_keyring()
    core.door.lock()
    core.has_vault = True
    system_keyring.kept.clear()
    stage = make_stage(core).show()
    stage.settle()
    assert "no longer has the vault's key" in stage.find(Problem).accessibleName()
