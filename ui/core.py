"""What the window asks of the core: the part of `personal_ai.app.Workspace` that it uses, as types.

The real workspace is imported when the window is already there (`ui.__main__`); the tour plays a scripted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from personal_ai.chat.conversation import Conversation, Place, Turn
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments.journal import Deployment
from ui.core_activity import Activity
from ui.core_ais import Ais
from ui.core_models import ModelRoom
from ui.core_networks import OwnNetworks
from ui.core_safekeeping import Safekeeping
from ui.core_setup import Setup
from ui.core_wallet import Money

if TYPE_CHECKING:
    from personal_ai.app.vault_door import VaultDoor
    from personal_ai.chat.presets import Preset
    from personal_ai.chat.session import ContextUse
    from personal_ai.chat.store import ConversationSummary
    from personal_ai.identities.vault import Vault


class Model(Protocol):
    """A model of the library."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def context_length(self) -> int: ...
    @property
    def quantisation(self) -> str: ...
    @property
    def embeds(self) -> bool: ...


class Identity(Protocol):
    """A key of the vault, without the key."""

    @property
    def label(self) -> str: ...


class Chat(Protocol):
    """One model, in the canister and on this computer."""

    def place(self, pinned: Place | None = None) -> Place: ...

    def prepare(self, conversation: Conversation, cancel: Cancel) -> None: ...

    def answer(
        self,
        asked: Conversation,
        *,
        other_words: bool = False,
        on_text: Callable[[str], None],
        on_place: Callable[[Place, str | None], None],
        on_unfinished: Callable[[Turn], None],
        cancel: Cancel,
    ) -> Conversation: ...

    def context_use(self, conversation: Conversation) -> ContextUse: ...

    def leave_out(self, conversation: Conversation, question: str) -> Conversation: ...

    def summarise(self, conversation: Conversation, question: str, cancel: Cancel) -> Conversation: ...

    def carry_on(self, conversation: Conversation, question: str, title: str) -> Conversation: ...

    def close(self) -> None: ...


class Conversations(Protocol):
    """The encrypted store."""

    def list(self) -> Sequence[ConversationSummary]: ...
    def search(self, text: str) -> Sequence[ConversationSummary]: ...
    def get(self, conversation_id: str) -> Conversation | None: ...
    def draft(self, conversation_id: str) -> str: ...
    def save(self, conversation: Conversation) -> None: ...
    def save_draft(self, conversation_id: str, text: str) -> None: ...
    def save_unfinished(self, conversation_id: str, turn: Turn | None) -> None: ...
    def merge(self, conversation: Conversation) -> None: ...
    def delete(self, conversation_id: str) -> None: ...
    def presets(self) -> Sequence[Preset]: ...
    def save_preset(self, preset: Preset) -> None: ...
    def delete_preset(self, name: str) -> None: ...


class Network(Protocol):
    """The practice network, a process of its own."""

    @property
    def running(self) -> bool: ...
    def start(self, cancel: Cancel | None = None) -> object: ...
    def stop(self) -> None: ...


class Trial(Protocol):
    """Trying everything out: `personal_ai.app.trial.Trial`."""

    @property
    def under_way(self) -> bool: ...
    def begin(self, on_progress: ProgressCallback, cancel: Cancel) -> Deployment: ...
    def throw_away(self) -> None: ...


class Core(Ais, Protocol):
    """One person's profile."""

    @property
    def has_vault(self) -> bool: ...
    @property
    def door(self) -> VaultDoor: ...
    @property
    def vault(self) -> Vault: ...
    @property
    def safekeeping(self) -> Safekeeping: ...
    @property
    def trial(self) -> Trial: ...
    @property
    def setup(self) -> Setup: ...
    def new_phrase(self) -> str: ...
    def create_vault(self, phrase: str, password: str) -> None: ...
    def unlock(self, password: str) -> None: ...
    def lock(self) -> None: ...
    def identities(self) -> Sequence[Identity]: ...
    def models(self) -> Sequence[Model]: ...
    def deployments(self) -> list[Deployment]: ...
    def deploy(
        self,
        model: str,
        *,
        name: str | None = None,
        resume: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment: ...
    def open_chat(self, *, model: str, deployment: Deployment | None) -> Chat: ...
    @property
    def model_room(self) -> ModelRoom: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def practice_network(self) -> Network: ...
    @property
    def own_networks(self) -> OwnNetworks: ...
    @property
    def money(self) -> Money: ...
    @property
    def activity(self) -> Activity: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Overview:
    """What the pages show of the profile, read in one go."""

    models: tuple[Model, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    identities: tuple[Identity, ...] = ()
    network_running: bool = False
    on_trial: bool = False
    setting_up: bool = False

    @classmethod
    def of(cls, core: Core) -> Overview:
        return cls(
            tuple(core.models()),
            tuple(core.deployments()),
            tuple(core.identities()),
            core.practice_network.running,
            core.trial.under_way,
            core.setup.choices() is not None,
        )

    def model_label(self, name: str) -> str:
        """The model's name for people; the bare name where the library no longer has it."""
        model = self.model(name)
        return model.label if model and model.label else name

    def model(self, name: str) -> Model | None:
        return next((model for model in self.models if model.name == name), None)

    def deployment(self, deployment_id: str | None) -> Deployment | None:
        return next((one for one in self.deployments if one.id == deployment_id), None)
