"""Taking a model into a canister, step by step, each written down before and after.

Killed anywhere, the same call with the same deployment goes on where it stood: ledger calls are repeated with the
created_at_time of their first attempt (the ledger answers with the first result), calls without such a token are
repeated as the very same signed message, and chunks are those that the canister says it lacks.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from personal_ai.canister.client import CanisterClient
from personal_ai.canister.heap import heap_need
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import Cancelled, NetworkTimeoutError, SecurityError, UserFacingError
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.common.paths import resource
from personal_ai.compiler.compile import compile_package
from personal_ai.deployments import upload as uploading
from personal_ai.deployments.creation import CREATE, Creation, Directory
from personal_ai.deployments.funding import Faucet, provide
from personal_ai.deployments.journal import Deployment, DeploymentState, Journal
from personal_ai.deployments.plan import CANISTER_WASM, Plan, contents_of, plan
from personal_ai.ic.agent import Agent, UnknownOutcomeError
from personal_ai.ic.management import CanisterSettings, InstallMode, Management
from personal_ai.ic.principal import Principal
from personal_ai.ic.requests import SignedUpdate
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
    clock_ns: Callable[[], int] = time.time_ns

    def run(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        """Takes every step that is not yet done. Raises Cancelled, and UserFacingError after writing it down."""
        try:
            self._run(deployment_id, on_progress, cancel)
        except Cancelled:
            raise
        except UserFacingError as error:
            self.journal.set_state(deployment_id, DeploymentState.FAILED, error.what)
            raise
        self.journal.set_state(deployment_id, DeploymentState.ACTIVE)
        return self.journal.deployment(deployment_id)

    def _run(self, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> None:
        self.journal.set_state(deployment_id, DeploymentState.RUNNING)
        costs = plan(self.agent.profile, contents_of(self.package))
        creation = Creation(self.journal, self.agent, deployment_id, self.directory, self.clock_ns)
        if self.canister_id is None and not creation.begun:
            provide(self.agent, costs.total, self.faucet)
        program_path = self.programs / f"{self.package.manifest_sha256}.program"
        self.package.verify(on_progress, cancel)
        program = compile_package(self.package, program_path, on_progress=on_progress, cancel=cancel)
        upload = Upload.of(self.package.name, _files(self.package, program_path), on_progress, cancel)
        wasm = resource(CANISTER_WASM).read_bytes()
        heap_bytes = heap_need(program).most_bytes

        cancel.raise_if_cancelled()
        canister_id = self._create(creation, costs, on_progress, cancel)
        cancel.raise_if_cancelled()
        if heap_bytes > _WASM_MEMORY_LIMIT_DEFAULT_BYTES:
            Management(self.agent).update_settings(canister_id, CanisterSettings(wasm_memory_limit=_WASM32_BYTES))
        self._install(deployment_id, canister_id, wasm, on_progress)
        client = CanisterClient(self.agent, canister_id)
        self._upload(deployment_id, client, upload, on_progress, cancel)
        self._activate(deployment_id, client, upload, on_progress, cancel)

    def _create(self, creation: Creation, costs: Plan, on_progress: ProgressCallback, cancel: Cancel) -> Principal:
        meter = Meter("Creating the canister", 1, "step", on_progress)
        if self.canister_id is not None:
            canister_id = creation.take(self.canister_id)
        else:
            canister_id = creation.run(costs.total, cancel)
        meter.advance()
        return canister_id

    def _install(self, deployment_id: str, canister_id: Principal, wasm: bytes, on_progress: ProgressCallback) -> None:
        """The engine, checked against the module hash that the network certifies."""
        meter = Meter("Installing the engine", 1, "step", on_progress)
        expected = hashlib.sha256(wasm).digest()
        if self.agent.module_hash(canister_id) != expected:
            with suppress(UnknownOutcomeError):  # the module hash tells
                self.agent.submit(self._install_message(deployment_id, canister_id, wasm))
            installed = self.agent.module_hash(canister_id)
            if installed is None:
                raise NetworkTimeoutError(
                    "The network did not install the engine in time.",
                    not_lost="The canister and its cycles are yours.",
                    next_step="Go on with the deployment in a few minutes.",
                )
            if installed != expected:
                raise SecurityError(
                    "The canister does not run the engine that was sent to it.",
                    not_lost="The model has not been uploaded.",
                    next_step="Do not use this canister; report this.",
                )
        self.journal.set_module_hash(deployment_id, expected.hex())
        self.journal.finish(deployment_id, INSTALL)
        meter.advance()

    def _install_message(self, deployment_id: str, canister_id: Principal, wasm: bytes) -> SignedUpdate:
        """The signed message of the first attempt as long as it may be sent, a new one otherwise."""
        step = self.journal.step(deployment_id, INSTALL)
        if step is not None and step.envelope is not None and (step.expires_at_ns or 0) > self.clock_ns():
            return SignedUpdate.from_bytes(step.envelope)
        signed = Management(self.agent).sign_install_code(canister_id, InstallMode.INSTALL, wasm)
        self.journal.intend(
            deployment_id,
            INSTALL,
            request_id=signed.request_id,
            envelope=signed.to_bytes(),
            expires_at_ns=signed.ingress_expiry_ns,
        )
        return signed

    def _upload(
        self,
        deployment_id: str,
        client: CanisterClient,
        upload: Upload,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        step = self.journal.step(deployment_id, UPLOAD)
        if step is not None and step.done:
            return
        self.journal.intend(deployment_id, UPLOAD)
        started_s, cycles_before = time.monotonic(), client.status().cycles
        client.begin_upload(upload.manifest)
        sent_bytes = uploading.upload_missing(client, upload, on_progress, cancel)
        facts = {
            "bytes": sent_bytes,
            "seconds": time.monotonic() - started_s,
            "cycles_before": cycles_before,
            "cycles": cycles_before - client.status().cycles,
        }
        self.journal.finish(deployment_id, UPLOAD, result=json.dumps(facts))

    def _activate(
        self,
        deployment_id: str,
        client: CanisterClient,
        upload: Upload,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        """The switch to the uploaded model, once the canister has verified all of it."""
        self.journal.intend(deployment_id, ACTIVATE)
        meter = Meter("Activating the model", 1, "step", on_progress)
        client.activate(upload.manifest.hash, on_progress=on_progress, cancel=cancel)
        self.journal.finish(deployment_id, ACTIVATE)
        meter.advance()


def _files(package: ModelPackage, program: Path) -> list[tuple[str, Path]]:
    """What goes into the canister: the program, and all of the package but the weights, which the program holds."""
    words = [(name, package.folder / name) for name in package.files_without_weights()]
    return [("program", program), *words]
