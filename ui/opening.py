"""From the first page to an open vault: loading the core, the first run, unlocking."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.jobs import Progress
from ui.bridge import Bridge, Lane, Operation, Task
from ui.text import tr
from ui.widgets.basic import Button
from ui.widgets.form import FormPage, buttons
from ui.widgets.notice import Problem

if TYPE_CHECKING:
    from personal_ai.deployments.journal import Deployment
    from ui.core import Core
    from ui.pages.trial import TrialPage
    from ui.pages.unlock import UnlockPage
    from ui.pages.welcome import WelcomePage
    from ui.widgets.form_dialog import FormDialog

Result = TypeVar("Result")


class Opening(QObject):
    """Shows its pages through `show`, which gives up the page before. `opened` follows once the vault is open.

    `tried` carries the deployment that somebody has just begun to try out; `opened` does not follow it.
    """

    opened = Signal()
    tried = Signal(object)

    def __init__(
        self, open_core: Callable[[], Core], bridge: Bridge, show: Callable[[QWidget], None], parent: QObject
    ) -> None:
        super().__init__(parent)
        self.core: Core | None = None
        self._open_core = open_core
        self._bridge = bridge
        self._show = show
        self._unlock_page: UnlockPage | None = None
        self._loading = False
        self._trial: Operation[Deployment] | None = None

    def begin(self, *, has_vault: bool) -> None:
        """The first page is there at once; `load` follows once it is drawn, so as not to hold it up."""
        self._loading = False
        if has_vault:
            self.unlock()
        else:
            self._welcome()

    # The core

    def load(self) -> None:
        """On the desk, where everything asked of the core waits its turn."""
        if self._loading:
            return
        self._loading = True
        loading = self._bridge.run(self._load_core).on_failure(self._cannot_load)
        if (page := self._unlock_page) is not None:
            loading.on_success(lambda _: self._ask_how(page, page.keyring_chosen.emit))

    def _load_core(self, _: Task) -> None:
        self.core = self._open_core()

    def _cannot_load(self, error: UserFacingError) -> None:
        locked = self._unlock_page is not None

        def again() -> None:
            self.begin(has_vault=locked)
            self.load()

        self.cannot_open(error, again)

    def ask(self, act: Callable[[Core], Result]) -> Operation[Result]:
        """Has the core do something; given up without a word where the core did not load, which has its own page."""
        return self.ask_long(lambda core, _: act(core))

    def ask_long(self, act: Callable[[Core, Task], Result], lane: Lane = Lane.DESK) -> Operation[Result]:
        """Has the core do something that reports its progress and can be stopped."""

        def work(task: Task) -> Result:
            if self.core is None:
                raise Cancelled
            return act(self.core, task)

        self.load()
        return self._bridge.run(work, lane=lane)

    def close(self) -> None:
        """Once the lanes are done. A trial that was not kept opens nowhere any more, and is not left behind."""
        if self.core is None:
            return
        if self.core.trial.under_way:
            with suppress(UserFacingError):  # what is left of it is told and cleared away at the next start
                self.core.trial.throw_away()
        else:
            self.core.close()

    def cannot_open(self, error: UserFacingError, again: Callable[[], object]) -> None:
        page = FormPage()
        page.column.addWidget(Problem(error))
        go = Button(tr("Try again"), "primary", on_click=again)
        page.column.addLayout(buttons(go))
        self._turn_to(page)
        go.setFocus()

    def _turn_to(self, page: QWidget) -> None:
        self._unlock_page = None
        self._show(page)

    # The first run

    def _welcome(self) -> WelcomePage:
        from ui.pages.welcome import WelcomePage  # noqa: PLC0415 - only one of the first pages is needed

        page = WelcomePage()

        def create(phrase: str, password: str) -> None:
            page.set_busy(True)
            self.ask(lambda core: _create(core, phrase, password)).owned_by(page).on_success(
                lambda _: self._check_words(page)
            ).on_failure(page.show_problem).on_end(lambda: page.set_busy(False))

        def check(typed: dict[int, str]) -> None:
            page.set_busy(True)
            self.ask(lambda core: core.vault.confirm_phrase(typed)).owned_by(page).on_success(
                lambda _: self._enter(page)
            ).on_failure(page.show_problem).on_end(lambda: page.set_busy(False))

        page.trial_wanted.connect(self._try_out)
        page.started.connect(lambda: self.ask(lambda core: core.new_phrase()).on_success(page.show_phrase))
        page.chosen.connect(create)
        page.typed.connect(check)
        page.left.connect(lambda: self._enter(page))
        page.backup_wanted.connect(lambda: self._return_by_backup(page))
        page.words_wanted.connect(lambda: self._return_by_words(page))
        self._turn_to(page)
        page.take_focus()
        return page

    def _check_words(self, page: WelcomePage) -> None:
        page.forget()
        self.ask(lambda core: core.vault.places_to_verify()).on_success(page.ask_words).on_failure(page.show_problem)

    def _return_by_backup(self, page: WelcomePage) -> None:
        from ui.widgets.return_dialogs import backup_dialog  # noqa: PLC0415 - seldom needed

        def restore(source: Path, password: str, new_password: str) -> Operation[object]:
            return self.ask_long(
                lambda core, task: core.safekeeping.restore_backup(
                    source, password, new_password=new_password, on_progress=task.tell, cancel=task.cancel
                )
            )

        self._open_return(page, backup_dialog(page, restore))

    def _return_by_words(self, page: WelcomePage) -> None:
        from ui.widgets.return_dialogs import words_dialog  # noqa: PLC0415 - seldom needed

        def restore(phrase: str, canisters: Sequence[str], password: str) -> Operation[object]:
            return self.ask_long(
                lambda core, task: core.safekeeping.restore_from_phrase(
                    phrase, password, canisters, on_progress=task.tell, cancel=task.cancel
                )
            )

        self._open_return(page, words_dialog(page, restore))

    def _open_return(self, page: WelcomePage, dialog: FormDialog) -> None:
        """What was begun and left has its vault already: it is gone on with from the pages."""
        dialog.accepted.connect(lambda: self._enter(page))
        dialog.rejected.connect(
            lambda: self.ask(lambda core: core.has_vault).on_success(lambda begun: self._enter(page) if begun else None)
        )
        dialog.open()

    # Trying it out

    def _try_out(self) -> None:
        from ui.pages.trial import TrialPage  # noqa: PLC0415 - not every start needs it

        page = TrialPage()
        page.again.connect(lambda: self._begin_trial(page))
        page.left.connect(lambda: self._leave_trial(page))
        page.gone_without.connect(self.opened)
        self._turn_to(page)
        self._begin_trial(page)

    def _begin_trial(self, page: TrialPage) -> None:
        def end(deployment: Deployment) -> None:
            self._trial = None  # what is now read for the pages is not to be thrown away any more
            self.tried.emit(deployment)

        page.begin()
        self._trial = self.ask_long(lambda core, task: core.trial.begin(task.tell, task.cancel), Lane.DEPLOY)
        self._trial.owned_by(page)  # whoever has left the page is not taken anywhere any more
        self._trial.on(Progress, page.report).on_success(end)
        self._trial.on_failure(lambda error: self._tell_trial_failed(page, error))
        self._trial.on_cancelled(self._drop_trial)

    def _tell_trial_failed(self, page: TrialPage, error: UserFacingError) -> None:
        self.ask(lambda core: core.has_vault).owned_by(page).on_success(
            lambda usable: page.show_problem(error, usable=usable)
        )

    def _leave_trial(self, page: TrialPage) -> None:
        if self._trial is None:
            return
        if self._trial.running:
            page.show_stopping()
            self._trial.cancel()
        else:
            self._drop_trial()

    def _drop_trial(self) -> None:
        """Where a keyring has the key it is no longer a trial, and there is a profile to go on with."""

        def drop(there: bool) -> None:
            if there:
                self.opened.emit()
            else:
                self._clear_trial_away("")

        self.ask(lambda core: core.has_vault and not core.trial.under_way).on_success(drop)

    def _clear_trial_away(self, news: str) -> None:
        """What was begun and is not wanted, or was left by a program that ended; then the first page."""

        def work(core: Core, _: Task) -> None:
            if core.has_vault:
                core.trial.throw_away()
                self.core = self._open_core()

        def show_welcome(_: None) -> None:
            page = self._welcome()
            if news:
                page.tell(news)

        self.ask_long(work).on_success(show_welcome).on_failure(
            lambda error: self.cannot_open(error, lambda: self._clear_trial_away(news))
        )

    # Unlocking

    def unlock(self) -> None:
        from ui.pages.unlock import UnlockPage  # noqa: PLC0415 - only one of the first pages is needed

        page = UnlockPage()

        def unlock(act: Callable[[Core], None]) -> None:
            page.set_busy(True)
            self.ask(lambda core: _unlock(core, act)).owned_by(page).on_success(
                lambda words_due: self._go_on(page, words_due)
            ).on_failure(page.show_problem).on_end(lambda: page.set_busy(False))

        page.chosen.connect(lambda password: unlock(lambda core: core.unlock(password)))
        page.keyring_chosen.connect(lambda: unlock(lambda core: core.door.unlock_with_keyring()))
        self._turn_to(page)
        self._unlock_page = page
        page.first.setFocus()
        if self.core is not None:  # it was open before: only a click opens it again
            self._ask_how(page, lambda: None)

    def _ask_how(self, page: UnlockPage, by_keyring: Callable[[], object]) -> None:
        """Finds out whether a password is needed; where it is not, the field goes and `by_keyring` follows."""

        def take(found: tuple[bool, bool]) -> None:
            over, wants_password = found
            if over:
                self._clear_trial_away(tr("What you tried out here before was not kept, and is gone."))
            elif not wants_password:
                page.use_keyring()
                by_keyring()

        self.ask(lambda core: (core.door.trial_is_over, core.door.wants_password)).owned_by(page).on_success(
            take
        ).on_failure(page.show_problem)

    def _go_on(self, page: UnlockPage, words_due: Sequence[int]) -> None:
        """The first run is taken up again where it was left."""
        if words_due:
            page.forget()
            self._welcome().ask_words(words_due)
        else:
            self._enter(page)

    def _enter(self, page: WelcomePage | UnlockPage) -> None:
        """The vault is open: the secrets that were typed are let go."""
        page.forget()
        self.opened.emit()


def _unlock(core: Core, act: Callable[[Core], None]) -> Sequence[int]:
    """Which of the recovery words are still to be typed again."""
    act(core)
    return core.setup.words_due()


def _create(core: Core, phrase: str, password: str) -> None:
    """A vault, and an AI to be set up in it."""
    from personal_ai.app.setup import Choices  # noqa: PLC0415 - the core is there by now

    core.create_vault(phrase, password)
    core.setup.choose(Choices())
