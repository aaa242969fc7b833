"""Long work on the AIs: begun, followed, stopped and begun again, one piece at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.deployments.journal import Deployment
from ui.bridge import Lane, Operation, Task
from ui.core import Core
from ui.profile import Profile
from ui.text import tr

if TYPE_CHECKING:
    from personal_ai.ic.management_snapshots import Snapshot

T = TypeVar("T")


@dataclass(slots=True)
class Work:
    """Something long on one AI: it can be stopped, and begun again where it failed."""

    deployment: Deployment
    title: str
    start: Callable[[Task], Any]
    on_done: Callable[[Any], object]
    operation: Operation[Any] | None = None
    progress: Progress | None = None
    problem: UserFacingError | None = None

    @property
    def running(self) -> bool:
        return self.operation is not None


class AiWork(QObject):
    """`changed` follows the news of the work at hand; `ended` carries the deployment that was worked on.

    Each beginning is given what to do with what comes of it; it does nothing while something else is under way.
    """

    changed = Signal()
    ended = Signal(object)

    def __init__(self, profile: Profile, parent: QObject) -> None:
        super().__init__(parent)
        self._profile = profile
        self.current: Work | None = None

    def upgrade(self, deployment: Deployment, on_done: Callable[[bool], object]) -> None:
        self._begin(
            deployment,
            tr("Upgrading the engine of {name}").format(name=deployment.name),
            lambda task: self._core.upkeep.upgrade(deployment, task.tell, task.cancel),
            on_done,
        )

    def replace_model(self, deployment: Deployment, model: str, on_done: Callable[[Deployment], object]) -> None:
        self._begin(
            deployment,
            tr("Another model for {name}").format(name=deployment.name),
            lambda task: self._core.upkeep.replace(deployment, model, task.tell, task.cancel),
            on_done,
        )

    def restore_snapshot(
        self, deployment: Deployment, snapshot: Snapshot, on_done: Callable[[Deployment], object]
    ) -> None:
        self._begin(
            deployment,
            tr("{name} goes back to a snapshot").format(name=deployment.name),
            lambda task: self._core.snapshots.restore(deployment, snapshot.id.hex(), task.tell, task.cancel),
            on_done,
        )

    def download_snapshot(
        self, deployment: Deployment, snapshot: Snapshot, folder: Path, on_done: Callable[[Snapshot], object]
    ) -> None:
        self._begin(
            deployment,
            tr("Downloading a snapshot of {name}").format(name=deployment.name),
            lambda task: self._core.snapshots.download(deployment, snapshot.id.hex(), folder, task.tell, task.cancel),
            on_done,
        )

    def upload_snapshot(self, deployment: Deployment, folder: Path, on_done: Callable[[Snapshot], object]) -> None:
        self._begin(
            deployment,
            tr("Putting a snapshot of {name} back").format(name=deployment.name),
            lambda task: self._core.snapshots.upload(deployment, folder, task.tell, task.cancel),
            on_done,
        )

    def _begin(
        self,
        deployment: Deployment,
        title: str,
        start: Callable[[Task], T],
        on_done: Callable[[T], object],
    ) -> None:
        """Begins work on one AI; `on_done` is given what comes of it. One at a time, deployments included."""
        if self.busy:
            return
        self._run(Work(deployment, title, start, on_done))

    @property
    def busy(self) -> bool:
        """Whether something long is under way, on whichever AI."""
        return self._profile.bridge.runs(Lane.DEPLOY)

    def again(self) -> None:
        if self.current is not None and not self.busy:
            work = self.current
            self._run(Work(work.deployment, work.title, work.start, work.on_done))

    def stop(self) -> None:
        if self.current is not None and self.current.operation is not None:
            self.current.operation.cancel()

    def dismiss(self) -> None:
        """Work that failed is no longer shown."""
        if self.current is not None and not self.current.running:
            self.current = None
            self.changed.emit()

    def works_on(self, deployment: Deployment) -> bool:
        return self.current is not None and self.current.running and self.current.deployment.id == deployment.id

    def _run(self, work: Work) -> None:
        self.current = work
        work.operation = self._profile.bridge.run(work.start, lane=Lane.DEPLOY)
        work.operation.on(Progress, lambda progress: self._report(work, progress))
        work.operation.on_success(lambda result: self._finish(work, result))
        work.operation.on_cancelled(lambda: self._drop(work))
        work.operation.on_failure(lambda error: self._fail(work, error))
        work.operation.on_end(lambda: self._end(work))
        self.changed.emit()

    def _report(self, work: Work, progress: Progress) -> None:
        work.progress = progress
        self.changed.emit()

    def _finish(self, work: Work, result: object) -> None:
        self._drop(work)
        work.on_done(result)

    def _drop(self, work: Work) -> None:
        work.operation = None
        self.current = None

    def _fail(self, work: Work, error: UserFacingError) -> None:
        work.operation, work.problem = None, error

    def _end(self, work: Work) -> None:
        self._profile.refresh()
        self.changed.emit()
        self.ended.emit(work.deployment)

    @property
    def _core(self) -> Core:
        return self._profile.core
