"""The models page: what there is, bringing models in and out, and every way in which that can be stopped or fail."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton, QRadioButton

from personal_ai.common.errors import DamagedFileError, StorageError
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models.hub.errors import HubAccessError
from tests.ui.looking import child, focused, focused_text
from ui.pages.models import ModelsPage
from ui.tour.scripted import ScriptedCore
from ui.tour.scripted_models import COMMIT, EMBEDDER, SMOL, SMOL_ID, STARTER, ScriptedModels
from ui.tour.stage import Stage
from ui.widgets.notice import Problem
from ui.widgets.offer_card import OfferCard
from ui.widgets.rail import Page

MakeStage = Callable[..., Stage]


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    core = ScriptedCore(model_room=ScriptedModels(listed=[STARTER, SMOL, EMBEDDER]))
    return go(make_stage(core).enter())


def go(stage: Stage) -> Stage:
    stage.shell.show_page(Page.MODELS)
    stage.settle()
    return stage


def page(stage: Stage) -> ModelsPage:
    return stage.shell.models


def words(stage: Stage) -> str:
    stage.draw()
    labels = [label for label in page(stage).findChildren(QLabel) if label.isVisible()]
    return " | ".join(label.text() for label in labels).replace("\N{NO-BREAK SPACE}", " ")


def button(stage: Stage, name: str) -> QPushButton:
    """By its words or its accessible name."""
    (found,) = [
        one
        for one in page(stage).findChildren(QPushButton)
        if name in (one.text(), one.accessibleName()) and one.isVisible()
    ]
    return found


def press(stage: Stage, name: str) -> None:
    button(stage, name).click()
    stage.settle()


def fail(_: object, __: Cancel) -> None:
    raise StorageError("Could not save model.safetensors: the disk is full.")


def test_the_library_says_what_there_is(stage: Stage) -> None:
    shown = words(stage)
    assert "3 models  ·  175 MB  ·  118 GB free on this disk" in shown
    assert "good quality, 148 MB  ·  follows about 1,500 words of a conversation  ·  licence apache-2.0" in shown
    assert "the same next word in 98.2% of 512 places; perplexity 14.83 instead of 14.79" in shown
    assert "For search: texts to numbers" in shown
    assert not [one for one in page(stage).findChildren(QPushButton) if "Remove Starter" in one.accessibleName()]


def test_fit_is_told_with_its_reasons_and_prices(stage: Stage) -> None:
    press(stage, "How well does it fit? (SmolLM2-135M-Instruct)")
    shown = words(stage)
    assert "It writes about 30.5 tokens/s" in shown and "Runs well" in shown
    assert "for a reply of 128 tokens" in shown and "USD a month" in shown
    assert "could read its memory" in shown


def test_how_a_model_runs_is_listed_where_this_computer_was_measured(stage: Stage, make_stage: MakeStage) -> None:
    line = "Here: runs well, about 30.5 tokens/s  ·  in a canister: runs well, about 7.8 tokens/s"
    assert words(stage).count(line) == 2, "of both that chat"
    other = go(make_stage(ScriptedCore(model_room=ScriptedModels(speed_known=False))).enter())
    assert "Here: runs well" not in words(other)
    press(other, "How well does it fit? (Starter guide (knows only this app))")
    assert words(other).count(line) == 1


def test_measuring_and_checking(stage: Stage) -> None:
    press(stage, "Measure (SmolLM2-135M-Instruct)")
    assert "Perplexity 14.8 on a page" in words(stage)
    press(stage, "Check the files (SmolLM2-135M-Instruct)")
    assert "All files are as they were" in words(stage) and "Perplexity 14.8" not in words(stage)


def test_what_is_asked_of_a_model_can_be_stopped(stage: Stage) -> None:
    stage.core.model_room.before_step = lambda _, cancel: stage.hold(cancel)
    button(stage, "Measure (SmolLM2-135M-Instruct)").click()
    stage.until(lambda: "172 MB of 271 MB" in words(stage))
    assert focused_text() == "Stop"
    press(stage, "Stop")
    assert "172 MB" not in words(stage)
    assert button(stage, "Measure (SmolLM2-135M-Instruct)").isEnabled()


def test_a_model_can_be_removed_while_it_is_measured(stage: Stage) -> None:
    stage.core.model_room.before_step = lambda _, cancel: stage.hold(cancel)
    button(stage, "Measure (SmolLM2-135M-Instruct)").click()
    stage.until(lambda: "172 MB of 271 MB" in words(stage))
    page(stage).remove(SMOL.name)
    stage.until(lambda: "172 MB of 271 MB" not in words(stage))
    stage.released.set()
    stage.settle()  # what comes of it finds no card, and that is no bug
    assert SMOL not in stage.core.model_room.listed


def test_a_damaged_file_is_told_on_the_card(stage: Stage) -> None:
    def damaged(_: Progress, __: Cancel) -> None:
        raise DamagedFileError("The file model.onnx.data of the model is damaged or missing.")

    stage.core.model_room.before_step = damaged
    press(stage, "Check the files (SmolLM2-135M-Instruct)")
    assert "model.onnx.data" in words(stage)


def test_a_model_is_removed_and_brought_back(stage: Stage) -> None:
    press(stage, "Remove SmolLM2-135M-Instruct")
    assert SMOL not in stage.core.model_room.listed
    stage.shell.undo()
    stage.settle()
    assert SMOL in stage.core.model_room.listed
    press(stage, "Remove SmolLM2-135M-Instruct")
    stage.shell.toast.settle()
    assert "deleted for good when you quit" in words(stage)
    press(stage, "Bring it back")
    assert SMOL in stage.core.model_room.listed and "for good" not in words(stage)


def test_a_model_of_the_hub_is_looked_up_by_keyboard_and_fetched(stage: Stage) -> None:
    page(stage).bring.field.setFocus()
    QTest.keyClicks(page(stage).bring.field, "HuggingFaceTB/SmolLM2-360M")
    QTest.keyClick(page(stage).bring.field, Qt.Key.Key_Return)
    stage.settle()
    shown = words(stage)
    assert "271 MB to fetch, in 3 files  ·  licence apache-2.0" in shown
    assert shown.count("On this computer") == 2, "the verdict and the privacy, of one packing alone"
    (_, four_bits) = page(stage).findChildren(QRadioButton)
    four_bits.click()
    assert words(stage) != shown and words(stage).count("On this computer") == 2
    assert focused_text() == "Fetch it"
    press(stage, "Fetch it")
    added = stage.core.model_room.listed[-1]
    assert (added.label, added.quantisation) == ("SmolLM2-360M", "int4")
    assert "SmolLM2-360M" in words(stage) and not page(stage).findChildren(OfferCard)


def test_an_offer_can_be_declined(stage: Stage) -> None:
    page(stage).look_up(SMOL_ID)
    stage.settle()
    press(stage, "Not now")
    assert "to fetch" not in words(stage)
    assert len(stage.core.model_room.listed) == 3


def test_a_download_is_paused_and_goes_on(stage: Stage) -> None:
    room = stage.core.model_room
    room.before_step = lambda _, cancel: stage.hold(cancel)
    page(stage).fetch(f"{SMOL_ID}@{COMMIT}", "int8")
    stage.until(lambda: "172 MB of 271 MB  ·  6.1 MB/s  ·  about 16 s left" in words(stage))
    press(stage, "Pause")
    assert f"{SMOL_ID} is not fetched completely." in words(stage)
    assert not page(stage).findChildren(Problem)
    room.before_step = lambda _, __: None
    press(stage, "Go on")
    press(stage, "Fetch it")
    assert "not fetched completely" not in words(stage)
    assert len(room.listed) == 4


def test_an_unfinished_download_can_be_discarded(make_stage: MakeStage) -> None:
    stage = go(make_stage(ScriptedCore(model_room=ScriptedModels(unfinished=[SMOL_ID]))).enter())
    press(stage, "Discard")
    assert stage.core.model_room.unfinished == []
    assert "not fetched completely" not in words(stage)


def test_a_failed_download_says_why_and_goes_on(stage: Stage) -> None:
    stage.core.model_room.before_step = fail
    page(stage).fetch(SMOL_ID, "int8")
    stage.settle()
    assert "the disk is full" in words(stage)
    stage.core.model_room.before_step = lambda _, __: None
    QTest.keyClick(focused(), Qt.Key.Key_Space)
    stage.settle()
    assert len(stage.core.model_room.listed) == 4 and "disk is full" not in words(stage)


def test_a_failed_import_can_be_closed(stage: Stage) -> None:
    stage.core.model_room.before_step = fail
    page(stage).take(Path("tiny.gguf"))
    stage.settle()
    press(stage, "Close")
    assert "disk is full" not in words(stage)


def test_terms_and_the_token(stage: Stage) -> None:
    def refuse(_: str, __: Cancel) -> None:
        raise HubAccessError("The model is gated: its makers want you to accept their terms first.")

    stage.core.model_room.before_look_up = refuse
    page(stage).look_up("google/gemma-3-270m-it")
    stage.settle()
    assert "accept their terms" in words(stage)
    QTest.keyClicks(focused(), "hf_word")
    QTest.keyClick(focused(), Qt.Key.Key_Return)
    stage.settle()
    assert stage.core.model_room.token == "hf_word"
    press(stage, "Access token…")
    assert "The vault keeps an access token." in words(stage)
    press(stage, "Forget the token")
    assert stage.core.model_room.token is None


def test_a_gated_model_says_so(make_stage: MakeStage) -> None:
    stage = go(make_stage(ScriptedCore(model_room=ScriptedModels(gated=True))).enter())
    page(stage).look_up("google/gemma-3-270m-it")
    stage.settle()
    assert "terms accepted on its page first" in words(stage)


def test_the_catalogue_is_a_list_to_look_up_from(stage: Stage) -> None:
    press(stage, "Models that fit")
    assert "268 M weights  ·  licence gemma  ·  languages: many  ·  terms to accept first" in words(stage)
    press(stage, "Look up Gemma 3 270M")
    assert child(page(stage), OfferCard).accessibleName() == "google/gemma-3-270m-it"
    press(stage, "Models that fit")
    assert "268 M weights" not in words(stage)


def test_folders_and_files(stage: Stage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path / "mine"))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "tiny.gguf"), ""))
    press(stage, "From a folder…")
    page(stage).bring.quantisation.setCurrentIndex(1)
    press(stage, "From a file…")
    assert [(one.label, one.quantisation) for one in stage.core.model_room.listed[3:]] == [
        ("mine", "int8"),
        ("tiny", "int4"),
    ]


def test_leaving_a_file_dialog_brings_nothing(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: ("", ""))
    press(stage, "From a folder…")
    press(stage, "From a file…")
    assert len(stage.core.model_room.listed) == 3


def test_an_import_is_cancelled_and_one_at_a_time_comes_in(stage: Stage) -> None:
    stage.core.model_room.before_step = lambda _, cancel: stage.hold(cancel)
    page(stage).take(Path("tiny.gguf"))
    stage.until(lambda: "172 MB" in words(stage))
    page(stage).take(Path("other.gguf"))
    page(stage).look_up(SMOL_ID)
    press(stage, "Cancel")
    assert len(stage.core.model_room.listed) == 3
    assert "Importing tiny" not in words(stage)


def test_a_drive_that_is_away_and_a_damaged_model_are_named(make_stage: MakeStage) -> None:
    room = ScriptedModels(
        away=StorageError("Your models were moved to /media/x, and they are not there now."),
        damaged={"old": DamagedFileError("The file manifest.json of the model old is damaged or missing.")},
    )
    stage = go(make_stage(ScriptedCore(model_room=room)).enter())
    assert "moved to /media/x" in words(stage) and "free on this disk" not in words(stage)
    press(stage, "Remove")
    assert room.damaged == {}
