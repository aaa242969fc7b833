"""Where the token goes, what is told about us, who is followed, and how long is waited."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import example, given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import (
    BadInputError,
    Cancelled,
    NetworkTimeoutError,
    NetworkUnreachableError,
    SecurityError,
)
from personal_ai.common.jobs import Cancel
from personal_ai.models.hub.connection import Hub, next_address
from personal_ai.models.hub.errors import HubBusyError, HubError, TruncatedDownloadError
from personal_ai.models.hub.planning import HubModel, plan
from tests.models.hub.conftest import MODEL, PATIENT, TOKEN
from tests.support.hub import DESCRIPTION, Fault, LoopbackHub

WEIGHTS = "model.safetensors"
_DAY = timedelta(days=1)


def _fetch(hub: Hub, model: HubModel, name: str = WEIGHTS) -> bytes:
    file = next(file for file in model.files if file.name == name)

    def ask() -> bytes:
        with hub.get(model.path(file)) as answer:
            return answer.read(1 << 30, Cancel())

    return hub.patiently(ask, Cancel())


def test_the_token_goes_to_the_hub_alone(loopback: LoopbackHub, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    loopback.tokens[MODEL] = TOKEN
    with Hub(loopback.endpoint, token=lambda: TOKEN, patience=PATIENT) as hub:
        _fetch(hub, plan(hub, MODEL))
        assert TOKEN not in repr(hub)
    assert {seen.server for seen in loopback.seen} == {"hub", "storage"}
    for seen in loopback.seen:
        assert ("authorization" in seen.headers) == (seen.server == "hub")
        assert TOKEN not in seen.path
    assert TOKEN not in caplog.text


def test_a_token_that_is_none_is_not_shown(loopback: LoopbackHub) -> None:
    with Hub(loopback.endpoint, token=lambda: "hf_secret\nx", patience=PATIENT) as hub:
        with pytest.raises(BadInputError) as error:
            plan(hub, MODEL)
        assert "hf_secret" not in str(error.value)


def test_nothing_is_told_about_us(loopback: LoopbackHub, hub: Hub) -> None:
    _fetch(hub, plan(hub, MODEL))
    for seen in loopback.seen:
        assert seen.headers.keys() <= {"host", "user-agent", "accept", "accept-encoding", "connection", "range"}
        assert seen.headers["user-agent"] == "personal-ai"


@pytest.mark.parametrize(
    "target",
    [
        "http://files.example/x",
        "http://10.0.0.1/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "https://name:word@files.example/x",
        "http://[::1",
        "https://",
        "",
    ],
)
def test_nobody_is_followed_without_encryption(loopback: LoopbackHub, hub: Hub, target: str) -> None:
    model = plan(hub, MODEL)
    loopback.storage_url = lambda path: target
    with pytest.raises((SecurityError, HubError)):
        _fetch(hub, model)
    assert {seen.server for seen in loopback.seen} == {"hub"}


def test_circles(loopback: LoopbackHub, hub: Hub) -> None:
    model = plan(hub, MODEL)
    loopback.storage_url = lambda path: f"{loopback.endpoint}{path.replace('/stored/', '/resolve/')}"
    with pytest.raises(HubError, match="in circles"):
        _fetch(hub, model)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_hub_is_asked_again(loopback: LoopbackHub, hub: Hub, status: int) -> None:
    loopback.faults[DESCRIPTION].extend([Fault(status=status)] * PATIENT.tries)
    assert plan(hub, MODEL).id == MODEL
    loopback.always[DESCRIPTION] = Fault(status=status)
    with pytest.raises(HubBusyError, match=str(status)):
        plan(hub, MODEL)


class Waits(Cancel):
    """Notes how long one would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.waited_s: list[float] = []

    def wait(self, timeout_s: float) -> None:
        self.waited_s.append(timeout_s)


@pytest.mark.parametrize(
    "told", [lambda: "100", lambda: format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)]
)
def test_a_hub_says_when_to_come_back(loopback: LoopbackHub, told: Callable[[], str]) -> None:
    loopback.faults[DESCRIPTION].append(Fault(status=429, headers={"Retry-After": told()}))
    waits = Waits()
    with Hub(loopback.endpoint, patience=replace(PATIENT, longest_delay_s=100.0)) as hub:
        plan(hub, MODEL, waits)
    [waited_s] = waits.waited_s
    assert 30 < waited_s <= 100  # of a time of day, what is left of it


