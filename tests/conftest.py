"""Rules for every test: nothing reaches past loopback, no warning is logged unseen, no user file is touched."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring.backend
import pytest
from hypothesis import HealthCheck, settings

from personal_ai.common.paths import HOME_VARIABLE
from tests.support.keyrings import MemoryKeyring

pytest_plugins = ["tests.support.harness"]

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# How long an example takes says how busy the machine is; and what our fixtures hold is the same for all examples.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What a module's tests share (a practice network, a deployed model) is made in one of the processes alone."""
    for item in items:
        if isinstance(item, pytest.Function) and _has_fixture_of_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def _has_fixture_of_its_module(test: pytest.Function) -> bool:
    return any(
        made.scope == "module" for fixtures in test._fixtureinfo.name2fixturedefs.values() for made in fixtures[-1:]
    )


@pytest.fixture(autouse=True)
def garbage_between_tests() -> Iterator[None]:
    """Where there are windows, Python does not look for garbage by itself (ui/garbage.py)."""
    yield
    if not gc.isenabled():
        from ui.garbage import collect_due

        collect_due()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test has an empty home folder of its own."""
    home = tmp_path / "home"
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    return home


@pytest.fixture
def system_keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    """It claims to come from one of the modules that are trusted."""
    real: MemoryKeyring = type("Keyring", (MemoryKeyring,), {"__module__": "keyring.backends.SecretService"})()
    monkeypatch.setattr(keyring.backend, "get_all_keyring", lambda: [real])
    return real


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring.backend, "get_all_keyring", list)


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket's path
    host = str(address[0])
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails every connection that would leave this computer."""
    connect, connect_ex, lookup = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded_connect(self: socket.socket, address: Any) -> None:
        assert _is_loopback(address), f"a test tried to reach {address}"
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        assert _is_loopback(address), f"a test tried to reach {address}"
        return connect_ex(self, address)

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        assert host is None or _is_loopback((host if isinstance(host, str) else host.decode(), 0)), f"looked up {host}"
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded_connect)
    monkeypatch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(autouse=True)
def no_unexpected_log_warnings(request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fails a test that logged a warning, unless it is marked `expects_warnings`."""
    yield
    if request.node.get_closest_marker("expects_warnings"):
        return
    records = [record for when in ("setup", "call") for record in caplog.get_records(when)]
    unseen = [f"{record.name}: {record.getMessage()}" for record in records if record.levelno >= logging.WARNING]
    assert not unseen, f"unexpected log warnings: {unseen}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """On a build machine a skipped test is a failed run: what is not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
