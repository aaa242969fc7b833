"""Who may read what of the certified state."""

from __future__ import annotations

import time

import httpx
import pytest

from personal_ai.common.errors import NetworkError
from personal_ai.ic import cbor, requests
from personal_ai.ic.agent import Agent
from personal_ai.ic.hash_tree import Absent
from personal_ai.ic.identity import AnonymousIdentity, DelegatedIdentity, Delegation, Identity, SignedDelegation
from personal_ai.ic.principal import Principal
from tests.replica.network.running import OWNER, Running, identity


def status_code(network: Running, target: str, paths: list[list[bytes]], who: Identity = OWNER) -> int:
    signed = requests.sign(requests.read_state_content(paths), who, time.time_ns())
    headers = {"Content-Type": "application/cbor"}
    codes = {
        httpx.post(
            f"{network.url}/api/{version}/{target}/read_state", content=signed.envelope, headers=headers
        ).status_code
        for version in ("v2", "v3")
    }
    (code,) = codes
    return code


def test_paths_of_every_allowed_form(network: Running, owner_agent: Agent, echo: Principal) -> None:
    subnet = owner_agent.read_state(echo, [(b"time",)]).subnet_id.bytes
    allowed = [
        [b"time"], [b"subnet"], [b"subnet", subnet], [b"subnet", subnet, b"public_key"], [b"subnet", subnet, b"type"],
        [b"subnet", subnet, b"canister_ranges"], [b"subnet", subnet, b"node"], [b"subnet", subnet, b"node", b"x"],
        [b"api_boundary_nodes"], [b"request_status", bytes(32)], [b"request_status", bytes(32), b"reply"],
        *([b"canister", echo.bytes, name] for name in (b"module_hash", b"controllers", b"last_install_timestamp")),
        [b"canister", echo.bytes, b"metadata", b"anything"],
    ]  # fmt: skip
    for path in allowed:
        assert status_code(network, f"canister/{echo}", [path], AnonymousIdentity()) == 200, path
    assert status_code(network, f"canister/{echo}", allowed) == 200
    assert status_code(network, f"canister/{echo}", []) == 200
    assert status_code(network, f"subnet/{Principal(subnet)}", [[b"subnet"], [b"canister_ranges", subnet]]) == 200


@pytest.mark.parametrize(
    "path",
    [
        [], [b""], [b"time", b"x"], [b"canister"], [b"canister", b"\1"], [b"request_status"],
        [b"request_status", b"short"], [b"request_status", bytes(32), b"sender"], [b"subnet", b"\1", b"metrics"],
        [b"no such branch"], [b"canister_ranges"],
    ],
)  # fmt: skip
def test_other_forms_are_unknown(network: Running, echo: Principal, path: list[bytes]) -> None:
    assert status_code(network, f"canister/{echo}", [[b"time"], path]) == 404


def test_what_is_known_to_exist_may_still_be_forbidden(network: Running, owner_agent: Agent, echo: Principal) -> None:
    subnet = owner_agent.read_state(echo, [(b"time",)]).subnet_id
    other = network.create_canister(owner_agent)
    forbidden = [
        ([[b"canister", other.bytes, b"controllers"]], f"canister/{echo}"),
        ([[b"canister", echo.bytes, b"controllers"]], f"subnet/{subnet}"),
        ([[b"canister_ranges", subnet.bytes]], f"canister/{echo}"),
        ([[b"request_status", bytes(32)], [b"request_status", b"\1" * 32]], f"canister/{echo}"),
    ]
    for paths, target in forbidden:
        assert status_code(network, target, paths) == 403, paths
    assert status_code(network, f"canister/{echo}", [[b"canister", echo.bytes, b"certified_data"]]) == 404
    assert status_code(network, f"canister/{echo}", [[b"canister", echo.bytes, b"metadata", b"\xff"]]) == 404


def test_a_call_is_its_senders_business(network: Running, owner_agent: Agent, echo: Principal) -> None:
    signed = owner_agent.sign_update(echo, "echo", b"private matter")
    owner_agent.submit(signed)
    path = [b"request_status", signed.request_id]
    other = network.create_canister(owner_agent)
    assert status_code(network, f"canister/{echo}", [path]) == 200
    assert status_code(network, f"canister/{echo}", [path], identity("nosy")) == 403
    assert status_code(network, f"canister/{echo}", [path], AnonymousIdentity()) == 403
    assert status_code(network, f"canister/{other}", [path]) == 403


def test_a_delegation_reads_only_the_calls_it_could_make(network: Running, echo: Principal) -> None:
    root, session = identity("root of a delegation"), identity("session")

    def delegated(target: Principal) -> DelegatedIdentity:
        delegation = Delegation(session.public_key_der or b"", time.time_ns() + 10**11, (target,))
        link = SignedDelegation(delegation, root.sign(delegation.message))
        return DelegatedIdentity(session, root.public_key_der or b"", (link,))

    agent = network.agent(delegated(echo))
    signed = agent.sign_update(echo, "echo", b"x")
    agent.submit(signed)
    agent.close()
    path = [b"request_status", signed.request_id]
    assert status_code(network, f"canister/{echo}", [path], delegated(echo)) == 200
    assert status_code(network, f"canister/{echo}", [path], delegated(Principal(b"\1\1"))) == 403


def test_an_unknown_request_is_proven_unknown(owner_agent: Agent, echo: Principal) -> None:
    path = (b"request_status", b"\7" * 32)
    assert owner_agent.read_state(echo, [path]).lookup(path) == Absent()


def test_too_many_paths(network: Running, echo: Principal) -> None:
    assert status_code(network, f"canister/{echo}", [[b"time"]] * 1000) == 200
    assert status_code(network, f"canister/{echo}", [[b"time"]] * 1001) == 400


def test_the_v2_call_is_asynchronous(network: Running, owner_agent: Agent, echo: Principal) -> None:
    signed = owner_agent.sign_update(echo, "echo", b"later")
    headers = {"Content-Type": "application/cbor"}
    answer = httpx.post(f"{network.url}/api/v2/canister/{echo}/call", content=signed.envelope, headers=headers)
    assert (answer.status_code, answer.content) == (202, b"")
    assert owner_agent.wait_for(signed) == b"later"
    refused = owner_agent.sign_update(echo, "private", b"")
    answer = httpx.post(f"{network.url}/api/v2/canister/{echo}/call", content=refused.envelope, headers=headers)
    fields = cbor.decode(answer.content)
    assert isinstance(fields, dict)
    assert (answer.status_code, fields["reject_code"], fields["error_code"]) == (200, 4, "IC0406")
    with pytest.raises(NetworkError):
        owner_agent.submit(refused)
