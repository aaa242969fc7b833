"""Another model for a canister that has one: the old one answers until the new one is there and verified.

Killed anywhere, the same call goes on: until the switch the journal names the old model, and the canister knows which
chunks of the new one it lacks.
"""

from __future__ import annotations

from personal_ai.canister.heap import heap_need
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.compiler.compile import ProgramSizes
from personal_ai.deployments import cycles_needed
from personal_ai.deployments import upload as uploading
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.deployer import Deployer, raise_memory_limit
from personal_ai.deployments.journal import Deployment
from personal_ai.deployments.plan import WORKING_CYCLES, contents_of, plan
from personal_ai.ic.principal import Principal

REPLACE = "replace"


def replace_model(deployer: Deployer, deployment_id: str, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
    """Puts the deployer's package in the place of the deployment's model.

    Where both do not fit into the memory, the old one is unloaded first: the canister then answers nothing until the
    new one is loaded, and progress says so. Raises TooFewCyclesError before anything is sent, Cancelled, NetworkError.
    """
    deployment = deployer.journal.deployment(deployment_id)
    if deployment.canister_id is None:
        raise BadInputError(f"{deployment.name} has no canister yet.", next_step="Deploy the model anew.")
    canister = OwnCanister(deployer.agent, Principal.from_text(deployment.canister_id))
    program, upload = deployer.prepare(on_progress, cancel)
    _send(deployer, deployment_id, canister, upload, program, on_progress=on_progress, cancel=cancel)
    # Both models are in the heap until the switch, and it never shrinks.
    raise_memory_limit(canister, (canister.status().heap_bytes or 0) + heap_need(program).most_bytes)
    deployer.journal.set_model(deployment_id, deployer.package.name, deployer.package.manifest_sha256)
    with deployer.recorded(deployment_id):
        deployer.activate(deployment_id, canister.client, upload, on_progress, cancel)
    deployer.journal.finish(deployment_id, REPLACE, result=deployer.package.name)
    return deployer.journal.deployment(deployment_id)


def _send(
    deployer: Deployer,
    deployment_id: str,
    canister: OwnCanister,
    upload: Upload,
    program: ProgramSizes,
    *,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> None:
    """Uploads what the canister lacks of it; nothing where it is the active model already."""
    client = canister.client
    said = client.status()
    if said.model is not None and said.model.hash == upload.manifest.hash:
        return
    if said.staging is None or said.staging.hash != upload.manifest.hash:
        _require_cycles(deployer, canister, program)
    deployer.journal.intend(deployment_id, REPLACE, result=deployer.package.name)
    client.begin_upload(upload.manifest)
    uploading.upload_missing(client, upload, on_progress, cancel)


def _require_cycles(deployer: Deployer, canister: OwnCanister, program: ProgramSizes) -> None:
    """The upload, its verification, and the rent of what is added within the freezing limit."""
    profile, status = canister.agent.profile, canister.status()
    contents = contents_of(deployer.package)
    bill = plan(profile, contents)
    added_bytes = contents.upload_bytes + heap_need(program).most_bytes
    needed = bill.cycles("upload") + bill.cycles("verify") + profile.costs.on_subnet(WORKING_CYCLES)
    needed += cycles_needed.rent(profile, added_bytes, status.freezing_threshold_s)
    cycles_needed.require(status, needed, "take another model")
