"""Taking a model into a canister, step by step, each written down before and after.

Killed anywhere, the same call with the same deployment goes on where it stood: ledger calls are repeated with the
created_at_time of their first attempt (the ledger answers with the first result), calls without such a token are
repeated as the very same signed message, and chunks are those that the canister says it lacks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from personal_ai.canister.client import CanisterClient, NoRoom
from personal_ai.canister.heap import heap_need
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.common.paths import resource
from personal_ai.compiler.compile import ProgramSizes, compile_package
from personal_ai.deployments import upload as uploading
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.creation import CREATE, Creation, Directory
from personal_ai.deployments.engine import Installation
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.plan import CANISTER_WASM, Plan, contents_of, plan
from personal_ai.deployments.prepayment import Faucet, provide
from personal_ai.ic.agent import Agent
from personal_ai.ic.management import CanisterSettings, InstallMode
from personal_ai.ic.principal import Principal
from personal_ai.models.package import ModelPackage

__all__ = ["ACTIVATE", "CREATE", "INSTALL", "UPLOAD", "Deployer"]

INSTALL, UPLOAD, ACTIVATE = "install", "upload", "activate"

_WASM_MEMORY_LIMIT_DEFAULT_BYTES = 3 << 30  # beyond it the network would undo what the engine does
_WASM32_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Deployer:
    """Everything that one deployment works with. `agent` signs as the deployment's identity.

    faucet, directory: None where the network has none. canister_id: one that is there already, to be used.
    """

    journal: Journal
    agent: Agent
    package: ModelPackage
    programs: Path
    faucet: Faucet | None = None
    directory: Directory | None = None
    canister_id: Principal | None = None

    def run(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        """Takes every step that is not yet done. Raises Cancelled, and UserFacingError after writing it down."""
        with self.recorded(deployment_id):
            self._run(deployment_id, on_progress, cancel)
        return self.journal.deployment(deployment_id)

    @contextmanager
    def recorded(self, deployment_id: str) -> Iterator[None]:
        """Writes down that work goes on inside, and how it ended; a cancelled one is still going on."""
        self.journal.set_state(deployment_id, DeploymentState.RUNNING)
        try:
            yield
        except UserFacingError as error:
            self.journal.set_state(deployment_id, DeploymentState.FAILED, error.what)
            raise
        self.journal.set_state(deployment_id, DeploymentState.ACTIVE)

    def prepare(self, on_progress: ProgressCallback, cancel: Cancel) -> tuple[ProgramSizes, Upload]:
        """The package verified, compiled and ready to be sent. Raises DamagedFileError, UnsupportedModelError."""
        program_path = self.programs / f"{self.package.manifest_sha256}.program"
        self.package.verify(on_progress, cancel)
        program = compile_package(self.package, program_path, on_progress=on_progress, cancel=cancel)
        return program, Upload.of(self.package.name, _files(self.package, program_path), on_progress, cancel)

    def _run(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> None:
        costs = plan(self.agent.profile, contents_of(self.package))
        creation = Creation(self.journal, self.agent, deployment_id, self.directory)
        if self.canister_id is None and not creation.begun:
            provide(self.agent, costs.total, self.faucet)
        program, upload = self.prepare(on_progress, cancel)
        wasm = resource(CANISTER_WASM).read_bytes()

        cancel.raise_if_cancelled()
        canister = OwnCanister(self.agent, self._create(creation, costs, on_progress, cancel))
        cancel.raise_if_cancelled()
        raise_memory_limit(canister, heap_need(program).most_bytes)
        installed = self.journal.step(deployment_id, INSTALL)
        if installed is None or not installed.done:  # a newer engine is put in by an upgrade, with a way back
            Installation(self.journal, deployment_id, INSTALL, InstallMode.INSTALL, wasm).run(canister, on_progress)
        client = canister.client
        self._upload(deployment_id, client, upload, costs, on_progress=on_progress, cancel=cancel)
        self.activate(deployment_id, client, upload, on_progress, cancel)

    def _create(self, creation: Creation, costs: Plan, on_progress: ProgressCallback, cancel: Cancel) -> Principal:
        meter = Meter("Creating the canister", 1, "step", on_progress)
        if self.canister_id is not None:
            canister_id = creation.take(self.canister_id)
        else:
            canister_id = creation.run(costs.total, cancel)
        meter.advance()
        return canister_id

    def _upload(
        self,
        deployment_id: str,
        client: CanisterClient,
        upload: Upload,
        costs: Plan,
        *,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        step = self.journal.step(deployment_id, UPLOAD)
        if step is not None and step.done:
            return
        facts: dict[str, Any] = json.loads(step.result) if step is not None and step.result else {}
        if not facts:  # gone on with, it is compared with what was there before its first byte
            facts = {"planned": costs.to_record(), "cycles_before": client.status().cycles}
            self.journal.intend(deployment_id, UPLOAD, result=json.dumps(facts))
        started_s = time.monotonic()
        client.begin_upload(upload.manifest)
        facts["bytes"] = uploading.upload_missing(client, upload, on_progress, cancel)
        facts["seconds"] = time.monotonic() - started_s
        facts["cycles"] = facts["cycles_before"] - client.status().cycles
        self.journal.finish(deployment_id, UPLOAD, result=json.dumps(facts))

    def activate(
        self,
        deployment_id: str,
        client: CanisterClient,
        upload: Upload,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        """The switch to the uploaded model, once the canister has verified all of it.

        An old model that leaves no room is unloaded before. Raises NoRoom where that does not do.
        """
        self.journal.intend(deployment_id, ACTIVATE)
        meter = Meter("Activating the model", 1, "step", on_progress)
        try:
            client.activate(upload.manifest.hash, on_progress=on_progress, cancel=cancel)
        except NoRoom:
            if client.status().model is None:
                raise
            Meter("Both models do not fit: the old one is unloaded first", 1, "step", on_progress).advance()
            client.activate(upload.manifest.hash, unload_first=True, on_progress=on_progress, cancel=cancel)
        self.journal.finish(deployment_id, ACTIVATE, result=json.dumps({"cycles_left": client.status().cycles}))
        meter.advance()


def raise_memory_limit(canister: OwnCanister, heap_bytes: int) -> None:
    """Lets the network keep what the engine may grow to."""
    if heap_bytes > _WASM_MEMORY_LIMIT_DEFAULT_BYTES:
        canister.change(CanisterSettings(wasm_memory_limit=_WASM32_BYTES))


def _files(package: ModelPackage, program: Path) -> list[tuple[str, Path]]:
    """What goes into the canister: the program, and all of the package but the weights, which the program holds."""
    words = [(name, package.folder / name) for name in package.files_without_weights()]
    return [("program", program), *words]
