"""Starting, finding and stopping the embedded practice network, which is a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx

from personal_ai.common.errors import FormatError, NetworkError, NetworkUnreachableError
from personal_ai.common.files import storage_errors
from personal_ai.common.jobs import Cancel
from personal_ai.ic import cbor
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import NetworkProfile, practice

_COMMAND = (sys.executable, "-m", "personal_ai.replica")
NETWORK_FILE = "network.json"
LOG_FILE = "network.log"
_FORMAT_VERSION = 1
_START_TIMEOUT_S = 60.0
_STOP_TIMEOUT_S = 15.0
_POLL_S = 0.05
_ANY_PORT = 0
_EXIT_PORT_IN_USE = 3  # of `python -m personal_ai.replica`
_STATUS_TIMEOUT_S = 3.0
_CONTROL_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class _Running:
    """What the process wrote down when it was ready."""

    url: str
    root_key_der: bytes
    pid: int
    control_token: str


# "none" answers as fast as it can; "ic" emulates the rounds and the latency of the Internet Computer.
Pace = Literal["none", "ic"]


class PracticeNetwork:
    """The practice network whose state lies in one folder. It goes on running when this program ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @property
    def running(self) -> bool:
        """Whether the process answers."""
        found = self._find()
        return found is not None and _answers(found)

    def start(self, cancel: Cancel | None = None, *, pace: Pace = "none") -> NetworkProfile:
        """The profile of the running network; starts the process if it is not there, and gives it a pace then.

        Raises NetworkUnreachableError when it does not come up, with the last line it wrote.
        """
        found = self._find()
        if found is None or not _answers(found):
            # The old port again where it is free, so that whoever still knows it finds the network there.
            old_port = httpx.URL(found.url).port if found is not None else None
            found = self._spawn(old_port or _ANY_PORT, pace, cancel or Cancel())
        return practice(found.url, found.root_key_der)

    def profile(self) -> NetworkProfile:
        """The profile of the network as it was last started, running or not. Raises NetworkUnreachableError."""
        found = self._find()
        if found is None:
            raise NetworkUnreachableError(
                "The practice network has never been started.", next_step="Start it, then try again."
            )
        return practice(found.url, found.root_key_der)

    def stop(self) -> None:
        """Stops the process; nothing happens if it is not running. Its state stays on disk."""
        found = self._find()
        if found is None or not _answers(found):
            return
        _control(found, "POST", "stop")
        deadline_s = time.monotonic() + _STOP_TIMEOUT_S
        while not _has_ended(found):
            if time.monotonic() > deadline_s:
                raise NetworkError("The practice network did not stop.", next_step="Try again.")
            time.sleep(_POLL_S)

    def reset(self) -> None:
        """Stops it and throws its state away: canisters, ledgers and keys. Raises NetworkError, StorageError."""
        self.stop()
        with storage_errors("delete the practice network's state"), suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def fund(self, principal: Principal, cycles: int) -> None:
        """Gives practice cycles: worth nothing, and free."""
        _control(self._require(), "POST", "fund", {"principal": str(principal), "cycles": str(cycles)})

    def fund_icp(self, principal: Principal, e8s: int) -> None:
        """Gives practice ICP: worth nothing, and free."""
        _control(self._require(), "POST", "fund-icp", {"principal": str(principal), "e8s": str(e8s)})

    def canisters_of(self, controller: Principal) -> list[Principal]:
        """The canisters that somebody controls; unproven, as a public directory's answer would be."""
        found = _control(self._require(), "GET", "canisters", {"principal": str(controller)}).json()
        return [Principal.from_text(text) for text in found]

    def calls(self) -> list[dict[str, Any]]:
        """The network's own log of the calls that it took, oldest first."""
        calls: list[dict[str, Any]] = _control(self._require(), "GET", "calls").json()
        return calls

    def _require(self) -> _Running:
        found = self._find()
        if found is None or not _answers(found):
            raise NetworkUnreachableError("The practice network is not running.", next_step="Start it, then try again.")
        return found

    def _find(self) -> _Running | None:
        path = self._folder / NETWORK_FILE
        if not path.exists():
            return None
        with storage_errors("read the practice network's address"):
            content = path.read_bytes()
        return _parse(content)

    def _spawn(self, port: int, pace: Pace, cancel: Cancel) -> _Running:
        with storage_errors("start the practice network"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / LOG_FILE).open("wb") as log:
                process = subprocess.Popen(  # noqa: S603  our own module, no shell
                    [*_COMMAND, "--state", str(self._folder), "--port", str(port), "--pace", pace],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        try:
            return self._wait_until_up(process, port, pace, cancel)
        except BaseException:  # nobody would find it to stop it
            process.kill()
            process.wait()
            raise

    def _wait_until_up(self, process: subprocess.Popen[bytes], port: int, pace: Pace, cancel: Cancel) -> _Running:
        deadline_s = time.monotonic() + _START_TIMEOUT_S
        while True:
            found = self._find()
            if found is not None and found.pid == process.pid and _answers(found):
                # The child outlives us on purpose; this keeps Python from warning about it.
                process.returncode = 0
                return found
            if process.poll() == _EXIT_PORT_IN_USE and port != _ANY_PORT:
                return self._spawn(_ANY_PORT, pace, cancel)
            if process.poll() is not None or time.monotonic() > deadline_s:
                log_path = self._folder / LOG_FILE
                raise NetworkUnreachableError(
                    f"The practice network did not start: {_last_line(log_path)}",
                    not_lost="Its state on disk is unchanged.",
                    next_step=f"Its log is in {log_path}.",
                )
            cancel.wait(_POLL_S)


def _parse(content: bytes) -> _Running:
    try:
        fields = json.loads(content)
        if fields["version"] != _FORMAT_VERSION:
            raise ValueError("unknown version")
        return _Running(
            str(fields["url"]), bytes.fromhex(fields["root_key"]), int(fields["pid"]), str(fields["control_token"])
        )
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            "The practice network's address file is damaged.",
            next_step=f"Delete {NETWORK_FILE} in the practice network's folder and start it again.",
        ) from error


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing."


def _answers(found: _Running) -> bool:
    """Whether this very network answers there, and not another program that took its port."""
    try:
        response = httpx.get(f"{found.url}/api/v2/status", timeout=_STATUS_TIMEOUT_S, trust_env=False)
        status = cbor.decode(response.content)
    except (httpx.TransportError, FormatError):
        return False
    return isinstance(status, dict) and status.get("root_key") == found.root_key_der


def _has_ended(found: _Running) -> bool:
    """Whether the process is gone: until then it may still answer on connections that are open."""
    if os.name != "posix":
        return not _answers(found)
    try:
        return os.waitpid(found.pid, os.WNOHANG)[0] == found.pid
    except ChildProcessError:  # started by another program
        pass
    try:
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return True
    return False


def _control(found: _Running, method: str, action: str, body: dict[str, str] | None = None) -> httpx.Response:
    try:
        response = httpx.request(
            method,
            f"{found.url}/_/practice/{action}",
            json=body if method == "POST" else None,
            params=body if method == "GET" else None,
            headers={"X-Practice-Token": found.control_token},
            timeout=_CONTROL_TIMEOUT_S,
            trust_env=False,
        )
    except httpx.TransportError as error:
        raise NetworkUnreachableError("The practice network is not running.", next_step="Start it.") from error
    if not response.is_success:
        raise NetworkError(f"The practice network refused: {response.text.strip()[:200]}")
    return response
