"""Numbers as people read them, the progress line, and passwords that are never arguments."""

import io
import signal
from pathlib import Path

import pytest

from personal_ai.cli.console import (
    ProgressLine,
    amount,
    cycles,
    describe,
    duration,
    print_listing,
    read_password,
    stoppable,
)
from personal_ai.common.errors import BadInputError, StorageError
from personal_ai.common.jobs import Progress


def test_amounts_and_durations() -> None:
    assert amount(999, "bytes") == "999 B"
    assert amount(2_500_000, "bytes") == "2.5 MB"
    assert amount(1_234, "weights") == "1,234 weights"
    assert cycles(500_000_000_000) == "0.500 T cycles"
    assert cycles(3_600_000_000) == "3.600 B cycles"
    assert [duration(seconds) for seconds in (5, 65, 7320)] == ["5 s", "1 min 05 s", "2 h 02 min"]


def test_an_empty_listing_is_said_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    print_listing(["one", "two"], "There is none yet.")
    assert capsys.readouterr() == ("one\ntwo\n", "")
    print_listing([], "There is none yet.")
    assert capsys.readouterr() == ("", "There is none yet.\n")


def test_a_line_shows_share_amount_rate_and_time_left() -> None:
    line = describe(Progress("Uploading the weights", 25, 100, "bytes", 5.0, 15.0))
    assert line.startswith("Uploading the weights")
    assert "[######.................." in line
    assert line.endswith("25%  25 B of 100 B  5 B/s  15 s left")
    assert describe(Progress("Creating", 1, 1, "step")).rstrip().endswith("100%")


def test_only_finished_steps_are_written_where_nothing_can_move() -> None:
    stream = io.StringIO()
    show = ProgressLine(stream)
    show(Progress("Uploading", 1, 2, "bytes"))
    assert stream.getvalue() == ""
    show(Progress("Uploading", 2, 2, "bytes"))
    assert stream.getvalue().count("\n") == 1 and "\r" not in stream.getvalue()


def test_a_terminal_shows_a_moving_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    show = ProgressLine(stream)
    show(Progress("Uploading", 1, 2, "bytes"))
    show(Progress("Uploading", 2, 2, "bytes"))
    assert stream.getvalue().count("\r") == 2 and stream.getvalue().endswith("\n")


def test_the_password_is_the_first_line_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "password"
    path.write_text("correct horse\nsecond line\n")
    assert read_password(str(path)) == "correct horse"
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe\n"))
    assert read_password("-") == "from a pipe"
    with pytest.raises(StorageError, match="read the password file"):
        read_password(str(tmp_path / "missing"))


def test_a_new_password_must_not_be_short(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("short\n")
    assert read_password(str(path)) == "short"
    with pytest.raises(BadInputError, match="at least 8"):
        read_password(str(path), new=True)


def test_without_a_terminal_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(BadInputError, match="no terminal"):
        read_password(None)


def test_ctrl_c_stops_at_a_safe_place_and_a_second_one_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with stoppable() as cancel:
        signal.raise_signal(signal.SIGINT)
        assert cancel.cancelled
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before
