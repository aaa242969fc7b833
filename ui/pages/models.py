"""Models: the library, and every way for a model to come into it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QFileDialog

from personal_ai.common.errors import UserFacingError
from personal_ai.common.jobs import Progress
from personal_ai.models.hub.errors import HubAccessError
from ui.bridge import Operation
from ui.model_desk import ModelDesk
from ui.profile import Profile
from ui.text import DOT, count, progress_line, size, tr
from ui.theme.tokens import SPACE_L
from ui.widgets.basic import Button, clear, column, label
from ui.widgets.bring_card import BringCard
from ui.widgets.model_card import LineCard, ModelCard
from ui.widgets.notice import Problem
from ui.widgets.offer_card import OfferCard
from ui.widgets.scroll_page import ScrollPage
from ui.widgets.toast import Toast
from ui.widgets.work_card import WorkCard

if TYPE_CHECKING:
    from personal_ai.app.model_room import Listing, Offer
    from personal_ai.app.workspace import ModelSummary
    from personal_ai.deployments.fit import Fit
    from personal_ai.models.quantisation import Quantisation


class ModelsPage(ScrollPage):
    """One model at a time is on its way in, and one is looked up; each card asks for one thing at a time."""

    def __init__(self, profile: Profile, toast: Toast) -> None:
        super().__init__()
        self._profile = profile
        self._toast = toast
        self.desk = ModelDesk(profile, self)
        self._import: Operation[ModelSummary] | None = None
        self._looking: Operation[Offer] | None = None
        self.work: WorkCard | None = None
        self._cards: dict[str, ModelCard] = {}
        self.bring = BringCard()
        self._summary = label("", "small", wrap=True)
        self._arriving = column(spacing=SPACE_L)  # what is looked up or on its way
        self._lines = column(spacing=SPACE_L)  # what is not in use: away, damaged, removed, unfinished
        self._models = column(spacing=SPACE_L)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        layout = self.column
        layout.addWidget(label(tr("Models"), "heading1"))
        layout.addWidget(self._summary)
        layout.addLayout(self._arriving)
        layout.addWidget(self.bring)
        layout.addLayout(self._lines)
        layout.addLayout(self._models)

    def _connect(self) -> None:
        self.desk.listed.connect(self._show_listing)
        self.bring.look_up_wanted.connect(self.look_up)
        self.bring.folder_wanted.connect(self._choose_folder)
        self.bring.file_wanted.connect(self._choose_file)
        self.bring.catalogue_wanted.connect(lambda: self.desk.catalogue().on_success(self.bring.show_catalogue))
        self.bring.token_kept.connect(self._keep_token)

    def showEvent(self, event: QShowEvent) -> None:  # noqa: N802 - Qt's name
        super().showEvent(event)
        self.desk.refresh()

    # The library

    def _show_listing(self, listing: Listing) -> None:
        total = sum(model.size_bytes for model in listing.models)
        parts = [count(len(listing.models), tr("model"), tr("models")), size(total)]
        if listing.free_bytes is not None:
            parts.append(tr("{size} free on this disk").format(size=size(listing.free_bytes)))
        self._summary.setText(DOT.join(parts))
        self.bring.show_token(kept=listing.keeps_token)
        self._show_lines(listing)
        for name in {*self._cards} - {model.name for model in listing.models}:
            self._drop_card(name)
        for at, model in enumerate(listing.models):
            if model.name in self._cards and self._cards[model.name].model != model:
                self._drop_card(model.name)
            if model.name not in self._cards:
                self._cards[model.name] = self._card(model, bundled=model.name == listing.bundled)
                self._models.insertWidget(at, self._cards[model.name])
                if listing.speed_known and not model.embeds:
                    self._judge(self._cards[model.name])

    def _show_lines(self, listing: Listing) -> None:
        clear(self._lines)
        if listing.away:
            self._lines.addWidget(Problem(listing.away))
        for model_id in listing.unfinished:
            if self._import is None:
                go_on = Button(tr("Go on"), on_click=partial(self.look_up, model_id))
                discard = Button(tr("Discard"), "quiet", on_click=partial(self._discard, model_id))
                words = tr("{name} is not fetched completely.").format(name=model_id)
                self._lines.addWidget(LineCard(words, discard, go_on))
        for name, problem in listing.damaged.items():
            remove = Button(tr("Remove"), on_click=partial(self.remove, name))
            self._lines.addWidget(LineCard(problem.what, remove, tone="bad"))
        for name in listing.removed:
            back = Button(tr("Bring it back"), on_click=partial(self._restore, name))
            words = tr("{name} was removed. It is deleted for good when you quit.").format(name=name)
            self._lines.addWidget(LineCard(words, back))

    def card(self, name: str) -> ModelCard:
        """The card of a model that is listed."""
        return self._cards[name]

    def _drop_card(self, name: str) -> None:
        card = self._cards.pop(name)
        card.hide()
        card.deleteLater()

    def _card(self, model: ModelSummary, *, bundled: bool) -> ModelCard:
        card = ModelCard(model, bundled=bundled)
        card.fit_wanted.connect(
            lambda: self._ask(card, tr("Working it out…"), self.desk.fit(model.name).on_success(card.show_fits))
        )
        card.measure_wanted.connect(
            lambda: self._ask(
                card,
                tr("Measuring…"),
                self.desk.perplexity(model.name).on_success(lambda found: card.say(_perplexity(found))),
            )
        )
        card.verify_wanted.connect(
            lambda: self._ask(
                card,
                tr("Reading every file…"),
                self.desk.verify(model.name).on_success(
                    lambda _: card.say(tr("All files are as they were when the model was imported."))
                ),
            )
        )
        card.remove_wanted.connect(partial(self.remove, model.name))
        return card

    def _judge(self, card: ModelCard) -> None:
        """Shows how a model runs without being asked; what hinders it is told to whoever asks."""
        name = card.model.name

        def show(fits: Sequence[Fit]) -> None:
            if self._cards.get(name) is card:
                card.show_verdicts(fits[0])

        self.desk.fit(name).on_success(show).on_failure(lambda _: None)

    def _ask(self, card: ModelCard, words: str, operation: Operation[Any]) -> None:
        """Shows on the card that something is asked of its model, and what comes of it."""
        card.set_busy(words)
        card.stop_wanted.connect(operation.cancel)
        operation.owned_by(card).on(Progress, card.report).on_failure(card.show_problem)

        def end() -> None:
            card.stop_wanted.disconnect(operation.cancel)
            card.set_busy("")

        operation.on_end(end)

    def remove(self, name: str) -> None:
        """Out of the library; it can be brought back until the program ends."""
        card = self._cards.get(name)
        label_of = card.model.label or name if card else name
        self.desk.remove(name).on_success(
            lambda _: self._toast.offer(
                tr("Removed “{name}”").format(name=label_of), undo=lambda: self._restore(name), gone=lambda: None
            )
        )

    def _restore(self, name: str) -> None:
        self.desk.restore(name)

    # From the hub

    def look_up(self, wanted: str) -> None:
        """Shows what fetching it would mean."""
        if self._import or self._looking:
            self._toast.tell(_one_at_a_time())
            return
        clear(self._arriving)
        waiting = label(tr("Looking up {name}…").format(name=wanted), "muted", wrap=True)
        self._arriving.addWidget(waiting)
        self.bring.look_up.setEnabled(False)
        self._looking = self.desk.look_up(wanted)
        self._looking.on(Progress, lambda progress: waiting.setText(progress.step + DOT + progress_line(progress)))
        self._looking.on_success(self._show_offer).on_failure(self._show_problem).on_end(self._end_look_up)

    def _end_look_up(self) -> None:
        self._looking = None
        self.bring.look_up.setEnabled(True)

    def _show_offer(self, offer: Offer) -> None:
        clear(self._arriving)
        card = OfferCard(offer)
        card.closed.connect(lambda: clear(self._arriving))
        card.fetch_wanted.connect(self.fetch)
        self._arriving.addWidget(card)
        card.take_focus()
        self.ensureVisible(0, 0)

    def fetch(self, wanted: str, quantisation: Quantisation) -> None:
        title = tr("Fetching {name}").format(name=wanted.partition("@")[0])
        self._begin(title, lambda: self.desk.fetch(wanted, quantisation), pausable=True)

    def _discard(self, model_id: str) -> None:
        self.desk.discard(model_id)

    def _keep_token(self, token: str) -> None:
        self.desk.keep_token(token or None).on_success(
            lambda _: self._toast.tell(tr("The vault keeps the token") if token else tr("The token is forgotten"))
        )

    # From this computer

    def _choose_folder(self) -> None:
        if path := QFileDialog.getExistingDirectory(self, tr("Folder with a model")):
            self.take(Path(path))

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, tr("File with a model"), "", tr("Models (*.gguf *.onnx)"))
        if path:
            self.take(Path(path))

    def take(self, source: Path) -> None:
        """Imports a folder or a file."""
        quantisation = cast("Quantisation", self.bring.quantisation.currentData())
        title = tr("Importing {name}").format(name=source.name)
        self._begin(title, lambda: self.desk.take(source, quantisation), pausable=False)

    # On its way

    def _begin(self, title: str, start: Callable[[], Operation[ModelSummary]], *, pausable: bool) -> None:
        if self._import or self._looking:
            self._toast.tell(_one_at_a_time())
            return
        clear(self._arriving)
        self.work = work = WorkCard(title, pausable=pausable)
        self._arriving.addWidget(work)
        self._import = operation = start()
        work.stop_wanted.connect(operation.cancel)
        work.again_wanted.connect(lambda: self._begin(title, start, pausable=pausable))
        work.closed.connect(lambda: clear(self._arriving))
        operation.on(Progress, work.report).on_success(self._welcome).on_failure(work.show_problem)
        operation.on_cancelled(lambda: clear(self._arriving)).on_end(self._end_import)
        self.desk.refresh()
        work.take_focus()
        self.ensureVisible(0, 0)

    def _welcome(self, model: ModelSummary) -> None:
        clear(self._arriving)
        self._toast.tell(tr("{name} is in your library").format(name=model.label or model.name))

    def _end_import(self) -> None:
        self._import = None
        self.desk.refresh()
        self._profile.refresh()

    def _show_problem(self, error: UserFacingError) -> None:
        clear(self._arriving)
        self._arriving.addWidget(Problem(error, closable=True))
        if isinstance(error, HubAccessError):
            self.bring.ask_for_token()


def _one_at_a_time() -> str:
    return tr("One model at a time: another is on its way in.")


def _perplexity(found: float) -> str:
    return tr(
        "Perplexity {number} on a page of everyday prose: as unsure of each next word as of that many equally likely "
        "ones. Lower is better, and only models with the same words can be compared."
    ).format(number=f"{found:.1f}")
