"""Trying the program out: one call from an empty home folder to a model that answers; kept or thrown away later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.common.locks import holding
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment
from personal_ai.identities.errors import KeyringUnavailableError
from personal_ai.models.library import starter

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace

_KEYRING_TIMEOUT_S = 5.0  # one that must ask somebody first is none to try things out with


class Trial:
    """A profile that somebody begins with nothing but a wish to see it.

    Where the system has a keyring, that has the key, and the profile is one like any other. Else the key is in this
    program's memory alone: `under_way` until a password is chosen (`VaultDoor.change_password`), which makes it a
    profile like any other at one stroke, for it lies where it belongs from the beginning.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._mine = ExitStack()

    @property
    def under_way(self) -> bool:
        """Whether everything is lost when the program ends."""
        return self._workspace.door.on_trial

    def begin(self, on_progress: ProgressCallback, cancel: Cancel) -> Deployment:
        """Takes the starter model into a canister on the practice network; a second call goes on with the first.

        Raises BadInputError where something of an earlier profile lies in the home folder, and as `Workspace.deploy`.
        """
        opened = self._workspace
        if not opened.has_vault:
            _refuse_leftovers(opened.paths)
            self._mine.enter_context(_alone(opened.paths))
            try:
                opened.door.create_with_keyring(opened.new_phrase(), timeout_s=_KEYRING_TIMEOUT_S)
            except KeyringUnavailableError:
                opened.door.create_for_trial(opened.new_phrase())
        begun = next(iter(opened.deployments()), None)
        return opened.deploy(starter().name, resume=begun.id if begun else None, on_progress=on_progress, cancel=cancel)

    def leave(self) -> None:
        """Another program may clear it away."""
        self._mine.close()

    def throw_away(self) -> None:
        """Takes away what was tried out, under way or left behind by a program that ended. The library stays.

        The workspace is closed by it. Raises BadInputError for a profile that can still be opened, StorageError, and
        what stopping the network raises.
        """
        opened = self._workspace
        if not (opened.door.on_trial or opened.door.trial_is_over):
            raise BadInputError("This profile is no trial: it is not thrown away.", not_lost="It is unchanged.")
        opened.close()
        with _alone(opened.paths), storage_errors("throw the trial away"):
            opened.practice_network.stop()
            for path in _own_files(opened.paths):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()


@contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Whoever tries things out holds the file, so that no other program takes the trial for one that is over."""
    paths.home.mkdir(parents=True, exist_ok=True)
    with holding(paths.home / "trial.lock") as held:
        if not held:
            raise BadInputError(
                "Somebody is trying things out in another window.", next_step="Go on there, or close that window."
            )
        yield


def _refuse_leftovers(paths: Paths) -> None:
    """Another vault's conversations open with that vault only, and are not to be thrown away with this one."""
    if left := _own_files(paths):
        raise BadInputError(
            f"There is something of an earlier profile in {paths.home}: {left[0].name}.",
            not_lost="It is unchanged.",
            next_step="Bring that profile back with its backup or its words, or move its files away.",
        )


def _own_files(paths: Paths) -> list[Path]:
    """What belongs to one vault; the vault last, which says that the rest may go."""
    files = [paths.journal, paths.payments, paths.burn, paths.conversations]
    with_copies = [f"{file.name}*" for file in files] + [f"{paths.conversations.stem}-before-*"]
    vault = [f"{paths.vault.name}.*", paths.vault.name]
    return [
        path
        for name in (*with_copies, paths.practice_network.name, paths.setup.name, *vault)
        for path in paths.home.glob(name)
    ]
