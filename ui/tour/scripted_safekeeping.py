"""Backups and recovery that play the core's script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from personal_ai.backup.backup import Restored
from personal_ai.backup.parts import ModelReference
from personal_ai.common.jobs import Cancel, Progress, ProgressCallback
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal

_STEP = Progress("Saving conversations", 12, 40, "conversations", 60.0, 0.5)
RESTORED = Restored(
    12, 2, (ModelReference("smollm2-135m", "SmolLM2 135M", "owner/SmolLM2-135M", "main", "int8", "0" * 64),)
)


@dataclass
class ScriptedSafekeeping:
    """`before_end` may raise, wait or look at the cancel token. `asked` remembers what was asked for."""

    restored: Callable[[str | None], None]
    adopted: Callable[[str, str, str], Deployment]
    before_end: Callable[[Cancel], None] = lambda _: None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def create_backup(self, target: Path, password: str, *, on_progress: ProgressCallback, cancel: Cancel) -> None:
        self._play(on_progress, cancel)
        self.asked.append(("backup", target, password))

    def restore_backup(
        self,
        source: Path,
        password: str,
        *,
        new_password: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Restored:
        self._play(on_progress, cancel)
        self.asked.append(("restore", source, password, new_password))
        self.restored(new_password)
        return RESTORED

    def recover(
        self,
        canister_id: Principal,
        *,
        network: str,
        name: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment:
        on_progress(Progress("Looking for its identity", 12, 500, "identities", 90.0, 5.4))
        self.before_end(cancel)
        cancel.raise_if_cancelled()
        self.asked.append(("recover", str(canister_id), network, name))
        return self.adopted(name or "Willow", network, str(canister_id))

    def save_recovery_sheet(self, target: Path, *, with_phrase: bool) -> None:
        self.asked.append(("sheet", target, with_phrase))

    def restore_from_phrase(
        self,
        phrase: str,
        password: str,
        canister_ids: Sequence[str],
        *,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        self.restored(password)
        self._play(on_progress, cancel)
        self.asked.append(("phrase", phrase, password, list(canister_ids)))

    def _play(self, on_progress: ProgressCallback, cancel: Cancel) -> None:
        on_progress(_STEP)
        self.before_end(cancel)
        cancel.raise_if_cancelled()
