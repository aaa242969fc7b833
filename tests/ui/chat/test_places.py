"""Where words go: the chip, falling back, and keeping a chat on this computer."""

from __future__ import annotations

from collections.abc import Callable

from personal_ai.chat.conversation import Place
from tests.ui.talks import ask, labels, open_talk, shown
from ui.tour.scripted import ScriptedCore
from ui.tour.stage import Stage
from ui.widgets.chat_header import ChatHeader
from ui.widgets.message import ReplyMessage, UserMessage
from ui.widgets.notice import Notice

MakeStage = Callable[..., Stage]


def test_the_chip_says_where_words_go_before_they_are_sent(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    stage = make_stage(deployed).enter()
    assert stage.find(ChatHeader).place_shown == "Practice network"
    local = make_stage().enter()
    assert local.find(ChatHeader).place_shown == "This computer"


def test_a_fallback_is_told_in_one_sentence_and_on_the_chip(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    deployed.script.fallback_reason = "The practice network does not answer."
    stage = make_stage(deployed).enter()
    assert stage.find(ChatHeader).place_shown == "On this computer now", "known before a word is sent"
    ask(stage, "Who controls it?")
    (notice,) = shown(stage, Notice)
    assert notice.text == (
        "The practice network does not answer. This answer comes from the same weights on this computer."
    )
    kinds = [type(widget) for widget in stage.chat.transcript.widgets()]
    assert kinds == [UserMessage, Notice, ReplyMessage]
    assert stage.find(ChatHeader).place_shown == "On this computer now"
    deployed.practice_network.running = True
    ask(stage, "And now?")
    assert stage.find(ChatHeader).place_shown == "Practice network"
    assert len(shown(stage, Notice)) == 1


def test_a_fallback_is_still_told_when_the_chat_is_opened_again(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    talk = stage.chat.conversation
    stage.chat.new_chat()
    open_talk(stage, talk)
    assert "not running" in shown(stage, Notice)[0].text


def test_a_chat_can_be_kept_on_this_computer_and_sent_back(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    stage = make_stage(deployed).enter()
    ask(stage, "Who controls it?")
    stage.chat.header.local_wanted.emit()
    stage.settle()
    assert stage.find(ChatHeader).place_shown == "This computer"
    kept = stage.core.conversations.get(stage.chat.conversation.id)
    assert kept is not None
    assert kept.pinned is Place.LOCAL
    stage.chat.header.deployment_wanted.emit("rowan-1")
    stage.settle()
    assert stage.find(ChatHeader).place_shown == "Practice network"
    assert stage.chat.conversation.pinned is None


def test_the_model_says_what_it_is(stage: Stage) -> None:
    assert "knows only this app" in labels(stage.chat.composer)


def test_the_chip_offers_to_start_the_network_that_is_missing(make_stage: MakeStage, deployed: ScriptedCore) -> None:
    deployed.practice_network.running = False
    stage = make_stage(deployed).enter()
    assert [offer.text() for offer in stage.chat.header.offers] == [
        "Ask Rowan on: Practice network",
        "Keep this chat on this computer",
        "Start the practice network",
    ]
    stage.chat.header.offers[-1].trigger()
    stage.settle()
    assert deployed.practice_network.running
    assert len(stage.chat.header.offers) == 2
    ask(stage, "Who controls it?")
    assert not shown(stage, Notice)
