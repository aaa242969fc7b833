"""From phrase and canister id to the first answer: on a new computer, or for a canister that is controlled already."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.app.networks import PRACTICE
from personal_ai.backup.rebuild import rebuild
from personal_ai.canister.client import CanisterClient, CanisterStatus
from personal_ai.canister.upload import PROGRAM
from personal_ai.common.errors import IdentityError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel, Meter, ProgressCallback
from personal_ai.deployments import controllers
from personal_ai.deployments.journal import Deployment, DeploymentState
from personal_ai.deployments.names import next_name
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.principal import ANONYMOUS, Principal
from personal_ai.ic.profile import NetworkProfile
from personal_ai.ic.transport import connect
from personal_ai.identities.vault import IdentityRecord
from personal_ai.models.library import starter
from personal_ai.models.manifest import MANIFEST_FILE, WORD_FILES
from personal_ai.models.package import ModelPackage

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

IDENTITIES_SEARCHED = 500  # numbers of the phrase that are tried


def recover(
    workspace: Workspace,
    canister_id: Principal,
    *,
    network: str = PRACTICE,
    name: str | None = None,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> Deployment:
    """Finds the identity that controls the canister, gets its model back, and writes the deployment down.

    A second time it goes on where it stopped; what is here already is used. Raises BadInputError for an unknown network
    or canister, or one without a model, IdentityError where no identity of the phrase controls it, NetworkError,
    SecurityError, StorageError, Cancelled.
    """
    for known in workspace.deployments():
        if (known.network, known.canister_id) == (network, str(canister_id)):
            return known
    profile = workspace.networks.started(network, cancel)
    record = _controlling_identity(workspace, profile, canister_id, name=name, on_progress=on_progress, cancel=cancel)
    with closing(workspace.agent(profile, record.principal)) as agent:
        client = CanisterClient(agent, canister_id)
        package = package_of(workspace, client, on_progress, cancel)
        module_hash = agent.module_hash(canister_id)
    deployment = Deployment(
        id=uuid.uuid4().hex,
        name=record.label,
        network=network,
        principal=str(record.principal),
        model=package.name,
        model_sha256=package.manifest_sha256,
        state=DeploymentState.ACTIVE,
        created_at_ns=time.time_ns(),
        canister_id=str(canister_id),
        module_hash=module_hash.hex() if module_hash else None,
    )
    workspace.journal.begin(deployment)
    return deployment


def _controlling_identity(
    workspace: Workspace,
    profile: NetworkProfile,
    canister_id: Principal,
    *,
    name: str | None,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> IdentityRecord:
    """One of the vault, or the first of the phrase's that is not in it yet. Asking tells the network no identity."""
    transport = connect(profile, workspace.proxy_for(ANONYMOUS))
    with closing(Agent(profile, AnonymousIdentity(), transport)) as agent:
        present = controllers.read(agent, canister_id)
    vault = workspace.vault
    for record in vault.identities:
        if record.principal in present:
            return record
    meter = Meter("Looking for its identity", IDENTITIES_SEARCHED, "identities", on_progress)
    for index in range(IDENTITIES_SEARCHED):
        cancel.raise_if_cancelled()
        if vault.derived_principal(index) in present:
            label = name or next_name([record.label for record in vault.identities])
            return vault.restore_identity(label, index)
        meter.advance()
    raise IdentityError(
        f"None of the first {IDENTITIES_SEARCHED} identities of your phrase controls this canister.",
        next_step="Check the canister's id and the phrase; import the key if it was an imported one.",
    )


def package_of(
    workspace: Workspace, client: CanisterClient, on_progress: ProgressCallback, cancel: Cancel
) -> ModelPackage:
    """The canister's model: the one that is here, or rebuilt."""
    words = {name: client.read_file(name) for name in (MANIFEST_FILE, *WORD_FILES)}
    wanted = hashlib.sha256(words[MANIFEST_FILE]).hexdigest()
    for package in (starter(), *workspace.library.list()):
        if package.manifest_sha256 == wanted:
            return package
    program = workspace.paths.programs / f"{wanted}.program"
    if not program.exists():
        _download(client, client.status(), program, on_progress, cancel)
    return rebuild(words, program, workspace.library, on_progress=on_progress, cancel=cancel)


def _download(
    client: CanisterClient, status: CanisterStatus, target: Path, on_progress: ProgressCallback, cancel: Cancel
) -> None:
    """The program, whole or not at all. What it says is checked when the package is rebuilt."""
    sizes = {file.name: file.size_bytes for file in status.model.files} if status.model else {}
    meter = Meter("Fetching the model from the canister", sizes.get(PROGRAM, 0), "bytes", on_progress)
    with storage_errors("save the canister's program"):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=target.parent, prefix=".download.")
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in client.file_pieces(PROGRAM):
                    cancel.raise_if_cancelled()
                    file.write(piece)
                    meter.advance(len(piece))
            Path(aside).replace(target)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