def test_nobody_waits_for_an_hour(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.always[DESCRIPTION] = Fault(status=429, headers={"Retry-After": "3600"})
    with pytest.raises(HubBusyError, match="3600 seconds"):
        plan(hub, MODEL)
    assert len(loopback.seen) == 1


def test_waiting_can_be_cancelled(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.always[DESCRIPTION] = Fault(status=429, headers={"Retry-After": "2"})
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        plan(hub, MODEL, cancel)


def test_a_connection_that_stands_still_or_nearly(loopback: LoopbackHub, hub: Hub, brief_hub: Hub) -> None:
    model = plan(hub, MODEL)
    for fault in Fault(hold_at=1000), Fault(trickle_s=0.02):
        loopback.always[WEIGHTS] = fault
        with pytest.raises(NetworkTimeoutError, match="next to nothing"):
            _fetch(brief_hub, model)


def test_a_broken_connection(loopback: LoopbackHub, hub: Hub) -> None:
    model = plan(hub, MODEL)
    loopback.always[WEIGHTS] = Fault(cut_at=1000)
    with pytest.raises(TruncatedDownloadError):
        _fetch(hub, model)


def test_offline_is_told_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        waits = Waits()
        with (
            Hub(f"http://127.0.0.1:{taken.getsockname()[1]}") as hub,
            pytest.raises(NetworkUnreachableError, match="cannot be reached"),
        ):
            plan(hub, MODEL, waits)
        assert not waits.waited_s


_ODD = st.text(alphabet="htps:/@[]\\%#?.-xn1\u00e9\u2100 \t\x7f", max_size=20)


@settings(max_examples=60)  # each makes a client
@given(start=st.sampled_from(["", "http://127.0.0.1", "https://xn--", "http://[::1", "//", "https://a"]), rest=_ODD)
@example(start="https://xn--", rest="a/")
@example(start="https://", rest="\\]")
def test_odd_addresses_are_refused_in_words(start: str, rest: str) -> None:
    onward = next_address(httpx.URL("https://hub.example/x"), start + rest)
    assert onward is None or (onward.scheme == "https" and onward.host and not onward.userinfo)
    with suppress(BadInputError):
        Hub(start + rest).close()


@pytest.fixture
def impostor(tmp_path: Path) -> Iterator[str]:
    """The address of a server with a certificate that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    unsigned = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + _DAY)
    path = tmp_path / "impostor.pem"
    path.write_bytes(
        unsigned.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake_hands() -> None:
            with suppress(OSError):
                peer, _ = server.accept()
                with peer:
                    context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=shake_hands)
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        thread.join()


def test_an_impostor_is_told_apart_from_being_offline(impostor: str) -> None:
    with Hub(impostor, token=lambda: TOKEN) as hub, pytest.raises(SecurityError, match="certificate"):
        plan(hub, MODEL)


def test_a_proxy_is_the_only_way() -> None:
    """What comes to it is a wish to be connected; it refuses, and nobody is asked directly."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        asked: list[bytes] = []

        def refuse() -> None:
            peer, _ = proxy.accept()
            with peer:
                asked.append(peer.recv(1000).partition(b"\r\n")[0])
                peer.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        with (
            Hub("https://hub.example", proxy=address) as hub,
            pytest.raises(NetworkUnreachableError, match=r"hub\.example cannot be reached"),
        ):
            plan(hub, MODEL)
        thread.join()
    assert asked == [b"CONNECT hub.example:443 HTTP/1.1"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"endpoint": "http://hub.example"},
        {"endpoint": "https://name:word@hub.example"},
        {"endpoint": "https://hub.example?x=1"},
        {"endpoint": "hub.example"},
        {"endpoint": ""},
        {"proxy": "nothing://name:word@127.0.0.1:1"},
    ],
)
def test_addresses_that_cannot_be_used(arguments: dict[str, Any]) -> None:
    with pytest.raises(BadInputError) as error:
        Hub(**arguments)
    assert "word" not in str(error.value)
    if "proxy" in arguments:
        assert error.value.__suppress_context__  # the cause shows the password


def test_a_mirror_below_a_path() -> None:
    with Hub("https://mirror.example/hugging/face/") as hub:
        assert hub.host == "mirror.example"
        assert hub.local_path("https://mirror.example/hugging/face/api/x") == "/api/x"
