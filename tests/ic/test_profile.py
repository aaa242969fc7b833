from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from personal_ai.common.errors import FormatError, SecurityError, UnknownVersionError, UserFacingError
from personal_ai.ic import bls
from personal_ai.ic.profile import (
    IC,
    IC_ROOT_KEY_DER,
    CostTable,
    NetworkProfile,
    is_loopback,
    load_profiles,
    practice,
)

GOLDEN = Path(__file__).parent / "golden" / "network-profile.json"
KEY = bls.SigningKey(b"seed").public_key_der
OWN = NetworkProfile("my-network", "custom", ("https://example.org",), KEY)


def fields(**changes: Any) -> dict[str, Any]:
    return json.loads(OWN.to_json()) | changes


def read(**changes: Any) -> NetworkProfile:
    return NetworkProfile.from_json(json.dumps(fields(**changes)))


def test_the_golden_profile_reads_and_is_written_again() -> None:
    text = GOLDEN.read_text()
    profile = NetworkProfile.from_json(text)
    assert (profile.name, profile.kind) == ("office", "custom")
    assert profile.gateways == ("https://ic.example.org", "https://ic2.example.org:8443")
    assert profile.root_key_der == IC_ROOT_KEY_DER
    assert (profile.costs.storage_per_gib_second, profile.costs.nodes) == (127_000, 34)
    assert profile.limits.chunks == 50
    assert profile.pacing.round_s == 0.5
    assert profile.to_json() + "\n" == text


def test_a_short_profile_has_the_real_networks_tables() -> None:
    short = {"version": 1, "name": "dev", "kind": "local", "gateways": ["http://127.0.0.1:4943"]}
    profile = NetworkProfile.from_json(json.dumps(short))
    assert (profile.costs, profile.limits, profile.root_key_der) == (IC.costs, IC.limits, None)


@given(st.integers(0, 2**62), st.integers(1, 100), st.sampled_from(["local", "custom"]))
def test_round_trip(creation: int, nodes: int, kind: Any) -> None:
    profile = replace(OWN, kind=kind, costs=CostTable(creation=creation, nodes=nodes))
    assert NetworkProfile.from_json(profile.to_json()) == profile


def test_prices_follow_the_subnets_size() -> None:
    assert CostTable().on_subnet(500_000_000_000) == 500_000_000_000
    assert CostTable(nodes=34).on_subnet(13) == 34
    assert CostTable(nodes=34).on_subnet(1) == 3  # in the network's favour


# ---- keys


def test_the_internet_computer_is_built_in() -> None:
    assert (IC.name, IC.kind, IC.root_key_der) == ("ic", "ic", IC_ROOT_KEY_DER)
    assert all(gateway.startswith("https://") for gateway in IC.gateways)
    assert load_profiles(Path("there is no such folder")) == {"ic": IC}


@pytest.mark.parametrize("changes", [{"name": "ic"}, {"kind": "ic"}])
def test_no_other_key_can_be_the_internet_computers(changes: dict[str, Any]) -> None:
    with pytest.raises(SecurityError):
        replace(OWN, **changes)


@pytest.mark.parametrize("changes", [{"name": "ic"}, {"name": "practice"}, {"kind": "ic"}, {"kind": "practice"}])
def test_a_file_cannot_take_a_built_in_place(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        read(**changes, root_key=IC_ROOT_KEY_DER.hex())


@pytest.mark.parametrize(
    "gateways",
    [["https://example.org"], ["http://127.0.0.1:1", "https://example.org"], ["https://127.0.0.1.example.org"]],
)
def test_another_computer_needs_a_pinned_key(gateways: list[str]) -> None:
    with pytest.raises(SecurityError, match="root key"):
        read(gateways=gateways, root_key=None)


def test_this_computer_needs_none() -> None:
    assert read(gateways=["http://127.0.0.1:1", "http://[::1]:2", "http://localhost"], root_key=None).is_loopback


@pytest.mark.parametrize(
    ("gateway", "local"),
    [
        ("http://127.0.0.1:4943", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:80", True),
        ("http://localhost:1", True),
        ("https://localhost.example.org", False),
        ("https://127.0.0.1@example.org", False),
        ("https://0.0.0.0", False),
        ("https://192.168.0.1", False),
        ("nonsense", False),
    ],
)
def test_loopback(gateway: str, local: bool) -> None:
    assert is_loopback(gateway) is local


def test_practice_is_on_this_computer_only() -> None:
    profile = practice("http://127.0.0.1:5000", KEY)
    assert (profile.name, profile.kind, profile.costs) == ("practice", "practice", IC.costs)
    with pytest.raises(SecurityError):
        practice("https://example.org", KEY)


# ---- bad files


@pytest.mark.parametrize(
    "changes",
    [
        {"name": ""},
        {"name": "Large"},
        {"name": "../../etc"},
        {"name": "a" * 33},
        {"name": 5},
        {"gateways": []},
        {"gateways": ["https://a.example"] * 9},
        {"gateways": [5]},
        {"gateways": ["https://example.org/path"]},
        {"gateways": ["https://name@example.org"]},
        {"gateways": ["https://example.org:port"]},
        {"gateways": ["https://"]},
        {"gateways": ["ftp://example.org"]},
        {"gateways": ["https://[::1"]},
        {"root_key": "xyz"},
        {"root_key": 5},
        {"root_key": "00"},
        {"costs": []},
        {"costs": {"creation": -1}},
        {"costs": {"creation": 1.5}},
        {"costs": {"creation": True}},
        {"costs": {"creation": "1"}},
        {"costs": {"unknown": 1}},
        {"pacing": {"round_s": float("nan")}},
        {"pacing": {"round_s": float("inf")}},
        {"ledgers": {"cycles": "nonsense"}},
        {"ledgers": {"cycles": 5}},
        {"surplus": 1},
        {"version": "1"},
        {"version": None},
    ],
)
def test_bad_fields_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FormatError):
        read(**changes)


def test_prompts_do_not_travel_unencrypted() -> None:
    with pytest.raises(SecurityError, match="encryption"):
        read(gateways=["http://example.org"])


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(UnknownVersionError, match="version 2"):
        read(version=2)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '"x"', "[" * 100_000])
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        NetworkProfile.from_json(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(fields())), JSON, min_size=1, max_size=3))
def test_any_json_is_a_profile_or_refused(changes: dict[str, Any]) -> None:
    with contextlib.suppress(UserFacingError):
        read(**changes)


# ---- a folder of profiles


def test_the_users_own_profiles(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(OWN.to_json())
    (tmp_path / "notes.txt").write_text("not a profile")
    assert load_profiles(tmp_path) == {"ic": IC, "my-network": OWN}


def test_a_name_comes_once(tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text(OWN.to_json())
    with pytest.raises(FormatError, match=r"b\.json"):
        load_profiles(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b" " * 70_000])
def test_a_bad_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "mine.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"mine\.json"):
        load_profiles(tmp_path)
