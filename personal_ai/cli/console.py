"""What the commands share: the progress line, passwords, numbers as people read them."""

from __future__ import annotations

import getpass
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TextIO

from personal_ai.common.errors import BadInputError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel, Progress

PASSWORD_LENGTH_MIN = 8
_SECRET_FILE_SIZE_MAX_BYTES = 4096
_BAR_WIDTH = 24
_REDRAW_S = 0.1


@contextmanager
def stoppable() -> Iterator[Cancel]:
    """A token that Ctrl-C sets while the block runs, so that work stops at a safe place; a second one interrupts."""
    cancel = Cancel()

    def stop(number: int, frame: FrameType | None) -> None:
        if cancel.cancelled:
            signal.default_int_handler(number, frame)
        cancel.cancel()

    previous = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancel
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class ProgressLine:
    """Draws progress on the error stream: a moving bar on a terminal, a line for each finished step elsewhere."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._moves = self._stream.isatty()
        self._drawn_s = 0.0

    def __call__(self, progress: Progress) -> None:
        finished = progress.done >= progress.total
        if finished:
            self._write(progress, "\n")
        elif self._moves and time.monotonic() - self._drawn_s >= _REDRAW_S:
            self._drawn_s = time.monotonic()
            self._write(progress, "")

    def _write(self, progress: Progress, end: str) -> None:
        line = describe(progress)
        start = "\r\x1b[K" if self._moves else ""
        self._stream.write(start + line[: shutil.get_terminal_size().columns - 1 if self._moves else None] + end)
        self._stream.flush()


def describe(progress: Progress) -> str:
    """One line: step, bar, how much of how much, rate, time left."""
    share = progress.done / progress.total if progress.total else 1.0
    filled = round(share * _BAR_WIDTH)
    parts = [f"{progress.step:<32} [{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] {share:4.0%}"]
    if progress.unit != "step":
        parts.append(f"{amount(progress.done, progress.unit)} of {amount(progress.total, progress.unit)}")
        if progress.rate_per_s is not None:
            parts.append(f"{amount(progress.rate_per_s, progress.unit)}/s")
    if progress.remaining_s is not None and progress.done < progress.total:
        parts.append(f"{duration(progress.remaining_s)} left")
    return "  ".join(parts)


def amount(count: float, unit: str) -> str:
    """`count` of a unit; bytes in powers of ten as disks are sold."""
    if unit != "bytes":
        return f"{count:,.0f} {unit}"
    for size, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count:.0f} B"


def print_listing(found: Sequence[str], if_empty: str) -> None:
    """A listing on standard output; that there is nothing is said beside it, so that scripts count no line."""
    for line in found:
        print(line)
    if not found:
        print(if_empty, file=sys.stderr)


def cycles(count: int) -> str:
    """Cycles in trillions (T) or billions (B)."""
    return f"{count / 1e12:,.3f} T cycles" if count >= 1e11 else f"{count / 1e9:,.3f} B cycles"


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    return f"{minutes} min {rest_s:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def read_password(password_file: str | None, *, new: bool = False) -> str:
    """The vault's password: the first line of a file ("-": standard input), or asked for on the terminal.

    It is never an argument or a variable: those can be seen by others. Raises BadInputError, StorageError.
    """
    if password_file is not None:
        password = first_line(password_file, "the password file")
    elif sys.stdin.isatty():
        password = getpass.getpass("Password: ")
        if new and getpass.getpass("The same again: ") != password:
            raise BadInputError("The two passwords differ.", next_step="Try again.")
    else:
        raise BadInputError(
            "A password is needed and there is no terminal to ask on.", next_step="Use --password-file."
        )
    if new and len(password) < PASSWORD_LENGTH_MIN:
        raise BadInputError(f"A password needs at least {PASSWORD_LENGTH_MIN} characters.", next_step="Choose another.")
    return password


def first_line(path: str, what: str) -> str:
    """The first line of a file with a secret ("-": standard input); `what` names it in errors. Raises StorageError."""
    if path == "-":
        return sys.stdin.readline().rstrip("\r\n")
    with storage_errors(f"read {what}"), Path(path).open(encoding="utf-8") as file:
        return file.readline(_SECRET_FILE_SIZE_MAX_BYTES).rstrip("\r\n")
