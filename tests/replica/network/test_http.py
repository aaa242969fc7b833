"""The HTTP side by itself: names, sizes, kinds, and that a browser page gets nowhere."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.ic import cbor, requests
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.principal import Principal
from tests.replica.network.running import OWNER, Running

CBOR = {"Content-Type": "application/cbor"}


def post(network: Running, path: str, body: bytes, **headers: str) -> httpx.Response:
    return httpx.post(f"{network.url}{path}", content=body, headers={**CBOR, **headers})


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:80", "[::1]:1234", "LOCALHOST:1"])
def test_names_of_this_computer_are_served(network: Running, host: str) -> None:
    answer = httpx.get(f"{network.url}/api/v2/status", headers={"Host": host})
    assert answer.status_code == 200
    assert answer.content.startswith(cbor.SELF_DESCRIBED)


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "0.0.0.0"])
def test_other_names_are_refused(network: Running, host: str) -> None:
    assert httpx.get(f"{network.url}/api/v2/status", headers={"Host": host}).status_code == 403


def test_pages_of_other_origins_get_no_leave(network: Running, echo: Principal) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = httpx.request("OPTIONS", f"{network.url}/api/v4/canister/{echo}/call", headers=headers)
    assert preflight.status_code >= 400
    answer = httpx.get(f"{network.url}/api/v2/status", headers={"Origin": "https://evil.example"})
    for one in (preflight, answer):
        assert not [name for name in one.headers if name.lower().startswith("access-control")]
    plain = post(network, f"/api/v4/canister/{echo}/call", b"", **{"Content-Type": "text/plain"})
    assert plain.status_code == 415


@pytest.mark.parametrize(
    "path",
    [
        "/", "/api/v2/nothing", "/api/v5/canister/aaaaa-aa/call", "/api/v4/canister/aaaaa-aa/query",
        "/api/v4/subnet/aaaaa-aa/call", "/api/v3/canister//query", "/_/other",
    ],
)  # fmt: skip
def test_unknown_paths(network: Running, path: str) -> None:
    assert post(network, path, b"").status_code == 404


def test_malformed_principals(network: Running) -> None:
    assert post(network, "/api/v3/canister/aaaaa-ab/query", b"").status_code == 400


def test_bodies_have_a_size(network: Running, echo: Principal) -> None:
    path = f"/api/v3/canister/{echo}/query"
    assert post(network, path, bytes((5 << 20) + 1)).status_code == 413
    assert post(network, path, bytes(5 << 20)).status_code == 400
    signed = requests.sign(requests.call_content(echo, "echo", bytes(2 << 20)), OWNER, 0)
    assert post(network, f"/api/v4/canister/{echo}/call", signed.envelope).status_code == 413
    without_length = httpx.post(f"{network.url}{path}", content=iter([b"x"]), headers=CBOR)
    assert without_length.status_code == 411


def test_control_needs_the_token(network: Running) -> None:
    for headers in ({}, {"X-Practice-Token": "guess"}, {"X-Practice-Token": network.facts["control_token"][:-1]}):
        for answer in (
            httpx.get(f"{network.url}/_/practice/calls", headers=headers),
            httpx.post(f"{network.url}/_/practice/stop", headers=headers),
        ):
            assert answer.status_code == 403
    assert network.control("GET", "calls").status_code == 200


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"principal": "aaaaa-aa"}, {"principal": "nobody", "cycles": "1"}, {"principal": 7, "cycles": "1"},
        {"principal": "aaaaa-aa", "cycles": "0"}, {"principal": "aaaaa-aa", "cycles": 10**40},
        {"principal": "aaaaa-aa", "cycles": True}, {"principal": "aaaaa-aa", "cycles": "-1"},
    ],
)  # fmt: skip
def test_senseless_funding_is_refused(network: Running, fields: dict[str, object]) -> None:
    assert network.control("POST", "fund", **fields).status_code == 400


def test_a_connection_serves_many_requests_and_survives_refusals(network: Running) -> None:
    with httpx.Client(base_url=network.url) as client:
        for _ in range(5):
            assert client.post("/api/v3/canister/aaaaa-aa/query", content=b"nonsense", headers=CBOR).status_code == 400
            assert client.get("/api/v2/status").status_code == 200


def test_a_client_that_leaves_early_harms_nobody(network: Running) -> None:
    address = urlsplit(network.url)
    assert address.hostname
    assert address.port
    for beginning in (b"", b"POST /api/v3/can", b"GET /api/v2/status HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(beginning)
    body = b"POST /api/v3/canister/aaaaa-aa/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nshort"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(body)
    assert httpx.get(f"{network.url}/api/v2/status").status_code == 200


def hostile_bodies(echo: Principal) -> st.SearchStrategy[bytes]:
    """Random bytes, random CBOR, and good envelopes with some bytes changed."""
    good = [
        requests.sign(requests.query_content(echo, "echo_query", b"x"), identity, 2**62).envelope
        for identity in (OWNER, AnonymousIdentity())
    ]
    values = st.recursive(
        st.none() | st.integers(-(2**63), 2**64 - 1) | st.binary(max_size=40) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
        max_leaves=12,
    )
    changed = st.builds(
        lambda body, position, new: body[: position % len(body)] + new + body[position % len(body) + len(new) :],
        st.sampled_from(good), st.integers(0, 10_000), st.binary(min_size=1, max_size=3),
    )  # fmt: skip
    envelopes = st.fixed_dictionaries(
        {"content": st.dictionaries(st.sampled_from([*FIELDS, "other"]), values, max_size=8)},
        optional={"sender_pubkey": values, "sender_sig": values, "sender_delegation": values, "other": values},
    )
    return st.binary(max_size=60) | values.map(cbor.encode) | envelopes.map(cbor.encode) | changed


FIELDS = ("request_type", "sender", "ingress_expiry", "nonce", "canister_id", "method_name", "arg", "paths")


@pytest.fixture(scope="module")
def client(network: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=network.url, headers=CBOR) as one:
        yield one


@settings(max_examples=80)
@given(data=st.data())
def test_hostile_bodies_get_a_client_error(client: httpx.Client, echo: Principal, data: st.DataObject) -> None:
    body = data.draw(hostile_bodies(echo))
    for path in ("v4/canister/{}/call", "v3/canister/{}/query", "v3/canister/{}/read_state"):
        answer = client.post("/api/" + path.format(echo), content=body)
        assert 400 <= answer.status_code < 500 or is_anonymous_query(body, answer), (path, answer.status_code)


def is_anonymous_query(body: bytes, answer: httpx.Response) -> bool:
    """A change that left an anonymous query a query: those have neither signature nor expiry to break."""
    content = cbor.decode(body)
    assert isinstance(content, dict)
    return answer.status_code == 200 and content["content"]["sender"] == b"\x04"
