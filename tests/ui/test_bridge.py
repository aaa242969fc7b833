"""The bridge: what comes back from a lane, in which order, on which thread, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial

import pytest
from PySide6.QtCore import QObject, QTimer
from shiboken6 import delete

from personal_ai.common.errors import StorageError
from personal_ai.common.jobs import Progress
from ui.bridge import Bridge, Lane, OwnedBridge, Task
from ui.tour.stage import until, wait


@pytest.fixture
def bridge(qapp: object) -> Iterator[Bridge]:
    made = Bridge()
    yield made
    assert made.close()


def test_work_runs_on_a_lane_and_the_result_comes_back_to_this_thread(bridge: Bridge) -> None:
    seen: list[object] = []
    operation = bridge.run(lambda _: threading.current_thread().name)
    operation.on_success(lambda name: seen.extend((name, threading.current_thread() is threading.main_thread())))
    until(lambda: bool(seen))
    assert seen == ["lane desk", True]
    assert not operation.running


def test_pieces_of_text_arrive_whole_and_in_order(bridge: Bridge) -> None:
    pieces = [f"{number} " for number in range(2000)]
    heard: list[str] = []
    ended: list[bool] = []
    told = threading.Event()

    def work(task: Task) -> None:
        for piece in pieces:
            task.tell(piece)
        told.set()

    bridge.run(work).on(str, heard.append).on_end(lambda: ended.append(True))
    assert told.wait(60)  # the window is busy with something else meanwhile
    until(lambda: bool(ended))
    assert heard == ["".join(pieces)]


def test_of_progress_the_newest_of_each_step_comes(bridge: Bridge) -> None:
    heard: list[Progress] = []
    ended: list[bool] = []
    told = threading.Event()

    def work(task: Task) -> None:
        for step in ("first", "second"):
            for done in range(501):
                task.tell(Progress(step, done, 500, "things"))
        told.set()

    bridge.run(work).on(Progress, heard.append).on_end(lambda: ended.append(True))
    assert told.wait(60)
    until(lambda: bool(ended))
    assert [(progress.step, progress.done) for progress in heard] == [("first", 500), ("second", 500)]


def test_kinds_of_news_keep_their_order(bridge: Bridge) -> None:
    heard: list[object] = []
    told = threading.Event()

    def work(task: Task) -> None:
        for news in ("a", "b", 1, "c"):
            task.tell(news)
        told.set()

    bridge.run(work).on(str, heard.append).on(int, heard.append)
    assert told.wait(60)
    until(lambda: len(heard) == 3)
    assert heard == ["ab", 1, "c"]


def test_a_user_facing_error_goes_to_its_operation(bridge: Bridge) -> None:
    error = StorageError("The disk is full.")
    seen: list[object] = []

    def work(_: Task) -> None:
        raise error

    bridge.run(work).on_success(lambda _: seen.append("success")).on_failure(seen.append).on_end(
        lambda: seen.append("end")
    )
    until(lambda: "end" in seen)
    assert seen == [error, "end"]


def test_who_begins_work_and_who_asked_for_it_both_hear(bridge: Bridge) -> None:
    seen: list[str] = []
    operation = (
        bridge.run(lambda task: task.tell("news"))
        .on_success(lambda _: seen.append("first"))
        .on_end(lambda: seen.append("first end"))
    )
    operation.on(str, lambda _: seen.append("heard")).on(str, lambda _: seen.append("heard, too"))
    operation.on_success(lambda _: seen.append("second")).on_end(lambda: seen.append("second end"))
    until(lambda: "second end" in seen)
    assert seen == ["heard", "heard, too", "first", "second", "first end", "second end"]


def test_an_error_that_no_operation_minds_goes_to_the_window(bridge: Bridge) -> None:
    error = StorageError("The disk is full.")
    seen: list[object] = []
    bridge.failed.connect(seen.append)

    def work(_: Task) -> None:
        raise error

    bridge.run(work)
    until(lambda: bool(seen))
    assert seen == [error]


def test_anything_else_is_a_bug(bridge: Bridge) -> None:
    seen: list[object] = []
    failures: list[object] = []
    bridge.crashed.connect(seen.append)

    def work(_: Task) -> None:
        raise KeyError("a bug")

    bridge.run(work).on_failure(failures.append).on_end(lambda: seen.append("end"))
    until(lambda: "end" in seen)
    assert isinstance(seen[0], KeyError)
    assert not failures


def test_a_bug_in_a_callback_swallows_no_news(bridge: Bridge) -> None:
    crashes: list[object] = []
    seen: list[str] = []
    bridge.crashed.connect(crashes.append)

    def stumble(_: str) -> None:
        raise ValueError("a bug of the window")

    bridge.run(lambda task: task.tell("news")).on(str, stumble).on_success(lambda _: seen.append("success"))
    bridge.run(lambda _: None).on_success(lambda _: seen.append("next"))
    until(lambda: "next" in seen)
    assert seen == ["success", "next"]
    assert isinstance(crashes[0], ValueError)


class Page(QObject):
    """Hears what comes back."""

    def __init__(self, heard: list[object]) -> None:
        super().__init__()
        self.heard = heard

    def hear(self, news: object) -> None:
        self.objectName()  # as with all of Qt's own, nothing can be asked of it once it is gone
        self.heard.append(news)


def _gated(bridge: Bridge) -> threading.Event:
    """Holds the desk until it is set."""
    gate = threading.Event()
    bridge.run(lambda _: gate.wait(60))
    return gate


def test_a_method_is_not_called_once_its_object_is_gone(bridge: Bridge) -> None:
    heard: list[object] = []
    crashes: list[object] = []
    bridge.crashed.connect(crashes.append)
    gone, still_there = Page(heard), Page(heard)
    gate = _gated(bridge)
    bridge.run(lambda task: task.tell("news")).on(str, gone.hear).on_success(gone.hear).on_end(
        lambda: heard.append("end")
    )
    bridge.run(lambda _: "seen").on_success(still_there.hear)
    delete(gone)
    gate.set()
    until(lambda: "seen" in heard)
    assert heard == ["end", "seen"]  # the end is of nobody, that is, of the bridge
    assert not crashes


def test_everything_else_ends_with_the_owner(bridge: Bridge) -> None:
    heard: list[object] = []
    owner, listener = Page(heard), Page(heard)
    owned = OwnedBridge(bridge, owner)
    gate = _gated(bridge)
    operation = owned.run(lambda _: "method").on_success(listener.hear).on_end(lambda: heard.append("end"))
    owned.run(lambda _: None).on_success(lambda _: heard.append("success"))
    bridge.run(lambda _: None).on_end(lambda: heard.append("last"))
    delete(owner)
    gate.set()
    until(lambda: "last" in heard)
    assert heard == ["method", "last"]
    assert not operation.running


def test_an_operation_can_be_given_to_somebody_else(bridge: Bridge) -> None:
    heard: list[object] = []
    page, dialog = Page(heard), Page(heard)
    gate = _gated(bridge)
    operation = OwnedBridge(bridge, page).run(lambda _: "page").owned_by(dialog)
    operation.on_success(page.hear).on_end(lambda: heard.append("dialog"))
    bridge.run(lambda _: None).on_end(lambda: heard.append("last"))
    delete(dialog)
    gate.set()
    until(lambda: "last" in heard)
    assert heard == ["page", "last"]


def test_a_callback_that_outlives_what_it_reaches_for_is_a_bug(bridge: Bridge) -> None:
    crashes: list[object] = []
    bridge.crashed.connect(crashes.append)
    gone = Page([])
    delete(gone)
    bridge.run(lambda _: None).on_success(lambda _: gone.hear("too late"))  # a lambda of nobody's reaches for it
    until(lambda: bool(crashes))
    assert "already deleted" in str(crashes[0])


def test_long_work_of_an_owner_that_is_gone_stops_and_a_save_is_finished(bridge: Bridge) -> None:
    saved: list[bool] = []
    ended: list[object] = []
    owner = Page([])
    owned = OwnedBridge(bridge, owner)
    gate = _gated(bridge)
    reply = owned.run(lambda task: task.cancel.wait(60), lane=Lane.CHAT)
    owned.run(lambda _: saved.append(True))
    bridge.run(lambda task: task.cancel.wait(0.2), lane=Lane.ADVICE).on_success(lambda _: ended.append("advice"))
    delete(owner)
    gate.set()
    until(lambda: not bridge.busy)
    assert saved == [True]
    assert reply.task.cancel.cancelled
    assert ended == ["advice"]


def test_a_failure_that_nobody_minds_reaches_the_window_though_its_owner_is_gone(bridge: Bridge) -> None:
    error = StorageError("The disk is full.")
    seen: list[object] = []
    bridge.failed.connect(seen.append)
    owner = Page([])

    def work(_: Task) -> None:
        raise error

    gate = _gated(bridge)
    OwnedBridge(bridge, owner).run(work)
    delete(owner)
    gate.set()
    until(lambda: bool(seen))
    assert seen == [error]


def test_cancelling_is_quiet(bridge: Bridge) -> None:
    seen: list[object] = []
    bridge.failed.connect(seen.append)
    bridge.crashed.connect(seen.append)
    operation = bridge.run(lambda task: task.cancel.wait(60)).on_failure(seen.append)
    operation.on_cancelled(lambda: seen.append("cancelled")).on_end(lambda: seen.append("end"))
    operation.cancel()
    until(lambda: "end" in seen)
    assert seen == ["cancelled", "end"]


def test_work_cancelled_before_its_turn_is_never_begun(bridge: Bridge) -> None:
    gate = threading.Event()
    begun: list[bool] = []
    ended: list[bool] = []
    bridge.run(lambda _: gate.wait(60))
    waiting = bridge.run(lambda _: begun.append(True)).on_end(lambda: ended.append(True))
    waiting.cancel()
    gate.set()
    until(lambda: bool(ended))
    assert not begun


def test_calls_on_one_lane_never_overlap_and_lanes_do(bridge: Bridge) -> None:
    inside: list[str] = []
    together: set[tuple[str, ...]] = set()
    done: list[bool] = []

    both = threading.Barrier(2, timeout=60)

    def work(name: str, _: Task) -> None:
        inside.append(name)
        both.wait()  # for the other lane
        together.add(tuple(sorted(inside)))
        both.wait()
        inside.remove(name)

    for _ in range(3):
        for lane in (Lane.DESK, Lane.CHAT):
            bridge.run(partial(work, lane.value), lane=lane).on_end(lambda: done.append(True))
    until(lambda: len(done) == 6)
    assert together == {("chat", "desk")}


def test_what_work_refers_to_goes_on_this_thread(bridge: Bridge) -> None:
    gone_on: list[str] = []

    class Page:
        def __del__(self) -> None:
            gone_on.append(threading.current_thread().name)

        def work(self, _: Task) -> None:
            """Refers to the page, as the work of pages does."""

    for _ in range(20):
        bridge.run(Page().work)
    until(lambda: not bridge.busy)
    bridge.run(lambda _: None)
    until(lambda: len(gone_on) == 20)
    assert set(gone_on) == {threading.main_thread().name}


def test_the_window_goes_on_while_work_is_done(bridge: Bridge) -> None:
    ticked, heard = threading.Event(), list[bool]()
    timer = QTimer(interval=5)
    timer.timeout.connect(ticked.set)
    bridge.run(lambda _: ticked.wait(60)).on_success(heard.append)
    timer.start()
    until(lambda: bool(heard))
    timer.stop()
    assert heard == [True], "no timer ran beside the work"


def test_idle_is_told_when_the_last_work_ends(bridge: Bridge) -> None:
    idle: list[bool] = []
    bridge.idle.connect(lambda: idle.append(bridge.busy))
    for _ in range(3):
        bridge.run(lambda _: None)
    until(lambda: bool(idle))
    assert idle[-1] is False


def test_closing_finishes_what_the_desk_began_and_cancels_the_rest(qapp: object) -> None:
    bridge = Bridge()
    gate, saved, told = threading.Event(), [], []
    bridge.run(lambda task: task.cancel.wait(60), lane=Lane.CHAT).on_end(lambda: told.append(True))
    bridge.run(lambda _: gate.wait(60) and saved.append("first"))
    bridge.run(lambda _: saved.append("second"))
    gate.set()
    assert bridge.close()
    assert saved == ["first", "second"]
    wait(60)
    assert not told
    assert bridge.closed
