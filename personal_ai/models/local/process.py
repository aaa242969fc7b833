"""A model in a process of its own, as the rest of the program sees it: a crash in there is an error out here."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

from personal_ai.common.errors import Cancelled, UserFacingError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel
from personal_ai.models.local import pipe
from personal_ai.models.local.devices import Verdict
from personal_ai.models.local.model import LocalReply
from personal_ai.models.package import ModelPackage
from personal_ai.models.sampling import Sampling

# -P: a file of the working folder must not take a module's place.
_COMMAND: Final = (sys.executable, "-P", "-m", "personal_ai.models.local.worker")
_LISTEN_S = 0.02  # between two looks at a cancel
_END_TIMEOUT_S = 5.0


class LocalCrashError(UserFacingError):
    """The process that ran the model is gone."""


class LocalProcess:
    """One model with the cache of the last context it saw. The process is started when it is needed, or by `warm`.

    Calls from several threads take turns.
    """

    def __init__(self, package: ModelPackage, *, threads: int | None = None, guess_ahead: bool = True) -> None:
        """threads, guess_ahead: as of `LocalModel`."""
        self._load = {
            "id": pipe.LOAD_ID,
            "folder": str(package.folder),
            "threads": threads,
            "guess_ahead": guess_ahead,
        }
        self._name = package.name
        self._running: _Running | None = None
        self._lock = threading.Lock()
        self._last_id = pipe.LOAD_ID

    def warm(self) -> None:
        """Begins to load the model and does not wait for it; what goes wrong is told when it is asked."""
        with self._lock:
            self._start()

    def generate(
        self,
        tokens: Sequence[int],
        *,
        max_tokens: int,
        sampling: Sampling,
        on_token: Callable[[int], None],
        cancel: Cancel,
    ) -> LocalReply:
        """As `LocalModel.generate`. A cancel is heard at once, whatever the process is doing.

        Raises BadInputError, DamagedFileError, NotEnoughMemoryError, LocalCrashError (the next call starts a new
        process), Cancelled, and what `on_token` raises.
        """
        with self._lock:
            running = self._start()
            self._last_id += 1
            request = {
                "id": self._last_id,
                "tokens": list(tokens),
                "max_tokens": max_tokens,
                "sampling": asdict(sampling),
            }
            with self._reporting_crashes():
                return self._answer(running, request, on_token, cancel)

    def devices(self, cancel: Cancel) -> tuple[Verdict, ...]:
        """What the model runs on, and why not on what else; waits until it is loaded. Raises as `generate`."""
        with self._lock, self._reporting_crashes():
            running = self._start()
            while running.devices is None:
                cancel.raise_if_cancelled()
                self._receive(running)
            return running.devices

    @property
    def pid(self) -> int | None:
        """Of the process, where it runs."""
        return self._running.pid if self._running is not None else None

    def close(self) -> None:
        """Ends the process; it would be started again."""
        with self._lock:
            self._end()

    def _start(self) -> _Running:
        if self._running is None:
            with storage_errors("start the process that runs the model"):
                self._running = _Running()
            self._running.send(self._load)
        return self._running

    def _end(self) -> int:
        """The exit code of the process, 0 where there was none."""
        running, self._running = self._running, None
        return running.end() if running is not None else 0

    @contextmanager
    def _reporting_crashes(self) -> Iterator[None]:
        try:
            yield
        except _Gone:
            raise _crash(self._name, self._end()) from None

    def _receive(self, running: _Running) -> pipe.Message | None:
        """The next message about a question, if one came. Raises _Gone, and why a model cannot be loaded."""
        message = running.receive(_LISTEN_S)
        if message is None or message["id"] != pipe.LOAD_ID:
            return message
        if "devices" not in message:
            self._end()  # it answers nothing
            _raise_failure(message)
        running.devices = tuple(Verdict(**verdict) for verdict in message["devices"])
        return None

    def _answer(
        self, running: _Running, request: pipe.Message, on_token: Callable[[int], None], cancel: Cancel
    ) -> LocalReply:
        heard: list[int] = []
        answered = False
        running.send(request)
        try:
            while True:
                cancel.raise_if_cancelled()
                message = self._receive(running)
                if message is None or message["id"] != request["id"]:
                    continue  # nothing yet, or the end of an answer that was stopped
                if "token" in message:
                    heard.append(message["token"])
                    on_token(message["token"])
                    continue
                answered = True
                _raise_failure(message)
                return LocalReply(tuple(heard), message["finish"])
        finally:
            if not answered:
                running.send({"id": request["id"], "stop": True})


class _Gone(Exception):
    """The pipe from the process has ended."""


class _Running:
    """The process and its pipes."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 -- our own module, no shell
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for the program, which then says stop
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self.devices: tuple[Verdict, ...] | None = None  # known once the model is loaded
        self._messages: queue.SimpleQueue[pipe.Message | None] = queue.SimpleQueue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, message: pipe.Message) -> None:
        """What cannot be sent is not missed: the process is gone, which `receive` says, or was ended."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # a broken pipe, a closed one
            pipe.write(self._process.stdin, message)

    def receive(self, timeout_s: float) -> pipe.Message | None:
        """None when nothing came in time. Raises _Gone."""
        try:
            message = self._messages.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if message is None:
            raise _Gone
        return message

    def end(self) -> int:
        """The exit code, negative for a signal."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with suppress(OSError):  # it was gone before it read all
            self._process.stdin.close()
        try:
            code = self._process.wait(_END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        return code

    def _listen(self) -> None:
        assert self._process.stdout is not None
        try:
            while (message := pipe.read(self._process.stdout)) is not None:
                self._messages.put(message)
        finally:
            self._messages.put(None)


def _raise_failure(message: pipe.Message) -> None:
    """Raises what the process raised, if it did."""
    if "error" in message:
        raise pipe.to_error(message["error"])
    if "bug" in message:
        raise RuntimeError(f"the model's process failed:\n{message['bug']}")
    if "cancelled" in message:
        raise Cancelled


def _crash(name: str, exit_code: int) -> LocalCrashError:
    killed = exit_code == -getattr(signal, "SIGKILL", 9)
    reason = "the system ended it, most often because memory ran out" if killed else f"it ended with code {exit_code}"
    return LocalCrashError(
        f"The process that ran {name} on this computer is gone: {reason}.",
        not_lost="Your conversations are kept, and so is what was said of this reply.",
        next_step="Ask again: it is started anew. If it happens again, choose a smaller model.",
    )
