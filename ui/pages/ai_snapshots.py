"""The snapshots of one AI: listed, taken, gone back to, downloaded, put back from a folder and deleted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from personal_ai.common.errors import NetworkUnreachableError, UserFacingError
from personal_ai.deployments.journal import Deployment
from ui.ai_desk import AiDesk
from ui.text import tr
from ui.widgets import ai_dialogs
from ui.widgets.question import ask
from ui.widgets.snapshots import SnapshotsCard
from ui.widgets.toast import Toast

if TYPE_CHECKING:
    from personal_ai.app.snapshots import SnapshotPrice
    from personal_ai.ic.management_snapshots import Snapshot


class AiSnapshots(SnapshotsCard):
    """Asks before it changes anything; what takes long is the desk's work, which the page shows."""

    def __init__(self, desk: AiDesk, toast: Toast, deployment: Deployment) -> None:
        super().__init__()
        self._desk = desk
        self._toast = toast
        self.deployment = deployment
        self.take_wanted.connect(self._take_snapshot)
        self.upload_wanted.connect(self._upload)
        self.restore_wanted.connect(self._restore)
        self.download_wanted.connect(self._download)
        self.delete_wanted.connect(self._forget)

    def read(self) -> None:
        reading = self._desk.read_snapshots(self.deployment)
        reading.on_success(self._show_snapshots).on_failure(self._leave_snapshots)

    def _show_snapshots(self, found: tuple[list[Snapshot], SnapshotPrice]) -> None:
        self.show_kept(*found, busy=self._desk.work.busy)

    def _leave_snapshots(self, error: UserFacingError) -> None:
        """That it cannot be reached is said above all; anything else belongs here."""
        if not isinstance(error, NetworkUnreachableError):
            self.show_problem(error)

    def _take_snapshot(self) -> None:
        self.show_busy()
        taking = self._desk.take_snapshot(self.deployment)
        taking.on_success(self._tell_taken).on_failure(self._fail_snapshot)

    def _tell_taken(self, _: Snapshot) -> None:
        self._toast.tell(tr("The snapshot is taken."))
        self.read()

    def _fail_snapshot(self, error: UserFacingError) -> None:
        self.show_problem(error)
        self.set_busy(busy=self._desk.work.busy)

    def _restore(self, snapshot: Snapshot) -> None:
        ask(
            ai_dialogs.restore_question(self, self.deployment.name, snapshot),
            lambda: self._desk.work.restore_snapshot(self.deployment, snapshot, self._tell_restored),
        )

    def _tell_restored(self, deployment: Deployment) -> None:
        self._toast.tell(tr("{name} is as it was then.").format(name=deployment.name))

    def _download(self, snapshot: Snapshot) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("An empty folder for the snapshot")):
            self._desk.work.download_snapshot(self.deployment, snapshot, Path(path), self._tell_downloaded)

    def _tell_downloaded(self, _: Snapshot) -> None:
        self._toast.tell(tr("The snapshot is downloaded. It holds the model, and lies in the folder unencrypted."))

    def _upload(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("The folder of a downloaded snapshot")):
            self._desk.work.upload_snapshot(self.deployment, Path(path), self._tell_uploaded)

    def _tell_uploaded(self, _: Snapshot) -> None:
        self._toast.tell(tr("The snapshot is back beside the canister. You can now go back to it."))

    def _forget(self, snapshot: Snapshot) -> None:
        def forget() -> None:
            gone = self._desk.delete_snapshot(self.deployment, snapshot)
            gone.on_success(lambda _: self.read()).on_failure(self._fail_snapshot)

        ask(ai_dialogs.forget_snapshot_question(self, snapshot), forget)
