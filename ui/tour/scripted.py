"""A core that plays a script: it has the workspace's interface, keeps all in memory and says what it was told to.

The tour draws the window with it, and the window's tests drive it to every outcome. `main` never uses it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from personal_ai.app.vault_door import VaultDoor
from personal_ai.chat import cuts
from personal_ai.chat.conversation import Conversation, Place, ReplyFacts, Turn
from personal_ai.chat.presets import Preset
from personal_ai.chat.session import ContextUse
from personal_ai.chat.store import ConversationSummary
from personal_ai.common.errors import Cancelled, IdentityError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Progress, ProgressCallback
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.identities.vault import Vault
from ui.tour.scripted_activity import ScriptedActivity
from ui.tour.scripted_ais import (
    ScriptedAis,
    ScriptedCanisters,
    ScriptedControllers,
    ScriptedRunways,
    ScriptedSnapshots,
    ScriptedUpkeep,
)
from ui.tour.scripted_identities import open_door, trial_door
from ui.tour.scripted_models import ScriptedModels
from ui.tour.scripted_networks import ScriptedNetworks
from ui.tour.scripted_safekeeping import ScriptedSafekeeping
from ui.tour.scripted_setup import ScriptedSetup
from ui.tour.scripted_trial import ScriptedTrial
from ui.tour.scripted_wallet import ScriptedMoney

PHRASE = "lamp orbit meadow copper violin harvest ticket walnut breeze pencil saddle gallery"
PASSWORD = "four quiet walnut trees"  # noqa: S105 - of a vault that exists only in memory
CANISTER_ID = "bkyz2-fmaaa-aaaaa-qaaaq-cai"
_SECONDS_PER_TOKEN = 0.019
_WORDS_PER_UNFINISHED = 50
MODULE_HASH = "5b8f0c1de2a97734c0a1" + "0" * 44


@dataclass(frozen=True, slots=True)
class ScriptedModel:
    name: str = "starter"
    label: str = "Starter guide (knows only this app)"
    size_bytes: int = 2_480_000
    context_length: int = 512
    quantisation: str = "int8"
    embeds: bool = False


@dataclass(frozen=True, slots=True)
class ScriptedIdentity:
    label: str


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


@dataclass
class ScriptedCore:
    """See the module. `script` may be changed while the window runs."""

    script: Script = field(default_factory=Script)
    has_vault: bool = False
    password: str = PASSWORD
    all_models: list[ScriptedModel] = field(default_factory=lambda: [ScriptedModel()])
    all_deployments: list[Deployment] = field(default_factory=list)
    model_room: ScriptedModels = field(default_factory=ScriptedModels)
    closed: bool = False
    threads: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.practice_network = ScriptedNetwork()
        self.conversations = ScriptedConversations(self.script)
        self.own_networks = ScriptedNetworks()
        self.money = ScriptedMoney()
        self.activity = ScriptedActivity(lambda: self.all_deployments, lambda: self.money)
        self.safekeeping = ScriptedSafekeeping(self._restored, self._adopted)
        self.ais = ScriptedAis()
        self.canisters = ScriptedCanisters(self.ais, self.all_deployments.remove)
        self.runway = ScriptedRunways(self.ais)
        self.upkeep = ScriptedUpkeep(self.ais, self._replaced)
        self.snapshots = ScriptedSnapshots(self.ais)
        self.controllers = ScriptedControllers(self.ais, lambda: self.vault.identities)
        self.trial = ScriptedTrial(self)
        self.setup = ScriptedSetup(self)
        self._closing = ExitStack()

    @cached_property
    def door(self) -> VaultDoor:
        """A real vault in a folder that goes away with it."""
        return open_door(self._vault_path(), PHRASE, PASSWORD)

    def _vault_path(self) -> Path:
        folder = tempfile.TemporaryDirectory()
        self._closing.callback(folder.cleanup)
        return Path(folder.name) / "vault"

    @property
    def vault(self) -> Vault:
        return self.door.vault()

    def begin_trial(self) -> None:
        """From now on there is a vault that only this core opens."""
        self._note_thread()
        self.door = trial_door(self._vault_path(), PHRASE)
        self.has_vault = True

    def end_trial(self) -> None:
        """All is as in the beginning."""
        self.door.lock()
        self._closing.close()
        self.has_vault = False
        self.all_deployments.clear()

    def new_phrase(self) -> str:
        return PHRASE

    def create_vault(self, phrase: str, password: str) -> None:
        assert phrase == PHRASE
        self._note_thread()
        self.password, self.has_vault = password, True

    def unlock(self, password: str) -> None:
        self._note_thread()
        if password != self.password:
            raise IdentityError(
                "This password does not open the vault.",
                not_lost="Nothing was changed; you can try as often as you like.",
                next_step="Check Caps Lock and the keyboard's language, then try again.",
            )

        if self.door.locked:
            self.door.unlock(PASSWORD)

    def lock(self) -> None:
        self._note_thread()
        self.door.lock()

    def identities(self) -> list[ScriptedIdentity]:
        return [ScriptedIdentity(one.name) for one in self.all_deployments]

    def models(self) -> list[ScriptedModel]:
        return list(self.all_models)

    def deployments(self) -> list[Deployment]:
        return list(self.all_deployments)

    def deploy(
        self,
        model: str,
        *,
        name: str | None = None,
        resume: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment:
        """Plays the script's steps; the journal remembers how far it came."""
        self._note_thread()
        index = next((at for at, one in enumerate(self.all_deployments) if one.id == resume), 0)
        if resume is None:
            self.all_deployments.insert(0, deployment(name or "Rowan", model, DeploymentState.RUNNING))
        self.practice_network.running = True
        for progress in self.script.steps:
            on_progress(progress)
            try:
                self.script.before_step(progress, cancel)
            except Cancelled:
                raise
            except Exception:
                self.all_deployments[index] = replace(self.all_deployments[index], state=DeploymentState.FAILED)
                raise
            cancel.raise_if_cancelled()
        self.all_deployments[index] = replace(
            self.all_deployments[index],
            state=DeploymentState.ACTIVE,
            canister_id=CANISTER_ID,
            module_hash=MODULE_HASH,
        )
        return self.all_deployments[index]

    def _replaced(self, deployment: Deployment, model: str) -> Deployment:
        changed = replace(deployment, model=model)
        self.all_deployments[self.all_deployments.index(deployment)] = changed
        return changed

    def begin(self, model: str, network: str, state: DeploymentState) -> Deployment:
        """A deployment that the journal knows and that has taken no step yet."""
        begun = replace(deployment("Birch" if self.all_deployments else "Rowan", model, state), network=network)
        self.all_deployments.insert(0, begun)
        return begun

    def open_chat(self, *, model: str, deployment: Deployment | None) -> ScriptedChat:
        self._note_thread()
        if deployment is not None and deployment.canister_id is None:
            raise NetworkUnreachableError(f"{deployment.name} has no canister yet.")
        return ScriptedChat(self.script, self.practice_network, deployment)

    def _restored(self, new_password: str | None) -> None:
        if new_password is not None:
            self.password, self.has_vault = new_password, True

    def _adopted(self, name: str, network: str, canister_id: str) -> Deployment:
        found = replace(deployment(name), network=network, canister_id=canister_id)
        self.all_deployments.insert(0, found)
        return found

    def close(self) -> None:
        self._closing.close()
        self.closed = True

    def _note_thread(self) -> None:
        """Which threads did the work: never the window's."""
        self.threads.add(threading.current_thread().name)


def deployment(
    name: str,
    model: str = "starter",
    state: DeploymentState = DeploymentState.ACTIVE,
    principal: str = "fvviw-baiai-ba",
) -> Deployment:
    """A deployment as the journal gives it."""
    active = state is DeploymentState.ACTIVE
    return Deployment(
        id=f"{name.lower()}-1",
        name=name,
        network="practice",
        principal=principal,
        model=model,
        model_sha256="0" * 64,
        state=state,
        created_at_ns=time.time_ns(),
        canister_id=CANISTER_ID if active else None,
        module_hash=MODULE_HASH if active else None,
    )
