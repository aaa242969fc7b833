"""Backups, recovery sheets and recovery of an opened workspace."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.app import recovery
from personal_ai.app.networks import PRACTICE
from personal_ai.backup import backup
from personal_ai.backup.backup import Restored
from personal_ai.backup.parts import Profile
from personal_ai.backup.sheet import Sheet
from personal_ai.common.errors import BadInputError
from personal_ai.common.files import write_atomically
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments.burn_history import BurnHistory
from personal_ai.deployments.journal import Deployment
from personal_ai.ic.principal import Principal
from personal_ai.identities.key_files import refuse_existing
from personal_ai.identities.vault_content import Content
from personal_ai.wallet.journal import PaymentJournal

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


class Safekeeping:
    """What keeps a profile from being lost, and brings it back. Its methods may take long."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def create_backup(self, target: Path, password: str, *, on_progress: ProgressCallback, cancel: Cancel) -> None:
        """Everything into one encrypted file. Raises as `backup.create` does, and VaultLockedError."""
        with ExitStack() as opened:
            backup.create(self._profile(opened), target, password, on_progress=on_progress, cancel=cancel)

    def restore_backup(
        self,
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
            if not self._workspace.has_vault:
                if new_password is None:
                    raise BadInputError("There is no vault here yet.", next_step="Choose a password for it.")
                self._workspace.door.restore(content, new_password)
            return self._profile(files)

        with ExitStack() as files:
            return backup.restore(source, password, opened, on_progress=on_progress, cancel=cancel)

    def save_recovery_sheet(self, target: Path, *, with_phrase: bool) -> None:
        """Writes what to print: a page where the name ends in .html, else plain text; mode 0600.

        Raises VaultLockedError, BadInputError for a file that is there already, StorageError.
        """
        refuse_existing(target)
        sheet = self._recovery_sheet(with_phrase=with_phrase)
        page = sheet.to_html() if target.suffix == ".html" else sheet.to_text()
        write_atomically(target, page.encode(), mode=0o600)

    def recover(
        self,
        canister_id: Principal,
        *,
        network: str = PRACTICE,
        name: str | None = None,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> Deployment:
        """Goes on with a canister of one's own, or adopts it; raises as `recovery.recover` does."""
        return recovery.recover(
            self._workspace, canister_id, network=network, name=name, on_progress=on_progress, cancel=cancel
        )

    def restore_from_phrase(
        self,
        phrase: str,
        password: str,
        canister_ids: Sequence[str],
        *,
        network: str = PRACTICE,
        on_progress: ProgressCallback,
        cancel: Cancel,
    ) -> None:
        """On a new computer: a vault of the phrase, which is known to be written down, and the canisters' models.

        A second time it goes on where it stopped. Raises FormatError, PhraseError, and as `recover` does.
        """
        wanted = [Principal.from_text(canister_id) for canister_id in canister_ids]
        if not self._workspace.has_vault:
            self._workspace.create_vault(phrase, password)
            words = self._workspace.vault.reveal_phrase().split()
            self._workspace.vault.confirm_phrase(dict(enumerate(words, 1)))
        for canister_id in wanted:
            self.recover(canister_id, network=network, on_progress=on_progress, cancel=cancel)

    def _recovery_sheet(self, *, with_phrase: bool) -> Sheet:
        vault = self._workspace.vault
        return Sheet(
            made_on=datetime.now(UTC).strftime("%d %B %Y").lstrip("0"),
            phrase=vault.reveal_phrase() if with_phrase else None,
            identities=vault.identities,
            deployments=self._workspace.deployments(),
        )

    def _profile(self, files: ExitStack) -> Profile:
        """What is opened for it is closed with `files`."""
        opened = self._workspace
        payments = files.enter_context(closing(PaymentJournal(opened.paths.payments)))
        burn = files.enter_context(closing(BurnHistory(opened.paths.burn)))
        return Profile(opened.paths, opened.vault, opened.conversations, opened.journal, payments, burn, opened.library)
