"""Backups and recovery sheets of an opened workspace."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from personal_ai.app.workspace import Workspace
from personal_ai.backup import backup
from personal_ai.backup.backup import Restored
from personal_ai.backup.parts import Profile
from personal_ai.backup.sheet import Sheet
from personal_ai.common.errors import BadInputError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.identities.vault_content import Content
from personal_ai.wallet.journal import PaymentJournal


def create_backup(
    workspace: Workspace, target: Path, password: str, *, on_progress: ProgressCallback, cancel: Cancel
) -> None:
    """Everything into one encrypted file. Raises as `backup.create` does, and VaultLockedError."""
    with closing(PaymentJournal(workspace.paths.payments)) as payments:
        backup.create(_profile(workspace, payments), target, password, on_progress=on_progress, cancel=cancel)


def restore_backup(
    workspace: Workspace,
    source: Path,
    password: str,
    *,
    new_password: str | None = None,
    on_progress: ProgressCallback,
    cancel: Cancel,
) -> Restored:
    """Merges a backup in. Where there is no vault yet, one is made that opens with `new_password`.

    Raises as `backup.restore` does; VaultLockedError; BadInputError where a new password is lacking.
    """

    def opened(content: Content) -> Profile:
        if not workspace.has_vault:
            if new_password is None:
                raise BadInputError("There is no vault here yet.", next_step="Choose a password for it.")
            workspace.door.restore(content, new_password)
        return _profile(workspace, payments)

    with closing(PaymentJournal(workspace.paths.payments)) as payments:
        return backup.restore(source, password, opened, on_progress=on_progress, cancel=cancel)


def recovery_sheet(workspace: Workspace, *, with_phrase: bool) -> Sheet:
    """What to print. Raises VaultLockedError."""
    vault = workspace.vault
    return Sheet(
        made_on=datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
        phrase=vault.reveal_phrase() if with_phrase else None,
        identities=vault.identities,
        deployments=workspace.deployments(),
    )


def _profile(workspace: Workspace, payments: PaymentJournal) -> Profile:
    return Profile(
        workspace.paths, workspace.vault, workspace.conversations, workspace.journal, payments, workspace.library
    )
