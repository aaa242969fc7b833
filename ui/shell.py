"""The rail and the pages of an opened profile; both side columns fold away in a narrow window."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QStackedWidget, QWidget

from personal_ai.common.errors import UserFacingError
from personal_ai.common.paths import Paths
from personal_ai.deployments.journal import Deployment
from ui.herald import Herald
from ui.pages.activity import ActivityPage
from ui.pages.ais import AisPage
from ui.pages.chat import ChatPage
from ui.pages.identities import IdentitiesPage
from ui.pages.models import ModelsPage
from ui.pages.settings import SettingsPage
from ui.pages.setup import SetupPage
from ui.pages.wallet import WalletPage
from ui.profile import Profile
from ui.shortcuts import add_shortcuts
from ui.text import tr
from ui.theme import Appearance, theme
from ui.theme.tokens import NARROW_BELOW, SPACE_M, SPACE_S, SPACE_XL
from ui.widgets.basic import Button, column, row
from ui.widgets.notice import Problem
from ui.widgets.rail import Page, Rail
from ui.widgets.settings_dialogs import ShortcutsDialog
from ui.widgets.toast import Toast
from ui.widgets.trial_bar import TrialBar
from ui.widgets.trial_dialogs import KeepDialog

if TYPE_CHECKING:
    from personal_ai.app.activity import Entry

P = TypeVar("P", bound=QWidget)


class Shell(QWidget):
    """`appearance_chosen` carries the user's choice of look."""

    appearance_chosen = Signal(Appearance)
    lock_wanted = Signal()
    keep_wanted = Signal()

    def __init__(self, profile: Profile, paths: Paths) -> None:
        super().__init__()
        self._profile = profile
        self._paths = paths
        self._narrow = False
        self.page = Page.CHAT
        self._set_up: str | None = None  # the deployment that was agreed to step by step and is on its way
        self.setProperty("kind", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.toast = Toast(self)
        self.rail = Rail()
        self.chat = ChatPage(profile, self.toast)
        self.herald = Herald(profile, self.toast, paths.settings, self)
        self._pages = QStackedWidget()
        self._menu = Button(tr("Menu"), "quiet", icon="menu", on_click=lambda: self.toggle(self.rail))
        self._chats = Button(tr("Chats"), "quiet", icon="list", on_click=lambda: self.toggle(self.chat.list))
        self._bar = self._top_bar()
        self._trial = TrialBar()
        self._problems = column(margins=(SPACE_XL, 0, SPACE_XL, 0), spacing=SPACE_S)
        self._arrange()
        self._connect()
        add_shortcuts(self)
        self.show_page(Page.CHAT)
        self._refresh()

    def _arrange(self) -> None:
        self._pages.addWidget(self.chat)
        right = column()
        right.addWidget(self._bar)
        right.addWidget(self._trial)
        right.addLayout(self._problems)
        right.addWidget(self._pages, 1)
        layout = row(self)
        layout.addWidget(self.rail)
        layout.addLayout(right, 1)
        self.toast.raise_()

    def _connect(self) -> None:
        self._profile.changed.connect(self._refresh)
        self.rail.chosen.connect(self.show_page)
        self.rail.lock_wanted.connect(self.lock_wanted)
        self._trial.keep_wanted.connect(self.keep_wanted)
        self.chat.deploy_wanted.connect(lambda: self.show_page(Page.AIS))
        self.chat.list.selected.connect(lambda _: self._fold_away())

    def _top_bar(self) -> QFrame:
        bar = QFrame()
        layout = row(bar, margins=(SPACE_M, SPACE_S, SPACE_M, 0), spacing=SPACE_S)
        layout.addWidget(self._menu)
        layout.addWidget(self._chats)
        layout.addStretch()
        return bar

    # The pages but the first are made when they are first visited

    @cached_property
    def ais(self) -> AisPage:
        page = self._added(AisPage(self._profile, self.toast))
        page.chat_wanted.connect(self.new_chat)
        page.wallet_wanted.connect(lambda: self.show_page(Page.WALLET))
        page.deployed.connect(self._tell_deployed)
        page.failed.connect(
            lambda name: self._tell_elsewhere(tr("Deploying {name} stopped: see My AIs.").format(name=name))
        )
        page.setup_wanted.connect(self.set_up)
        return page

    @cached_property
    def models(self) -> ModelsPage:
        return self._added(ModelsPage(self._profile, self.toast))

    @cached_property
    def identities(self) -> IdentitiesPage:
        return self._added(IdentitiesPage(self._profile, self.toast))

    @cached_property
    def wallet(self) -> WalletPage:
        return self._added(WalletPage(self._profile, self.toast))

    @cached_property
    def activity(self) -> ActivityPage:
        page = self._added(ActivityPage(self._profile, self.toast, self.ais.works_on))
        page.resume_wanted.connect(self._resume)
        return page

    @cached_property
    def settings(self) -> SettingsPage:
        page = self._added(SettingsPage(self._profile, self._paths, theme().appearance, self.toast))
        page.appearance_chosen.connect(self.appearance_chosen)
        return page

    @cached_property
    def setup(self) -> SetupPage:
        page = self._added(SetupPage(self._profile))
        page.deploy_wanted.connect(self._deploy)
        page.models_wanted.connect(lambda: self.show_page(Page.MODELS))
        page.left.connect(lambda: self.show_page(Page.AIS))
        return page

    def _page(self, page: Page) -> QWidget:
        pages: dict[Page, Callable[[], QWidget]] = {
            Page.CHAT: lambda: self.chat,
            Page.AIS: lambda: self.ais,
            Page.MODELS: lambda: self.models,
            Page.IDENTITIES: lambda: self.identities,
            Page.WALLET: lambda: self.wallet,
            Page.ACTIVITY: lambda: self.activity,
            Page.SETTINGS: lambda: self.settings,
        }
        return pages[page]()

    def _added(self, page: P) -> P:
        self._pages.addWidget(page)
        return page

    def show_page(self, page: Page) -> None:
        self.page = page
        self.rail.show_page(page)
        self._pages.setCurrentWidget(self._page(page))
        self._chats.setVisible(page is Page.CHAT)
        if page is Page.CHAT:
            self.chat.composer.setFocus()
        else:
            self.rail.take_focus(page)
        self._fold_away()

    def show_left(self, page: str, chat: str) -> None:
        """The page of this name and the conversation of this id, where there are such."""
        if page in [one.value for one in Page]:  # an older or newer program may have kept another
            self.show_page(Page(page))
        if chat:
            self.chat.open(chat)

    def set_up(self, model: str = "") -> None:
        """Step by step; where it was left, or anew with a model that is there already."""
        self.show_page(Page.AIS)
        self._pages.setCurrentWidget(self.setup)
        self.setup.open(model or None)

    def _deploy(self, deployment: Deployment) -> None:
        """What was set up and agreed to is seen, paused and gone on with on the page of the AIs; then it is asked."""
        self._set_up = deployment.id
        self.show_page(Page.AIS)
        self.ais.resume(deployment)

    def new_chat(self, deployment: Deployment | None = None) -> None:
        self.show_page(Page.CHAT)
        self.chat.new_chat(deployment)

    def show_first_answer(self, deployment: Deployment) -> None:
        """Asks a first question for somebody who has just come."""
        self.new_chat(deployment)
        self.chat.send(tr("What is a canister?"))

    @property
    def on_trial(self) -> bool:
        """Whether everything goes with the program."""
        return self._profile.overview.on_trial

    def keep_trial(self) -> None:
        """Asks for what makes it a profile like any other."""
        dialog = KeepDialog(self.identities.keys, self)
        dialog.kept.connect(self._profile.refresh)
        dialog.finished.connect(lambda _: self.identities.refresh())
        dialog.open()

    def _resume(self, entry: Entry) -> None:
        """Goes on with what was begun with an AI, where its steps are seen."""
        self.show_page(Page.AIS)
        self.ais.go_on(entry)

    def _tell_deployed(self, deployment: Deployment) -> None:
        """Who has waited for the AI that they set up goes on to talk with it."""
        waited = self.ais.isVisible()
        if not (waited and self.isActiveWindow()):
            self.herald.tell_deployed(deployment)
        if waited and deployment.id == self._set_up:
            self._set_up = None
            # Only then do the pages know its canister.
            self._profile.refresh().on_end(lambda: self.new_chat(deployment))

    def _tell_elsewhere(self, text: str) -> None:
        """News of the page of the AIs, for somebody who is on another one."""
        if not self.ais.isVisible():
            self.toast.announce(text)

    def find_words(self) -> None:
        """In the chat at hand."""
        self.show_page(Page.CHAT)
        self.chat.finding.open()

    def find_on(self, step: int) -> None:
        """Of the words that are looked for in the chat at hand."""
        if self.page is not Page.CHAT:
            self.show_page(Page.CHAT)
        self.chat.finding.go_on(step)

    def find_chat(self) -> None:
        """Among all chats."""
        self.show_page(Page.CHAT)
        if self.chat.list.isHidden():
            self.toggle(self.chat.list)
        self.chat.list.take_search()

    def undo(self) -> None:
        """Takes back what the toast still offers to take back, else what was erased from the composer."""
        if not self.toast.undo():
            self.chat.composer.undo()

    def show_shortcuts(self) -> None:
        ShortcutsDialog(self).open()

    def show_problem(self, error: UserFacingError) -> None:
        """An error of no page's own, above the pages until it is closed."""
        problem = Problem(error, closable=True)
        self._problems.addWidget(problem)

    def set_width(self, width: int) -> None:
        """Folds the side columns away in a narrow window, and back."""
        self._narrow = width < NARROW_BELOW
        self._bar.setVisible(self._narrow)
        self.rail.setVisible(not self._narrow)
        self.chat.list.setVisible(not self._narrow)

    def toggle(self, side: QWidget) -> None:
        """Shows or hides one side column of a narrow window; one at a time."""
        shown = side.isHidden()
        self._fold_away()
        side.setVisible(shown)

    def _fold_away(self) -> None:
        if self._narrow:
            self.rail.hide()
            self.chat.list.hide()

    def _refresh(self) -> None:
        overview = self._profile.overview
        running = tr("Practice network · running")
        stopped = tr("Practice network · stopped")
        known = running if overview.network_running else stopped
        self.rail.set_network(known if overview.deployments else tr("No network yet"))
        newest = next(iter(overview.deployments), None)
        self.rail.set_identity(newest.name if newest else "")
        self._trial.setVisible(overview.on_trial)

    def prepare_to_close(self) -> None:
        """What was deleted is deleted for good; a reply under way stops and is kept. Dialogs go."""
        for dialog in self.findChildren(QDialog):
            dialog.reject()
        self.herald.rest()
        self.toast.settle()
        self.chat.prepare_to_close()
