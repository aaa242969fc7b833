"""Putting the engine into a canister: once, however often it is tried, and checked against the certified hash."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass

from personal_ai.common.errors import NetworkTimeoutError, SecurityError
from personal_ai.common.jobs import Meter, ProgressCallback
from personal_ai.deployments.canister import OwnCanister
from personal_ai.deployments.journal import Journal
from personal_ai.ic.agent import UnknownOutcomeError
from personal_ai.ic.management import InstallMode
from personal_ai.ic.requests import SignedUpdate


@dataclass(frozen=True, slots=True)
class Installation:
    """One step of a deployment that installs a module."""

    journal: Journal
    deployment_id: str
    step: str
    mode: InstallMode
    wasm: bytes

    def run(self, canister: OwnCanister, on_progress: ProgressCallback) -> None:
        """Installs the module unless it is there, and finishes the step.

        Raises RejectedError, NetworkTimeoutError, SecurityError where another module is there afterwards.
        """
        meter = Meter("Installing the engine", 1, "step", on_progress)
        expected = hashlib.sha256(self.wasm).digest()
        if canister.agent.module_hash(canister.id) != expected:
            self._install(canister, expected)
        self.journal.set_module_hash(self.deployment_id, expected.hex())
        self.journal.finish(self.deployment_id, self.step)
        meter.advance()

    def _install(self, canister: OwnCanister, expected: bytes) -> None:
        before = canister.agent.module_hash(canister.id)
        with suppress(UnknownOutcomeError):  # the module hash tells
            canister.agent.submit(self._message(canister))
        installed = canister.agent.module_hash(canister.id)
        if installed == before:
            raise NetworkTimeoutError(
                "The network did not install the engine in time.",
                not_lost="The canister and its cycles are yours.",
                next_step="Go on in a few minutes.",
            )
        if installed != expected:
            raise SecurityError(
                "The canister does not run the engine that was sent to it.",
                not_lost="The model on this computer is untouched.",
                next_step="Do not use this canister; report this.",
            )

    def _message(self, canister: OwnCanister) -> SignedUpdate:
        """The signed message of the first attempt as long as it may be sent, a new one otherwise."""
        step = self.journal.step(self.deployment_id, self.step)
        if step is not None and step.envelope is not None and (step.expires_at_ns or 0) > canister.agent.clock_ns():
            return SignedUpdate.from_bytes(step.envelope)
        signed = canister.management.sign_install_code(canister.id, self.mode, self.wasm)
        self.journal.intend(
            self.deployment_id,
            self.step,
            request_id=signed.request_id,
            envelope=signed.to_bytes(),
            expires_at_ns=signed.ingress_expiry_ns,
        )
        return signed
