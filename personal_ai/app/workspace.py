"""One person's opened profile: vault, models, deployments, conversations and the practice network.

Both front ends go through this door, so that they open the same things in the same order. Its methods may take long:
call them off a user interface's thread, one at a time.
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack, closing
from functools import cached_property
from pathlib import Path
from typing import Literal

from personal_ai.app.activity import Activity
from personal_ai.app.canisters import Canisters
from personal_ai.app.controllers import Controllers
from personal_ai.app.model_room import ModelRoom
from personal_ai.app.model_summary import ModelSummary
from personal_ai.app.money import Money
from personal_ai.app.networks import PRACTICE, Networks
from personal_ai.app.own_networks import OwnNetworks
from personal_ai.app.runway import Runways
from personal_ai.app.safekeeping import Safekeeping
from personal_ai.app.setup import Setup
from personal_ai.app.snapshots import Snapshots
from personal_ai.app.trial import Trial
from personal_ai.app.upkeep import Upkeep
from personal_ai.app.vault_door import VaultDoor
from personal_ai.canister.client import CanisterClient
from personal_ai.chat.answerers import CanisterAnswerer, LocalAnswerer
from personal_ai.chat.conversation import Place
from personal_ai.chat.session import ChatModel, ChatSession
from personal_ai.chat.store import ConversationStore
from personal_ai.common.errors import BadInputError, NetworkUnreachableError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.common.paths import Paths
from personal_ai.deployments.creation import Directory
from personal_ai.deployments.deployer import Deployer
from personal_ai.deployments.directory import PublicDirectory
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.names import next_name
from personal_ai.deployments.practice import PracticeNetwork
from personal_ai.ic.agent import Agent
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import NetworkProfile
from personal_ai.ic.transport import connect
from personal_ai.identities import phrase as phrases
from personal_ai.identities.circuits import PURPOSE, circuit
from personal_ai.identities.vault import IdentityRecord, Vault
from personal_ai.models.encoders.embedder import Embedder, TextTokens
from personal_ai.models.encoders.graph import EMBEDDING
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.download import downloaded
from personal_ai.models.hub.planning import HubModel
from personal_ai.models.importing import Origin, Quantisation, import_folder
from personal_ai.models.library import Library, starter
from personal_ai.models.local.devices import Verdict
from personal_ai.models.local.process import LocalProcess
from personal_ai.models.loss import measured_after_import
from personal_ai.models.manifest import name_from
from personal_ai.models.package import ModelPackage
from personal_ai.models.place import move_library, place_of
from personal_ai.models.sampling import Sampling
from personal_ai.models.tokenizer import ChatTokenizer

__all__ = ["PRACTICE", "ModelSummary", "Workspace"]


class Workspace:
    """See the module's docstring. Raises what its parts raise; VaultLockedError where the vault must be open.

    Its rooms, each with the calls about one thing: trial, setup, own_networks, money, activity, safekeeping (backups,
    recovery), model_room, and of canisters: canisters, runway, upkeep, snapshots, controllers.
    """

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.door = VaultDoor(paths.vault)
        self._closing = ExitStack()
        self.practice_network = PracticeNetwork(paths.practice_network)
        self.networks = Networks(paths.networks, self.practice_network)
        self.own_networks = OwnNetworks(self)
        self._place = place_of(paths.models, paths.library_place)
        self.library = Library(self._place.folder, self._place.mark)
        self.trial = Trial(self)
        self._closing.callback(self.trial.leave)
        self.setup = Setup(self)
        self.safekeeping = Safekeeping(self)
        self.model_room = ModelRoom(self)
        self.money = Money(self)
        self.activity = Activity(self)
        self.canisters = Canisters(self)
        self.runway = Runways(self)
        self.upkeep = Upkeep(self)
        self.snapshots = Snapshots(self)
        self.controllers = Controllers(self)

    # The vault

    @property
    def has_vault(self) -> bool:
        return self.door.exists

    @property
    def locked(self) -> bool:
        return self.door.locked

    @property
    def vault(self) -> Vault:
        """The open vault. Raises VaultLockedError."""
        return self.door.vault()

    def new_phrase(self, words: Literal[12, 24] = 12) -> str:
        """A fresh recovery phrase; nothing is kept of it."""
        return phrases.generate(words)

    def create_vault(self, phrase: str, password: str) -> None:
        self.door.create(phrase, password)

    def unlock(self, password: str) -> None:
        """Raises WrongPasswordError."""
        self.door.unlock(password)

    def lock(self) -> None:
        """Forgets all keys, those of the conversations included. What is being sent goes on with the keys it has."""
        if "conversations" in self.__dict__:
            self.conversations.close()
            del self.conversations
        self.door.lock()

    def lock_if_idle(self) -> bool:
        """Locks where nobody has used the vault for as long as its owner allows; call it every few seconds.

        `door.use` says that somebody is there, typing or reading.
        """
        idle = self.door.idle
        if idle:
            self.lock()
        return idle

    def identities(self) -> tuple[IdentityRecord, ...]:
        return self.vault.identities

    # Models

    @property
    def speed_file(self) -> Path:
        """Where it is kept how fast this computer is."""
        return self.paths.speed

    def models(self) -> list[ModelSummary]:
        """The starter model first, then the library's, where its drive is there (`library.check_there`)."""
        return [ModelSummary.of(package) for package in (starter(), *self.library.list())]

    def model(self, name: str) -> ModelPackage:
        """Raises BadInputError when there is none of this name, LibraryAwayError."""
        if name not in self.library and (package := starter()).name == name:
            return package
        return self.library.get(name)

    def move_library(self, folder: Path, *, on_progress: ProgressCallback, cancel: Cancel) -> None:
        """Moves the library, to another drive say; what was removed from it is deleted for good. See `models.place`."""
        self.library.empty_trash()
        self._place = move_library(
            self._place, folder, self.paths.library_place, on_progress=on_progress, cancel=cancel
        )
        self.library = Library(self._place.folder, self._place.mark)

    def import_model(
        self,
        folder: Path,
        *,
        name: str | None = None,
        quantisation: Quantisation = "int8",
        measure: bool = False,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> ModelSummary:
        """Takes a folder or file with a model into the library, and measures what quantisation cost where wanted."""
        package = import_folder(
            folder, self.library, name=name, quantisation=quantisation, on_progress=on_progress, cancel=cancel
        )
        if measure:
            measured_after_import(package, folder, self.library, on_progress=on_progress, cancel=cancel)
        return ModelSummary.of(package)

    def import_from_hub(
        self,
        hub: Hub,
        model: HubModel,
        *,
        name: str | None = None,
        quantisation: Quantisation = "int8",
        measure: bool = False,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> ModelSummary:
        """Fetches a model that `hub.planning.plan` found and takes it into the library; the same call goes on later.

        name: the part of the id after the slash where not given.
        """
        label = model.id.partition("/")[2]
        chosen = name or name_from(label)
        if chosen in self.library:
            raise BadInputError(
                f"There is a model named {chosen} in the library already.", next_step="Choose another name."
            )
        with downloaded(hub, model, self.paths.downloads, on_progress=on_progress, cancel=cancel) as folder:
            package = import_folder(
                folder,
                self.library,
                name=chosen,
                origin=Origin(label, model.id, model.commit, model.licence),
                quantisation=quantisation,
                on_progress=on_progress,
                cancel=cancel,
            )
            if measure:
                measured_after_import(package, folder, self.library, on_progress=on_progress, cancel=cancel)
        return ModelSummary.of(package)

    # Deployments

    @cached_property
    def journal(self) -> Journal:
        journal = Journal(self.paths.journal)
        self._closing.callback(journal.close)
        return journal

    def deployments(self) -> list[Deployment]:
        return self.journal.deployments()

    def deploy(
        self,
        model: str,
        *,
        network: str = PRACTICE,
        name: str | None = None,
        resume: str | None = None,
        canister_id: Principal | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment:
        """Takes a model into a canister of its own, under an identity of its own; `resume` is a deployment's id.

        canister_id: one that the deployment's identity controls already, to be used instead of a new one.
        On the practice network its faucet pays, elsewhere the identity's account of the cycles ledger.
        Raises Cancelled (resume it later), NotFundedError and UserFacingError.
        """
        deployment = self.journal.deployment(resume) if resume else self.begin(model, network=network, name=name)
        package = self.model(deployment.model)
        if package.manifest_sha256 != deployment.model_sha256:
            raise BadInputError(
                f"{package.name} is no longer the model that {deployment.name} was begun with.",
                not_lost="The canister and what is in it are untouched.",
                next_step="Import the old model again, or begin a new deployment.",
            )
        practising = deployment.network == PRACTICE
        profile = self._start_network(deployment.network, on_progress, cancel)
        with closing(self.agent(profile, Principal.from_text(deployment.principal))) as agent:
            deployer = Deployer(
                self.journal,
                agent,
                package,
                self.paths.programs,
                faucet=self.practice_network.fund if practising else None,
                directory=self._directory(profile, Principal.from_text(deployment.principal)),
                canister_id=canister_id,
            )
            return deployer.run(deployment.id, on_progress, cancel)

    def _directory(self, profile: NetworkProfile, principal: Principal) -> Directory | None:
        """Who tells which canisters an identity controls, asked on the identity's own way."""
        if profile.name == PRACTICE:
            return self.practice_network.canisters_of
        return PublicDirectory(proxy=self.proxy_for(principal)) if profile.kind == "ic" else None

    def begin(
        self, model: str, *, network: str = PRACTICE, name: str | None = None, identity: Principal | None = None
    ) -> Deployment:
        """Writes a deployment down; nothing is sent or paid. identity: of the vault; a fresh one if not given."""
        if network != PRACTICE:
            self.networks.known(network)
        package = self.model(model)
        chosen = name or next_name([deployment.name for deployment in self.deployments()])
        owner = identity or self.vault.new_identity(chosen).principal
        deployment = Deployment(
            id=uuid.uuid4().hex,
            name=chosen,
            network=network,
            principal=str(owner),
            model=package.name,
            model_sha256=package.manifest_sha256,
            state=DeploymentState.RUNNING,
            created_at_ns=time.time_ns(),
        )
        self.journal.begin(deployment)
        return deployment

    def agent(self, profile: NetworkProfile, principal: Principal) -> Agent:
        """A network as one identity, through connections that no other identity uses; the caller closes it."""
        return Agent(profile, self.vault.signer(principal), connect(profile, self.proxy_for(principal)))

    def proxy_for(self, principal: Principal) -> str | None:
        """The way into the network that this identity alone takes; None where the vault names no proxy."""
        proxy = self.vault.notes.proxy
        return None if proxy is None else circuit(proxy, principal, self.vault.database_key(PURPOSE))

    # Networks

    def _start_network(self, name: str, on_progress: ProgressCallback, cancel: Cancel) -> NetworkProfile:
        if name != PRACTICE:
            return self.networks.started(name, cancel)
        meter = Meter("Starting the practice network", 1, "step", on_progress)
        profile = self.networks.started(name, cancel)
        meter.advance()
        return profile

    def practice_network_running(self) -> bool:
        return self.practice_network.running

    def stop_practice_network(self) -> None:
        self.practice_network.stop()

    def reset_practice_network(self) -> list[Deployment]:
        """Throws the practice network away and strikes out what was deployed there, which it gives.

        Conversations and identities stay. Raises NetworkError, StorageError.
        """
        gone = [one for one in self.deployments() if one.network == PRACTICE]
        self.practice_network.reset()
        for deployment in gone:
            self.journal.forget(deployment.id)
        self.runway.forget(PRACTICE)
        return gone

    # Chats

    def devices(self, model: str, cancel: Cancel) -> tuple[Verdict, ...]:
        """What a model runs on when this computer answers, and why not on what else; loads it to find out."""
        with closing(LocalProcess(self.model(model))) as process:
            return process.devices(cancel)

    @cached_property
    def conversations(self) -> ConversationStore:
        return ConversationStore(self.paths.conversations, self.vault.database_key("conversations"))

    def canister_client(self, deployment: Deployment) -> CanisterClient:
        """The client of a deployment's canister; the network need not be reachable."""
        if deployment.canister_id is None:
            raise NetworkUnreachableError(f"{deployment.name} has no canister yet.", next_step="Finish deploying it.")
        agent = self.agent(self.networks.known(deployment.network), Principal.from_text(deployment.principal))
        self._closing.callback(agent.close)
        return CanisterClient(agent, Principal.from_text(deployment.canister_id))

    def open_chat(self, *, model: str, deployment: Deployment | None, sampling: Sampling | None = None) -> ChatSession:
        """A chat with a model, in its deployment's canister first where one is given."""
        package = self.model(model)
        local = LocalProcess(package)
        canister = None
        if deployment is None:
            local.warm()  # it loads while the user still writes
        else:
            place = Place.PRACTICE if deployment.network == PRACTICE else Place.CANISTER
            client = self.canister_client(deployment)
            canister = CanisterAnswerer(client, place, self.networks.known(deployment.network).costs)
        chat_model = ChatModel(ChatTokenizer(package), package.manifest.context_length, package.manifest.stop_texts)
        return ChatSession(chat_model, LocalAnswerer(local), canister, sampling=sampling)

    # Embeddings

    def embed(
        self,
        text: str,
        *,
        model: str,
        deployment: Deployment | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> list[float]:
        """A text as numbers, by an embedding model: on this computer, or in the deployment's canister."""
        package = self.model(model)
        if deployment is None:
            return [float(value) for value in Embedder(package).embed(text)]
        given = TextTokens(package).of(text)
        answer = self.canister_client(deployment).run(given, on_progress=on_progress, cancel=cancel)
        return [float(value) for value in answer[EMBEDDING].reshape(-1)]

    def close(self) -> None:
        """Closes files and connections and locks the vault. The practice network goes on running."""
        self._closing.close()
        self.library.empty_trash()
        self.lock()
