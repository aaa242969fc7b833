"""The page of the AIs over the real core: a canister on the practice network, from its card to its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QWidget

from personal_ai.app.workspace import Workspace
from personal_ai.common.jobs import Cancel, ignore_progress
from personal_ai.common.paths import Paths
from tests.ui.looking import child
from tests.ui.opened_ai import button, buttons, words
from ui.bridge import Bridge
from ui.core import Overview
from ui.pages.ais import AisPage
from ui.profile import Profile
from ui.theme import theme
from ui.tour.stage import until
from ui.widgets.form_dialog import FormDialog
from ui.widgets.question import Question
from ui.widgets.toast import Toast
from ui.widgets.top_up_dialog import TopUpDialog

NETWORK_TIMEOUT_MS = 30_000


@pytest.fixture
def workspace(own_home: Path) -> Iterator[Workspace]:
    """With the starter model in a canister."""
    opened = Workspace(Paths(own_home))
    opened.create_vault(opened.new_phrase(), "four quiet walnut trees")
    opened.deploy("starter", name="Rowan", on_progress=ignore_progress, cancel=Cancel())
    yield opened
    opened.practice_network.stop()
    opened.close()


@pytest.fixture
def page(qapp: object, workspace: Workspace) -> Iterator[AisPage]:
    theme()
    bridge = Bridge()
    for told in (bridge.crashed, bridge.failed):
        told.connect(lambda error: pytest.fail(f"it broke: {error!r}"))
    window = QWidget()
    window.resize(900, 700)
    shown = AisPage(Profile(workspace, bridge, Overview.of(workspace)), Toast(window))
    shown.setParent(window)
    shown.resize(window.size())
    window.show()
    yield shown
    assert bridge.close()
    window.deleteLater()


def wait_for(condition: Callable[[], bool]) -> None:
    until(condition, NETWORK_TIMEOUT_MS)


def test_from_its_card_to_its_end(page: AisPage, workspace: Workspace) -> None:
    [deployment] = workspace.deployments()
    wait_for(lambda: "Answers" in words(page) and "Engine checked" in words(page))
    button(page, "Look after Rowan").click()
    assert page.detail is not None
    detail = page.detail
    wait_for(lambda: "Comes back from your backup" in words(detail) or "Its backup is not confirmed" in words(detail))
    assert "with this computer the canister would be lost" in words(detail.controllers), "nobody confirmed the phrase"
    assert detail.cycles.chart.accessibleName().startswith("Cycles: ")

    before = workspace.canisters.status(deployment).cycles
    detail.cycles.top_up.click()
    dialog = child(page, TopUpDialog)
    wait_for(dialog.go.isEnabled)
    dialog.how_long.setCurrentIndex(dialog.how_long.count() - 1)
    dialog.amount.setText("2")
    dialog.amount.textEdited.emit("2")
    wait_for(dialog.go.isEnabled)
    dialog.go.click()
    wait_for(lambda: page.findChild(TopUpDialog) is None)
    assert workspace.canisters.status(deployment).cycles > before + 1_990_000_000_000

    wait_for(detail.snapshots.take.isEnabled)
    detail.snapshots.take.click()
    wait_for(lambda: len(workspace.snapshots.kept(deployment)) == 1)
    wait_for(lambda: bool(buttons(detail, "Go back to it…")))
    button(detail, "Go back to it…").click()
    child(page, Question).go.click()
    wait_for(lambda: page.desk.work.current is None and not page.desk.work.busy)

    button(detail, "Read the log").click()
    wait_for(lambda: "Nothing is in it." in words(detail.log) or bool(detail.log.text.toPlainText()))

    button(detail, "Delete this AI").click()
    wait_for(lambda: page.findChild(FormDialog) is not None)
    last = child(page, FormDialog)
    assert "1 snapshot" in words(last)
    assert "come back first" in words(last)
    last.lines[0].setText("Rowan")
    last.go.click()
    wait_for(lambda: page.detail is None)
    assert workspace.deployments() == []
    assert workspace.practice_network.canisters_of(workspace.identities()[0].principal) == []
