from __future__ import annotations

import socket
import threading

import pytest

from personal_ai.common.errors import BadInputError, NetworkError
from personal_ai.ic.principal import ANONYMOUS, MANAGEMENT
from personal_ai.ic.transport import HttpxTransport, Request
from personal_ai.identities.circuits import checked_proxy, circuit

KEY = bytes(range(32))


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("socks5h://127.0.0.1:9050", "socks5h://127.0.0.1:9050"),
        (" socks5://localhost:9150/ ", "socks5h://localhost:9150"),
        ("socks5://[::1]:9050", "socks5h://[::1]:9050"),
    ],
)
def test_proxies_are_written_one_way_and_look_names_up_themselves(given: str, used: str) -> None:
    assert checked_proxy(given) == used


@pytest.mark.parametrize(
    "url",
    ["", "9050", "http://127.0.0.1:1", "socks5://127.0.0.1", "socks5://a:b@h:1", "socks5://h:99999", "socks5://h:1/p"],
)
def test_other_proxies_are_refused(url: str) -> None:
    with pytest.raises(BadInputError, match="9050"):
        checked_proxy(url)


def test_each_identity_is_another_user_and_always_the_same() -> None:
    urls = [circuit("socks5://127.0.0.1:9050", who, KEY) for who in (ANONYMOUS, MANAGEMENT, ANONYMOUS)]
    assert urls[0] == urls[2] != urls[1]
    assert urls[0].endswith("@127.0.0.1:9050") and urls[0].startswith("socks5h://")
    assert circuit("socks5://127.0.0.1:9050", ANONYMOUS, bytes(32)) not in urls
    assert str(ANONYMOUS) not in urls[0]


def test_the_proxy_is_told_the_users_name_and_the_hosts_name() -> None:
    """What goes over the wire: no name is looked up here, and the circuit's user comes before the host."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(64))
                connection.sendall(b"\x05\x02")
                heard.append(connection.recv(256))
                connection.sendall(b"\x01\x00")
                heard.append(connection.recv(256))
                connection.sendall(b"\x05\x00\x00\x01" + bytes(6))

        proxy = threading.Thread(target=answer)
        proxy.start()
        url = circuit(f"socks5://127.0.0.1:{server.getsockname()[1]}", ANONYMOUS, KEY)
        transport = HttpxTransport("https://gateway.example", url)
        with pytest.raises(NetworkError):
            transport.send(Request("/api/v2/status"), 5.0)
        proxy.join()
        transport.close()
    user = url.partition("//")[2].partition(":")[0].encode()
    assert user in heard[1] and b"gateway.example" in heard[2]
