"""The window: opening, first run or unlocking, then the pages beside the rail."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from PySide6 import QtCore
from PySide6.QtCore import QSize, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from personal_ai.common.errors import StorageError, UserFacingError
from personal_ai.common.paths import Paths
from ui import garbage
from ui.bridge import Bridge, Lane
from ui.opening import Opening
from ui.preferences import WindowState, load_appearance, load_window, save_appearance, save_window
from ui.text import tr
from ui.theme import Appearance, theme
from ui.widgets.focus_ring import FocusRing

if TYPE_CHECKING:
    from personal_ai.deployments.journal import Deployment
    from ui.core import Core, Overview
    from ui.presence import IdleWatch
    from ui.shell import Shell
    from ui.widgets.crash_dialog import CrashDialog
    from ui.widgets.trial_dialogs import EndDialog

SIZE = (1180, 760)
_SIZE_MIN = (580, 480)
_SHARE_OF_SCREEN = 0.9
_CLOSING_S_MAX = 10.0


class Window(QMainWindow):
    """`leaving` when it begins to close; `closed` follows when the last work is done and the core is closed."""

    leaving = Signal()
    closed = Signal()

    def __init__(self, open_core: Callable[[], Core], paths: Paths) -> None:
        super().__init__()
        self._paths = paths
        self._closing = False
        self._crash: CrashDialog | None = None
        self.shell: Shell | None = None
        theme().choose(load_appearance(paths.settings))
        self.setWindowTitle(tr("Personal AI"))
        self.setMinimumSize(*_SIZE_MIN)
        self.resize(size_within(QGuiApplication.primaryScreen().availableSize()))
        self._left = load_window(paths.settings)
        self.restoreGeometry(self._left.geometry)  # Qt brings it onto a screen that is there
        self._stack = QStackedWidget()
        self.setCentralWidget(self._stack)
        self._ring = FocusRing(self)
        self.bridge = Bridge(self)
        self.bridge.failed.connect(self.show_problem)
        self.bridge.crashed.connect(self.show_crash)
        self.opening = Opening(open_core, self.bridge, self._show, self)
        self.opening.opened.connect(self._read_overview)
        self.opening.tried.connect(self._begin_with)
        self._watch: IdleWatch | None = None
        self._locking = False
        self._end: EndDialog | None = None
        self.opening.begin(has_vault=paths.vault.exists())

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: N802 - Qt's name
        super().paintEvent(event)
        QTimer.singleShot(0, self.opening, self.opening.load)

    # The pages

    def _read_overview(self) -> None:
        """The vault is open: the pages appear."""
        self.opening.ask(_overview).on_success(self._build_shell).on_failure(self._cannot_open)

    def _begin_with(self, deployment: Deployment) -> None:
        """Somebody tries it out: the first question is asked for them."""
        self.opening.ask(_overview).on_success(
            lambda overview: self._build_shell(overview).show_first_answer(deployment)
        ).on_failure(self._cannot_open)

    def _cannot_open(self, error: UserFacingError) -> None:
        if self.shell is None:  # else it was opened twice, by a second press, and the first time went well
            self.opening.cannot_open(error, self._read_overview)

    def _build_shell(self, overview: Overview) -> Shell:
        from ui.presence import IdleWatch  # noqa: PLC0415 - not before there are pages
        from ui.profile import Profile  # noqa: PLC0415 - loaded by `_overview`, off this thread
        from ui.shell import Shell  # noqa: PLC0415

        if self.shell is not None:
            return self.shell
        core = self.opening.core
        assert core is not None
        garbage.settle()
        profile = Profile(core, self.bridge, overview)
        self.shell = Shell(profile, self._paths)
        profile.setParent(self.shell)  # it goes with the pages
        self.shell.appearance_chosen.connect(self._choose_appearance)
        self.shell.lock_wanted.connect(self.lock)
        self._show(self.shell)
        self.shell.set_width(self.width())
        self.shell.chat.composer.setFocus()
        self.shell.keep_wanted.connect(self._keep)
        self.shell.herald.called.connect(self.come_to_front)
        if overview.setting_up and not overview.deployments:
            self.shell.set_up()  # the first run goes on where it was left
        else:
            self.shell.show_left(self._left.page, self._left.chat)
        self._watch = IdleWatch(core, self.bridge, self.shell)
        self._watch.left_alone.connect(self.lock)
        return self.shell

    # Locking

    def lock(self) -> None:
        """Forgets the keys. What is under way stops at its next safe place and is kept; then the pages go."""
        if self.shell is None or self._locking or self._closing:
            return
        if self.shell.on_trial:
            self._keep()  # it has no key yet but the one that would be forgotten
            return
        self._locking = True
        self._stop_watch()
        self.shell.setEnabled(False)
        self.shell.prepare_to_close()
        self.shell.toast.tell(tr("Locking…"))
        self.bridge.cancel_long_work()
        self._lock_when_idle()

    def _stop_watch(self) -> None:
        if self._watch is not None:
            self._watch.stop()

    def _lock_when_idle(self) -> None:
        if self.bridge.busy:
            self.bridge.idle.connect(self._lock_when_idle, QtCore.Qt.ConnectionType.SingleShotConnection)
        elif self.shell is not None and not self._closing:
            chat = self.shell.chat
            self.bridge.run(lambda _: chat.close_desk(), lane=Lane.CHAT).on_success(lambda _: self._lock_core())

    def _lock_core(self) -> None:
        """On the desk, which alone uses the conversations: locking closes their store."""
        if not self._closing:
            self.opening.ask(lambda core: core.lock()).on_success(lambda _: self._locked())

    def _locked(self) -> None:
        self._remember()
        self._locking = False
        self.opening.unlock()

    def _show(self, page: QWidget) -> None:
        if page is not self.shell:
            self.shell = self._watch = None  # they go with the page that another takes the place of
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

    # The window itself

    def resizeEvent(self, event: QResizeEvent) -> None:  # noqa: N802 - Qt's name
        super().resizeEvent(event)
        if self.shell:
            self.shell.set_width(event.size().width())

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Goes out of sight at once; ends when replies have stopped and everything is saved."""
        event.ignore()
        if self._closing or self._asks_to_keep():
            return
        self._closing = True
        self._stop_watch()
        self._remember()
        self.leaving.emit()
        self.hide()
        if self.shell:
            self.shell.prepare_to_close()
        self.bridge.cancel_long_work()
        if self.bridge.busy:
            self.bridge.idle.connect(self._finish, QtCore.Qt.ConnectionType.QueuedConnection)
            QTimer.singleShot(round(1000 * _CLOSING_S_MAX), self, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        if self.bridge.closed:
            return
        if self.bridge.close():
            if self.shell:
                self.shell.chat.close_desk()
            self.opening.close()
        with suppress(StorageError):  # the next window is as the first one was
            save_window(self._paths.settings, self._left)
        self.closed.emit()

    def _remember(self) -> None:
        """Where the window was, and what it showed, for the next time."""
        shell = self.shell
        page, chat = (shell.page.value, shell.chat.kept_id) if shell else (self._left.page, self._left.chat)
        self._left = WindowState(bytes(self.saveGeometry().data()), page, chat)

    def come_to_front(self) -> None:
        """Somebody has started the program a second time. A window on its way out stays out of sight."""
        if self._closing:
            return
        self.setWindowState(self.windowState() & ~QtCore.Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    # The end of a trial

    def _keep(self) -> None:
        """A password makes it a profile like any other."""
        assert self.shell is not None
        self.shell.keep_trial()

    def _asks_to_keep(self) -> bool:
        """Asks once, before a trial ends; whoever closes the window again without an answer gives one."""
        if self.shell is None or not self.shell.on_trial or self._end is not None:
            return False
        from ui.widgets.trial_dialogs import EndDialog  # noqa: PLC0415 - seldom needed

        self._end = EndDialog(self)
        self._end.keep_wanted.connect(self._keep)
        self._end.accepted.connect(self.close)
        self._end.rejected.connect(self._forget_end)
        self._end.open()
        return True

    def _forget_end(self) -> None:
        self._end = None


def size_within(screen: QSize) -> QSize:
    """The usual size, or what a small or much enlarged screen has room for beside the window's frame."""
    return QSize(*SIZE).boundedTo(screen * _SHARE_OF_SCREEN)


def _overview(core: Core) -> Overview:
    """On the desk: reads what the pages show, and loads the pages."""
    import ui.shell  # noqa: PLC0415, F401 - most of the window's code; the first page does without it
    from ui.core import Overview  # noqa: PLC0415

    return Overview.of(core)
