"""What a model would be like and cost: advice for both front ends, before anything is fetched or paid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.app.networks import PRACTICE
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.common.machine import memory_bytes
from personal_ai.deployments.fit import Candidate, Fit, candidate_of, fit
from personal_ai.deployments.plan import Plan, contents_of, plan
from personal_ai.ic.profile import IC, NetworkProfile
from personal_ai.models.hub.planning import HubModel
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.speed import known_speed, measured_speed

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

_OFFERED: tuple[Quantisation, ...] = ("int8", "int4")


def prices_of(workspace: Workspace, network: str) -> NetworkProfile:
    """The network whose prices hold: the practice network has the real one's. Raises BadInputError."""
    return IC if network == PRACTICE else workspace.networks.known(network)


def deployment_plan(workspace: Workspace, model: str, network: str) -> tuple[Plan, Fit]:
    """The bill of deploying a model of the library, and what it would be like. Raises ModelObstaclesError."""
    package, profile = workspace.model(model), prices_of(workspace, network)
    bill = plan(profile, contents_of(package))
    quantisation = package.manifest.quantisation
    speed = known_speed(workspace.speed_file)
    return bill, fit(candidate_of(package), quantisation, profile, speed=speed, memory_bytes=memory_bytes())


def fit_of_library(workspace: Workspace, model: str, on_progress: ProgressCallback, cancel: Cancel) -> list[Fit]:
    """A model of the library, as it is there. Measures this computer if that was never done."""
    package = workspace.model(model)
    return _fits(candidate_of(package), (package.manifest.quantisation,), workspace.speed_file, on_progress, cancel)


def fit_of_hub(workspace: Workspace, model: HubModel, on_progress: ProgressCallback, cancel: Cancel) -> list[Fit]:
    """A model that was looked up and not fetched, in every quantisation that is offered."""
    candidate = Candidate(model.id, model.licence, model.decoder, model.words_size_bytes)
    return _fits(candidate, _OFFERED, workspace.speed_file, on_progress, cancel)


def _fits(
    candidate: Candidate,
    quantisations: tuple[Quantisation, ...],
    speed_file: Path,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> list[Fit]:
    speed = measured_speed(speed_file, on_progress, cancel)
    return [fit(candidate, each, IC, speed=speed, memory_bytes=memory_bytes()) for each in quantisations]
