"""What the window asks of the core to keep a profile from being lost: `personal_ai.app.safekeeping` as a type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from personal_ai.common.jobs import Cancel, ProgressCallback

if TYPE_CHECKING:
    from personal_ai.backup.backup import Restored
    from personal_ai.deployments.journal import Deployment
    from personal_ai.ic.principal import Principal


class Safekeeping(Protocol):
    def create_backup(self, target: Path, password: str, *, on_progress: ProgressCallback, cancel: Cancel) -> None: ...

    def restore_backup(
        self,
        source: Path,
        password: str,
        *,
        new_password: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Restored: ...

    def recover(
        self,
        canister_id: Principal,
        *,
        network: str,
        name: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment: ...

    def save_recovery_sheet(self, target: Path, *, with_phrase: bool) -> None: ...

    def restore_from_phrase(
        self,
        phrase: str,
        password: str,
        canister_ids: Sequence[str],
        *,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None: ...
