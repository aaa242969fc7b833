"""The states that the tour draws, in one list; the newer pages have modules of their own."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.presets import BALANCED, Preset
from personal_ai.common.errors import SecurityError
from personal_ai.common.jobs import Cancel
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.theme import Appearance
from ui.tour.scene import Scene
from ui.tour.scenes_activity import activity_scenes
from ui.tour.scenes_ais import ai_scenes
from ui.tour.scenes_context import context_scenes
from ui.tour.scenes_identities import identity_scenes
from ui.tour.scenes_models import model_scenes
from ui.tour.scenes_settings import settings_scenes
from ui.tour.scenes_setup import setup_scenes
from ui.tour.scenes_trial import trial_scenes
from ui.tour.scenes_wallet import wallet_scenes
from ui.tour.scripted import PASSWORD, PHRASE, ScriptedCore, deployment
from ui.tour.stage import Stage
from ui.widgets.crash_dialog import CrashDialog
from ui.widgets.form import PasswordField
from ui.widgets.message import Act

NARROW = (640, 760)
NETWORK_AWAY = "The practice network does not answer."

_QUESTION = "Which of my identities pays for this canister, and can somebody link it to me?"
_ANSWER = """Only **Rowan** does. It was made for this canister and has signed nothing else, so its principal \
appears in no other place.

What others can see:

- the canister's number and the hash of its engine
- the account that its cycles came from

To look yourself:

```sh
personal-ai deployments
```"""
_CODE_ANSWER = """It reads the balance once an hour and says how long it will last:

```python
@dataclass(frozen=True)
class Reading:
    cycles: int  # what the canister had
    at_s: float

def runway_days(first: Reading, last: Reading) -> float | None:
    \"\"\"None where nothing was used up.\"\"\"
    used = first.cycles - last.cycles
    return last.cycles / used * (last.at_s - first.at_s) / 86_400 if used > 0 else None
```

| What costs | Share | Each month |
|:-----------|------:|-----------:|
| Storage    |  71 % |  0.41 USD  |
| Replies    |  29 % |  0.17 USD  |

