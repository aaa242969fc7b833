"""The models of one profile as a window works with them: listed, looked up, fetched, judged, measured and removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from personal_ai.app import advice
from personal_ai.app.model_summary import ModelSummary
from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Cancel, ProgressCallback
from personal_ai.deployments.fit import Fit
from personal_ai.models.catalogue import Entry, catalogue
from personal_ai.models.hub import endpoint as hub_choice
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.download import discard, unfinished
from personal_ai.models.hub.planning import HubModel, plan
from personal_ai.models.library import starter
from personal_ai.models.loss import bundled_prose, read_text
from personal_ai.models.manifest import name_from
from personal_ai.models.place import LibraryAwayError
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.speed import known_speed

if TYPE_CHECKING:
    from personal_ai.app.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is of models on this computer.

    damaged: why each package that cannot be opened cannot. removed: names that can still be brought back.
    unfinished: ids on the hub whose download goes on where it stood. away: the library is on a drive that is not here.
    speed_known: this computer was measured, so that a forecast takes no time.
    """

    models: Sequence[ModelSummary]
    bundled: str
    damaged: dict[str, UserFacingError]
    removed: Sequence[str]
    unfinished: Sequence[str]
    free_bytes: int | None
    away: UserFacingError | None
    keeps_token: bool
    speed_known: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A model of the hub, and what it would be like in each quantisation, before anything large is fetched."""

    model: HubModel
    fits: Sequence[Fit]


class ModelRoom:
    """Methods may take long: call them off a user interface's thread. They raise what the rooms behind them raise."""

    def __init__(self, workspace: Workspace, endpoint: str | None = None) -> None:
        """endpoint: of the hub; the one that was chosen where not given."""
        self._workspace = workspace
        self._endpoint = endpoint

    def listing(self) -> Listing:
        workspace, library = self._workspace, self._workspace.library
        away: UserFacingError | None = None
        free_bytes = None
        try:
            free_bytes = library.free_bytes
        except LibraryAwayError as error:
            away = error
        return Listing(
            models=workspace.models(),
            bundled=starter().name,
            damaged=dict(library.damaged()),
            removed=library.removed(),
            unfinished=unfinished(workspace.paths.downloads),
            free_bytes=free_bytes,
            away=away,
            keeps_token=workspace.vault.notes.hub_token is not None,
            speed_known=known_speed(workspace.speed_file) is not None,
        )

    def catalogue(self) -> Sequence[Entry]:
        """Models that are known to fit; nothing is fetched."""
        return catalogue(self._workspace.paths.catalogue)

    # From the hub

    def look_up(self, wanted: str, *, on_progress: ProgressCallback, cancel: Cancel) -> Offer:
        """What fetching `owner/name[@revision]` would mean. Measures this computer if that was never done."""
        with self._hub() as hub:
            model = plan(hub, wanted, cancel)
        return Offer(model, advice.fit_of_hub(self._workspace, model, on_progress, cancel))

    def fetch(
        self, wanted: str, quantisation: Quantisation, *, on_progress: ProgressCallback, cancel: Cancel
    ) -> ModelSummary:
        """Fetches `owner/name@commit` into the library; after a cancel or a kill the same call goes on."""
        with self._hub() as hub:
            model = plan(hub, wanted, cancel)
            return self._workspace.import_from_hub(
                hub,
                model,
                name=self._free_name(model.id.partition("/")[2], quantisation),
                quantisation=quantisation,
                measure=True,
                on_progress=on_progress,
                cancel=cancel,
            )

    def discard(self, model_id: str) -> None:
        """Deletes what an unfinished download has left."""
        discard(model_id, self._workspace.paths.downloads)

    def keep_token(self, token: str | None) -> None:
        """The hub's access token, in the vault; None forgets it."""
        self._workspace.vault.change_notes(lambda notes: notes.with_hub_token(token))

    @property
    def hub_address(self) -> str:
        """Where models are looked up."""
        return self._endpoint or hub_choice.endpoint(self._workspace.paths.settings)

    def use_hub(self, address: str | None) -> None:
        """Another hub from now on; None goes back to the usual one. Raises BadInputError."""
        hub_choice.choose_endpoint(self._workspace.paths.settings, address)

    @contextmanager
    def _hub(self) -> Iterator[Hub]:
        notes = self._workspace.vault.notes
        with Hub(self.hub_address, proxy=notes.proxy, token=lambda: notes.hub_token) as hub:
            yield hub

    # On this computer

    def take(
        self, source: Path, quantisation: Quantisation, *, on_progress: ProgressCallback, cancel: Cancel
    ) -> ModelSummary:
        """Imports a folder or a file; a cancel leaves nothing."""
        return self._workspace.import_model(
            source,
            name=self._free_name(source.stem if source.is_file() else source.name, quantisation),
            quantisation=quantisation,
            measure=True,
            on_progress=on_progress,
            cancel=cancel,
        )

    def _free_name(self, label: str, quantisation: Quantisation) -> str:
        """The same model may be there in another quantisation."""
        name = name_from(label)
        return f"{name[:58]}-{quantisation}" if name in self._workspace.library else name

    def fit(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> Sequence[Fit]:
        """What a model of the library is like here and would be in a canister."""
        return advice.fit_of_library(self._workspace, name, on_progress, cancel)

    def perplexity(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> float:
        """How well a model foretells the prose that comes with the program."""
        package = self._workspace.model(name)
        return read_text(package, bundled_prose(), on_progress=on_progress, cancel=cancel).perplexity

    def verify(self, name: str, *, on_progress: ProgressCallback, cancel: Cancel) -> None:
        """Reads every file. Raises DamagedFileError."""
        self._workspace.model(name).verify(on_progress, cancel)

    def remove(self, name: str) -> None:
        """Can be undone with `restore` until the program ends."""
        self._workspace.library.remove(name)

    def restore(self, name: str) -> None:
        self._workspace.library.restore(name)
