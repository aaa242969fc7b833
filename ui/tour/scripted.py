"""A core that plays a script: it has the workspace's interface, keeps all in memory and says what it was told to.

The tour draws the window with it, and the window's tests drive it to every outcome. `main` never uses it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from personal_ai.app.vault_door import VaultDoor
from personal_ai.common.errors import Cancelled, IdentityError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, ProgressCallback
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
from ui.tour.scripted_chats import Script, ScriptedChat, ScriptedConversations, ScriptedNetwork
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
