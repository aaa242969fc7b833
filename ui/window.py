"""The window: opening, first run or unlocking, then the pages beside the rail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QPaintEvent, QResizeEvent, QShortcut
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.paths import Paths
from ui.bridge import Bridge, Lane, Operation, Task
from ui.pages.unlock import UnlockPage
from ui.pages.welcome import WelcomePage
from ui.preferences import load_appearance, save_appearance
from ui.presence import Presence
from ui.text import tr
from ui.theme import Appearance, theme
from ui.widgets.basic import Button
from ui.widgets.focus_ring import FocusRing
from ui.widgets.form import FormPage, buttons
from ui.widgets.notice import Problem
from ui.widgets.rail import Page

if TYPE_CHECKING:
    from ui.core import Core, Overview
    from ui.shell import Shell
    from ui.widgets.crash_dialog import CrashDialog
    from ui.widgets.form_dialog import FormDialog

Result = TypeVar("Result")

_SIZE = (1180, 760)
_SIZE_MIN = (520, 480)
_CLOSING_S_MAX = 10.0
_IDLE_LOOK_MS = 5000


class Window(QMainWindow):
    """`closed` follows when the last work is done and the core is closed."""

    closed = Signal()

    def __init__(self, open_core: Callable[[], Core], paths: Paths) -> None:
        super().__init__()
        self._paths = paths
        self._core: Core | None = None
        self._closing = False
        self._crash: CrashDialog | None = None
        self.shell: Shell | None = None
        theme().choose(load_appearance(paths.settings))
        self.setWindowTitle(tr("Personal AI"))
        self.setMinimumSize(*_SIZE_MIN)
        self.resize(*_SIZE)
        self._stack = QStackedWidget()
        self.setCentralWidget(self._stack)
        self._ring = FocusRing(self)
        self.bridge = Bridge(self)
        self.bridge.failed.connect(self.show_problem)
        self.bridge.crashed.connect(self.show_crash)
        self._add_shortcuts()
        self._open_core = open_core
        self._presence = Presence(self)
        self._watch = QTimer(self, interval=_IDLE_LOOK_MS)
        self._watch.timeout.connect(self._look_idle)
        self._locking = False
        self._begin()

    # Opening

    def _begin(self) -> None:
        """The first page is there at once; the core loads once it is drawn, so as not to hold it up."""
        self._loading = False
        if self._paths.vault.exists():
            self._unlock()
        else:
            self._welcome()
        if self.isVisible():
            self._load()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        super().paintEvent(event)
        if not self._loading:
            QTimer.singleShot(0, self, self._load)

    def _load(self) -> None:
        """On the desk, where everything asked of the core waits its turn."""
        if self._loading:
            return
        self._loading = True
        loading = self.bridge.run(self._load_core).on_failure(lambda error: self._cannot_open(error, self._begin))
        page = self._stack.currentWidget()
        if isinstance(page, UnlockPage):
            loading.on_success(lambda _: self._ask_how(page, page.keyring_chosen.emit))

    def _load_core(self, _: Task) -> None:
        self._core = self._open_core()

    def _ask(self, act: Callable[[Core], Result]) -> Operation[Result]:
        """Has the core do something; given up without a word where the core did not load, which has its own page."""
        return self._ask_long(lambda core, _: act(core))

    def _ask_long(self, act: Callable[[Core, Task], Result]) -> Operation[Result]:
        """Has the core do something that reports its progress and can be stopped."""

        def work(task: Task) -> Result:
            if self._core is None:
                raise Cancelled
            return act(self._core, task)

        self._load()
        return self.bridge.run(work)

    def _cannot_open(self, error: UserFacingError, again: Callable[[], object]) -> None:
        page = FormPage()
        page.column.addWidget(Problem(error))
        go = Button(tr("Try again"), "primary", on_click=again)
        page.column.addLayout(buttons(go))
        self._show(page)
        go.setFocus()

    def _welcome(self) -> None:
        page = WelcomePage()

        def create(phrase: str, password: str) -> None:
            page.set_busy(True)
            self._ask(lambda core: core.create_vault(phrase, password)).owned_by(page).on_success(
                lambda _: self._check_words(page)
            ).on_failure(page.show_problem).on_end(lambda: page.set_busy(False))

        def check(typed: dict[int, str]) -> None:
            page.set_busy(True)
            self._ask(lambda core: core.vault.confirm_phrase(typed)).owned_by(page).on_success(
                lambda _: self._enter(page)
            ).on_failure(page.show_problem).on_end(lambda: page.set_busy(False))

        page.started.connect(lambda: self._ask(lambda core: core.new_phrase()).on_success(page.show_phrase))
        page.chosen.connect(create)
        page.typed.connect(check)
        page.left.connect(lambda: self._enter(page))
        page.backup_wanted.connect(lambda: self._return_by_backup(page))
        page.words_wanted.connect(lambda: self._return_by_words(page))
        self._show(page)
        page.take_focus()

    def _check_words(self, page: WelcomePage) -> None:
        page.forget()
        self._ask(lambda core: core.vault.places_to_verify()).on_success(page.ask_words).on_failure(page.show_problem)

    def _return_by_backup(self, page: WelcomePage) -> None:
        from ui.widgets.return_dialogs import backup_dialog  # noqa: PLC0415 - seldom needed

        def restore(source: Path, password: str, new_password: str) -> Operation[object]:
            return self._ask_long(
                lambda core, task: core.safekeeping.restore_backup(
                    source, password, new_password=new_password, on_progress=task.tell, cancel=task.cancel
                )
            )

        self._open_return(page, backup_dialog(page, restore))

    def _return_by_words(self, page: WelcomePage) -> None:
        from ui.widgets.return_dialogs import words_dialog  # noqa: PLC0415 - seldom needed

        def restore(phrase: str, canisters: Sequence[str], password: str) -> Operation[object]:
            return self._ask_long(
                lambda core, task: core.safekeeping.restore_from_phrase(
                    phrase, password, canisters, on_progress=task.tell, cancel=task.cancel
                )
            )

        self._open_return(page, words_dialog(page, restore))

    def _open_return(self, page: WelcomePage, dialog: FormDialog) -> None:
        """What was begun and left has its vault already: it is gone on with from the pages."""
        dialog.accepted.connect(lambda: self._enter(page))
        dialog.rejected.connect(
            lambda: self._ask(lambda core: core.has_vault).on_success(
                lambda begun: self._enter(page) if begun else None
            )
        )
        dialog.open()

    def _unlock(self) -> UnlockPage:
        page = UnlockPage()

        def unlock(act: Callable[[Core], None]) -> None:
            page.set_busy(True)
            self._ask(act).owned_by(page).on_success(lambda _: self._enter(page)).on_failure(page.show_problem).on_end(
                lambda: page.set_busy(False)
            )

        page.chosen.connect(lambda password: unlock(lambda core: core.unlock(password)))
        page.keyring_chosen.connect(lambda: unlock(lambda core: core.door.unlock_with_keyring()))
        self._show(page)
        page.first.setFocus()
        return page

    def _ask_how(self, page: UnlockPage, by_keyring: Callable[[], object]) -> None:
        """Finds out whether a password is needed; where it is not, the field goes and `by_keyring` follows."""

        def take(wants_password: bool) -> None:
            if not wants_password:
                page.use_keyring()
                by_keyring()

        self._ask(lambda core: core.door.wants_password).owned_by(page).on_success(take).on_failure(page.show_problem)

    def _enter(self, page: WelcomePage | UnlockPage) -> None:
        """The vault is open: the secrets that were typed are let go, and the pages appear."""
        page.forget()
        self._read_overview()

    def _read_overview(self) -> None:
        self._ask(_overview).on_success(self._build_shell).on_failure(
            lambda error: self._cannot_open(error, self._read_overview)
        )

    def _build_shell(self, overview: Overview) -> None:
        from ui.profile import Profile  # noqa: PLC0415 - loaded by `_overview`, off this thread
        from ui.shell import Shell  # noqa: PLC0415

        assert self._core is not None
        profile = Profile(self._core, self.bridge, overview)
        self.shell = Shell(profile, self._paths)
        profile.setParent(self.shell)  # it goes with the pages
        self.shell.appearance_chosen.connect(self._choose_appearance)
        self.shell.lock_wanted.connect(self.lock)
        self._show(self.shell)
        self.shell.set_width(self.width())
        self.shell.chat.composer.setFocus()
        self._watch.start()

    # Locking

    def lock(self) -> None:
        """Forgets the keys. What is under way stops at its next safe place and is kept; then the pages go."""
        if self.shell is None or self._locking or self._closing:
            return
        self._locking = True
        self._watch.stop()
        self.shell.setEnabled(False)
        self.shell.prepare_to_close()
        self.shell.toast.tell(tr("Locking…"))
        self.bridge.cancel_long_work()
        self._lock_when_idle()

    def _lock_when_idle(self) -> None:
        if self.bridge.busy:
            self.bridge.idle.connect(self._lock_when_idle, Qt.ConnectionType.SingleShotConnection)
        elif self.shell is not None and not self._closing:
            self.bridge.run(lambda _: self._lock_core(), lane=Lane.CHAT).on_success(lambda _: self._locked())

    def _lock_core(self) -> None:
        """On the chat's lane, which alone uses the chat session."""
        assert self.shell is not None
        assert self._core is not None
        self.shell.chat.close_desk()
        self._core.lock()

    def _locked(self) -> None:
        self.shell = None
        self._locking = False
        page = self._unlock()
        self._ask_how(page, lambda: None)

    def _look_idle(self) -> None:
        """Somebody who types, points or waits for something uses the vault."""
        if self._presence.take() or self.bridge.long_work:
            self._ask(lambda core: core.door.use())
        else:
            self._ask(lambda core: core.door.idle).on_success(lambda idle: self.lock() if idle else None)

    def _show(self, page: QWidget) -> None:
        before = self._stack.currentWidget()
        self._stack.addWidget(page)
        self._stack.setCurrentWidget(page)
        if before is not None:
            self._stack.removeWidget(before)
            before.deleteLater()
        self._ring.raise_()

    # What pages ask of the window

    def _choose_appearance(self, appearance: Appearance) -> None:
        theme().choose(appearance)
        self.bridge.run(lambda _: save_appearance(self._paths.settings, appearance))

    def show_problem(self, error: UserFacingError) -> None:
        """An error that no page has a place for; before there are pages, every call has a place for its own."""
        if self.shell is not None:
            self.shell.show_problem(error)

    def show_crash(self, error: BaseException) -> None:
        """A bug. One dialog at a time: what breaks often breaks again at once."""
        from ui.report import report  # noqa: PLC0415 - what is seldom needed does not hold up the start
        from ui.widgets.crash_dialog import CrashDialog  # noqa: PLC0415

        if self._crash is None:
            self._crash = CrashDialog(report(error), self)
            self._crash.finished.connect(self._crash_seen)
            self._crash.open()

    @property
    def crash_report(self) -> str:
        """What the open crash dialog shows; empty if there is none."""
        return self._crash.report if self._crash else ""

    def _crash_seen(self) -> None:
        if self._crash:
            self._crash.deleteLater()
        self._crash = None

    def _add_shortcuts(self) -> None:
        shortcuts: dict[str, Callable[[Shell], object]] = {
            "Ctrl+N": lambda shell: shell.new_chat(),
            "Ctrl+F": lambda shell: shell.find_words(),
            "Ctrl+Shift+F": lambda shell: shell.find_chat(),
            "Ctrl+Z": lambda shell: shell.undo(),
            "F1": lambda shell: shell.show_shortcuts(),
            "Ctrl+/": lambda shell: shell.show_shortcuts(),
            "Ctrl+L": lambda _: self.lock(),
        }
        for number, page in enumerate(Page, 1):
            shortcuts[f"Ctrl+{number}"] = partial(_show_page, page)
        for keys, act in shortcuts.items():
            QShortcut(QKeySequence(keys), self, partial(self._act, act))

    def _act(self, act: Callable[[Shell], object]) -> None:
        """Shortcuts are there before the pages are."""
        if self.shell is not None:
            act(self.shell)

    # The window itself

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if self.shell:
            self.shell.set_width(event.size().width())

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Goes out of sight at once; ends when replies have stopped and everything is saved."""
        event.ignore()
        if self._closing:
            return
        self._closing = True
        self._watch.stop()
        self.hide()
        if self.shell:
            self.shell.prepare_to_close()
        self.bridge.cancel_long_work()
        if self.bridge.busy:
            self.bridge.idle.connect(self._finish, Qt.ConnectionType.QueuedConnection)
            QTimer.singleShot(round(1000 * _CLOSING_S_MAX), self, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        if self.bridge.closed:
            return
        if self.bridge.close():
            if self.shell:
                self.shell.chat.close_desk()
            if self._core:
                self._core.close()
        self.closed.emit()


def _overview(core: Core) -> Overview:
    """On the desk: reads what the pages show, and loads the pages."""
    import ui.shell  # noqa: PLC0415, F401 - most of the window's code; the first page does without it
    from ui.core import Overview  # noqa: PLC0415

    return Overview.of(core)


def _show_page(page: Page, shell: Shell) -> None:
    shell.show_page(page)
