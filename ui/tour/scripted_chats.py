"""What the scripted core plays: its script, the chats that follow it, and where they are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from personal_ai.chat import cuts
from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.presets import Preset
from personal_ai.chat.session import ContextUse
from personal_ai.chat.store import ConversationSummary
from personal_ai.common.errors import Cancelled
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.deployments.journal import Deployment

_SECONDS_PER_TOKEN = 0.019
_WORDS_PER_UNFINISHED = 50


@dataclass(slots=True)
class Script:
    """What happens next. A hook may raise, wait or tell; by default everything goes well at once."""

    words: Sequence[str] = ("Only ", "you. ", "Your key ", "controls it.")
    fallback_reason: str | None = None
    context_length: int = 512
    before_summary: Callable[[Cancel], None] = lambda _: None
    before_prepare: Callable[[Conversation, Cancel], None] = lambda _, __: None
    before_word: Callable[[int, Cancel], None] = lambda _, __: None
    before_step: Callable[[Progress, Cancel], None] = lambda _, __: None
    on_save: Callable[[Conversation], None] = lambda _: None
    steps: Sequence[Progress] = (
        Progress("Starting the practice network", 1, 1, "step"),
        Progress("Compiling the model", 31, 31, "tensors"),
        Progress("Creating the canister", 1, 1, "step"),
        Progress("Installing the engine", 1, 1, "step"),
        Progress("Uploading the weights", 1_610_000, 2_480_000, "bytes", 1_900_000.0, 2.4),
        Progress("Activating the model", 1, 1, "step"),
    )


class ScriptedNetwork:
    def __init__(self) -> None:
        self.running = False

    def start(self, cancel: Cancel | None = None) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False


class ScriptedConversations:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._saved: dict[str, tuple[int, Conversation]] = {}
        self._presets: dict[str, Preset] = {}
        self.drafts: dict[str, str] = {}
        self.unfinished: Turn | None = None

    def list(self) -> Sequence[ConversationSummary]:
        newest_first = sorted(self._saved.values(), key=lambda entry: (not entry[1].starred, -entry[0]))
        return [ConversationSummary(one.id, one.title, saved_ns, one.starred) for saved_ns, one in newest_first]

    def search(self, text: str) -> Sequence[ConversationSummary]:
        found = {
            one.id
            for _, one in self._saved.values()
            if text.lower() in "\n".join((one.title, *(turn.text for turn in one.everything))).lower()
        }
        return [summary for summary in self.list() if summary.id in found]

    def get(self, conversation_id: str) -> Conversation | None:
        return self._saved[conversation_id][1] if conversation_id in self._saved else None

    def save(self, conversation: Conversation) -> None:
        self._script.on_save(conversation)
        self._saved[conversation.id] = (time.time_ns(), conversation)

    def merge(self, conversation: Conversation) -> None:
        known = self.get(conversation.id)
        self.save(known.merged(conversation) if known else conversation)

    def presets(self) -> Sequence[Preset]:
        return list(self._presets.values())

    def save_preset(self, preset: Preset) -> None:
        self._presets[preset.name] = preset

    def delete_preset(self, name: str) -> None:
        self._presets.pop(name, None)

    def draft(self, conversation_id: str) -> str:
        return self.drafts.get(conversation_id, "")

    def save_draft(self, conversation_id: str, text: str) -> None:
        self.drafts[conversation_id] = text

    def save_unfinished(self, conversation_id: str, turn: Turn | None) -> None:
        self.unfinished = turn

    def delete(self, conversation_id: str) -> None:
        self._saved.pop(conversation_id, None)


class ScriptedChat:
    def __init__(self, script: Script, network: ScriptedNetwork, deployment: Deployment | None) -> None:
        self._script = script
        self._network = network
        self._deployment = deployment

    def prepare(self, conversation: Conversation, cancel: Cancel) -> None:
        self._script.before_prepare(conversation, cancel)

    def place(self, pinned: Place | None = None) -> Place:
        return Place.LOCAL if self._deployment is None or pinned is Place.LOCAL else Place.PRACTICE

    def answer(
        self,
        asked: Conversation,
        *,
        other_words: bool = False,
        on_text: Callable[[str], None],
        on_place: Callable[[Place, str | None], None],
        on_unfinished: Callable[[Turn], None],
        cancel: Cancel,
    ) -> Conversation:
        """Says the script's words one by one; answers locally with the reason where the network is stopped."""
        script = self._script
        place, reason = self.place(asked.pinned), script.fallback_reason
        on_place(place, None)
        if place is not Place.LOCAL and not self._network.running:
            place, reason = Place.LOCAL, reason or "The practice network is not running."
            on_place(place, reason)
        said: list[str] = []
        finish: str = "end"
        try:
            for at, word in enumerate(script.words):
                script.before_word(at, cancel)
                cancel.raise_if_cancelled()
                said.append(word)
                on_text(word)
                if at % _WORDS_PER_UNFINISHED == 1:
                    on_unfinished(Turn("assistant", "".join(said), parent=asked.turns[-1].id))
        except Cancelled:
            finish = "cancelled"
        facts = ReplyFacts(
            place=place,
            tokens=len(said),
            seconds=_SECONDS_PER_TOKEN * len(said),
            finish=finish,  # type: ignore[arg-type]
            calls=0 if place is Place.LOCAL else 1 + len(said) // 8,
            instructions=0 if place is Place.LOCAL else 21_400_000 * max(1, len(said)),
            cycles=0 if place is Place.LOCAL else 21_400_000 * max(1, len(said)) + 7_100_000,
            fallback_reason=reason if place is Place.LOCAL else None,
        )
        if asked.turns[-1].role == "assistant":
            said.insert(0, asked.turns[-1].text)
            asked = asked.before(asked.turns[-1].id)
        return asked.with_turn(Turn("assistant", "".join(said), facts))

    def context_use(self, conversation: Conversation) -> ContextUse:
        """A token for every four characters that are told."""
        told = sum(len(message.content) for message in conversation.messages())
        return ContextUse(told // 4, self._script.context_length)

    def leave_out(self, conversation: Conversation, question: str) -> Conversation:
        return cuts.with_cut(conversation, len(conversation.turns))

    def summarise(self, conversation: Conversation, question: str, cancel: Cancel) -> Conversation:
        self._script.before_summary(cancel)
        return cuts.with_cut(conversation, len(conversation.turns), "You asked who pays, and learned that Rowan does.")

    def carry_on(self, conversation: Conversation, question: str, title: str) -> Conversation:
        return cuts.carried_on(conversation, len(conversation.turns) - 2, title)

    def close(self) -> None:
        pass