Nothing is spent while nobody asks, apart from `storage`."""
_LONG_ANSWER = (
    "Your words go to the canister and to nobody else. "
    "The canister is yours: it refuses calls that your key did not sign. "
    "The operators of the network's nodes could read its memory, as on any rented machine, so keep out of it "
    "what nobody may ever see."
)


def scenes() -> list[Scene]:
    """All scenes, in the order in which someone new would see them."""
    return [
        Scene("welcome", "start", _show),
        Scene("welcome", "words", _words),
        Scene("welcome", "password", _password),
        Scene("welcome", "check", _check_words),
        Scene("welcome", "back", lambda stage, look: stage.show(look).find(WelcomePage).ask_what_there_was()),
        Scene("welcome", "back-by-words", _back_by_words),
        *trial_scenes(),
        *setup_scenes(),
        Scene("unlock", "locked", _show, core=_locked),
        Scene("unlock", "wrong-password", _wrong_password, core=_locked),
        Scene("chat", "empty", _enter),
        *ai_scenes(),
        Scene("chat", "streaming", _streaming, core=_deployed),
        Scene("chat", "answered", _answered, core=talked),
        Scene("chat", "code", _answered, core=_talked_of_code),
        Scene("chat", "interrupted", _answered, core=_broken_off),
        Scene("chat", "offline", _offline, core=talked),
        Scene("chat", "error", _chat_error, core=talked),
        Scene("chat", "deleted", _deleted, core=talked),
        Scene("chat", "versions", _versions, core=talked),
        Scene("chat", "editing", _editing, core=talked),
        Scene("chat", "found", _found, core=talked),
        Scene("chat", "nothing-found", _nothing_found, core=talked),
        Scene("chat", "style", _style, core=talked),
        Scene("chat", "keyboard", _keyboard, core=talked),
        Scene("chat", "narrow", _answered, NARROW, talked),
        Scene("chat", "narrow-menu", _narrow_menu, NARROW, talked),
        *context_scenes(),
        *model_scenes(),
        *identity_scenes(),
        *wallet_scenes(),
        *activity_scenes(),
        *settings_scenes(),
        Scene("any", "crash", _crash, core=talked),
    ]


# Cores


def _locked() -> ScriptedCore:
    return ScriptedCore(has_vault=True)


def _deployed() -> ScriptedCore:
    core = ScriptedCore(all_deployments=[deployment("Rowan")])
    core.practice_network.running = True
    return core


def talked() -> ScriptedCore:
    core = _deployed()
    core.conversations.save_preset(Preset("Plain words", "Answer in two sentences, in plain words.", BALANCED))
    for title in ("Letter to the landlord", "What is a canister?", "Trip notes, March"):
        core.conversations.save(
            Conversation("starter", "rowan-1", title=title, starred=title.startswith("Letter")).with_turn(
                Turn("user", title)
            )
        )
    return _with_talk(core, _QUESTION, _ANSWER)


def _talked_of_code() -> ScriptedCore:
    return _with_talk(_deployed(), "How does the watchdog know when the cycles run out?", _CODE_ANSWER)


def _with_talk(core: ScriptedCore, question: str, answer: str) -> ScriptedCore:
    facts = ReplyFacts(Place.PRACTICE, 41, 2.25, "end", calls=4, instructions=884_000_000, cycles=912_000_000)
    talk = Conversation("starter", "rowan-1").with_turn(Turn("user", question))
    core.conversations.save(talk.with_turn(Turn("assistant", answer, facts)))
    return core


def _broken_off() -> ScriptedCore:
    """A very long message, and a reply that the end of the program broke off."""
    facts = ReplyFacts(Place.LOCAL, 30, 1.6, "interrupted")
    notes = "What does this say?\n" + "".join(f"Day {day}: walked, wrote, slept.\n" for day in range(1, 400))
    core = _deployed()
    talk = Conversation("starter", "rowan-1", Place.LOCAL).with_turn(Turn("user", notes))
    core.conversations.save(talk.with_turn(Turn("assistant", "It is a diary. Every day has the", facts)))
    return core


# Leading


def _show(stage: Stage, look: Appearance) -> None:
    stage.show(look)


def _enter(stage: Stage, look: Appearance) -> None:
    stage.enter(look)


def _words(stage: Stage, look: Appearance) -> None:
    stage.show(look).find(WelcomePage).show_phrase(PHRASE)


def _password(stage: Stage, look: Appearance) -> None:
    stage.show(look)
    page = stage.find(WelcomePage)
    page.show_phrase(PHRASE)
    page.ask_password()
    once, again = page.findChildren(PasswordField)
    once.field.setText(PASSWORD)
    again.field.setText(PASSWORD[:12])


def _check_words(stage: Stage, look: Appearance) -> None:
    stage.show(look).find(WelcomePage).chosen.emit(PHRASE, PASSWORD)
    stage.settle()


def _back_by_words(stage: Stage, look: Appearance) -> None:
    page = stage.show(look).find(WelcomePage)
    page.ask_what_there_was()
    page.words_wanted.emit()
    stage.draw()


def _wrong_password(stage: Stage, look: Appearance) -> None:
    stage.show(look)
    page = stage.find(UnlockPage)
    page.first.setText("walnut")
    page.go.click()
    stage.settle()


def _open_newest(stage: Stage, look: Appearance) -> None:
    stage.enter(look)
    newest = max(stage.core.conversations.list(), key=lambda one: one.updated_at_ns)
    stage.chat.list.selected.emit(newest.id)
    stage.until(lambda: stage.chat.conversation.id == newest.id)
    stage.settle()
    stage.chat.list.show_conversations(stage.core.conversations.list(), newest.id)


def _answered(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)


def _streaming(stage: Stage, look: Appearance) -> None:
    stage.core.script.words = [f"{word} " for word in _LONG_ANSWER.split()]
    stage.hold_word(24)
    stage.enter(look).chat.send("Who can read what I write here?")
    stage.until(lambda: stage.chat.heard.count(" ") >= 24)


def _offline(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.core.practice_network.running = False
    stage.core.script.fallback_reason = NETWORK_AWAY
    stage.core.script.words = ["Yes. ", "Add a backup controller, ", "then check that it answers."]
    stage.chat.send("Could I lose it?")
    stage.settle()


def _chat_error(stage: Stage, look: Appearance) -> None:
    def fail(_: int, __: Cancel) -> None:
        raise SecurityError(
            "The canister's certificate does not hold, so its answer is not shown.",
            not_lost="Your conversation is unchanged, and your words are back in the box below.",
            next_step="Do not use this network until you know why; this computer can answer meanwhile.",
        )

    _open_newest(stage, look)
    stage.core.script.before_word = fail
    stage.chat.send("Could I lose it?")
    stage.settle()


def _deleted(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.chat.kept.delete(stage.chat.conversation.id)
    stage.settle()


def _versions(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.core.script.words = ["Rowan. ", "Nobody can link it: ", "it was made for this canister only."]
    stage.chat.transcript.acted.emit(Act.AGAIN, stage.chat.conversation.turns[-1].id)
    stage.settle()
    stage.chat.transcript.reveal(stage.chat.conversation.turns[-1].id)
    stage.draw()


def _editing(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.chat.transcript.acted.emit(Act.EDIT, stage.chat.conversation.turns[0].id)
    stage.draw()


def _found(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.chat.finding.open()
    stage.chat.find_bar.field.setText("canister")
    QTest.keyClick(stage.chat.find_bar.field, Qt.Key.Key_Return)
    stage.draw()


def _nothing_found(stage: Stage, look: Appearance) -> None:
    stage.enter(look)
    stage.chat.list.look_for("philately")
    stage.settle()


def _style(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.chat.choose_style()
    stage.settle()


def _keyboard(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.chat.composer.setFocus()
    for _ in range(2):
        focused = QApplication.focusWidget()
        assert focused is not None
        QTest.keyClick(focused, Qt.Key.Key_Backtab)
    stage.draw()


def _narrow_menu(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    stage.shell.toggle(stage.shell.rail)
    stage.draw()


def _crash(stage: Stage, look: Appearance) -> None:
    _open_newest(stage, look)
    try:
        _break()
    except ZeroDivisionError as error:
        stage.window.show_crash(error)
    stage.until(lambda: stage.window.findChild(CrashDialog) is not None)


def _break() -> None:
    raise ZeroDivisionError("a message that the report leaves out")
