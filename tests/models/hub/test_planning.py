"""What a plan tells, what it refuses, and that hostile answers end in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import (
    BadInputError,
    FormatError,
    SecurityError,
    UnsupportedModelError,
    UserFacingError,
)
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.errors import HubAccessError, HubError, HubNotFoundError, WrongContentError
from personal_ai.models.hub.names import HubName, is_hub_name
from personal_ai.models.hub.planning import plan
from tests.models.hub.conftest import MODEL, PATIENT, TOKEN, files
from tests.support.hub import DESCRIPTION, LISTING, Fault, LoopbackHub


def test_a_plan_names_just_what_an_import_needs_before_anything_large_is_fetched(
    loopback: LoopbackHub, hub: Hub
) -> None:
    found = plan(hub, MODEL)
    chosen = {
        name: len(content) for name, content in files().items() if name not in ("pytorch_model.bin", "training.log")
    }
    assert {file.name: file.size_bytes for file in found.files} == chosen
    assert found.size_bytes == sum(chosen.values())
    assert (found.id, found.licence, found.gated) == (MODEL, "apache-2.0", False)
    assert {seen.name for seen in loopback.seen} == {DESCRIPTION, LISTING, "config.json"}


def test_everything_is_asked_of_one_commit(loopback: LoopbackHub, hub: Hub) -> None:
    commit = plan(hub, MODEL).commit
    later = [seen.path for seen in loopback.seen if seen.name != DESCRIPTION]
    assert later and all(f"/{commit}" in path for path in later)
    assert plan(hub, f"{MODEL}@{commit}").commit == commit


def test_another_commit_than_the_one_asked_for_is_refused(loopback: LoopbackHub, hub: Hub) -> None:
    body = json.dumps({"sha": "a" * 40}).encode()
    loopback.always[DESCRIPTION] = Fault(body=body)
    with pytest.raises(SecurityError, match="another commit"):
        plan(hub, f"{MODEL}@{'b' * 40}")


def test_weights_in_parts_are_those_that_the_index_names(loopback: LoopbackHub, hub: Hub) -> None:
    parts = {f"model-0000{part}-of-00002.safetensors": bytes([part]) * 2000 for part in (1, 2)}
    index = json.dumps({"weight_map": dict(zip("ab", parts, strict=True))}).encode()
    more = {"consolidated.safetensors": b"x" * 2000, "model.safetensors.index.json": index}
    whole = files()
    del whole["model.safetensors"]
    loopback.add(MODEL, whole | parts | more)
    weights = [file.name for file in plan(hub, MODEL).files if "safetensors" in file.name]
    assert weights == ["model.safetensors.index.json", *parts]
    loopback.add(MODEL, whole | more)
    with pytest.raises(HubNotFoundError, match="model-00001-of-00002"):
        plan(hub, MODEL)


@pytest.mark.parametrize("part", ["../config.json", "../../x.safetensors", "/etc/x.safetensors", "a\\b.safetensors"])
def test_an_index_cannot_name_files_elsewhere(loopback: LoopbackHub, hub: Hub, part: str) -> None:
    whole = files()
    del whole["model.safetensors"]
    index = json.dumps({"weight_map": {"a": part}}).encode()
    loopback.add(MODEL, whole | {"model.safetensors.index.json": index, part: b"x"})
    with pytest.raises((FormatError, HubNotFoundError)):
        plan(hub, MODEL)


def test_pickles_alone_are_refused_with_the_reason(loopback: LoopbackHub, hub: Hub) -> None:
    whole = files()
    del whole["model.safetensors"]
    loopback.add(MODEL, whole)
    with pytest.raises(UnsupportedModelError, match=r"pytorch_model\.bin: pickle files can run programs"):
        plan(hub, MODEL)


def test_an_architecture_that_cannot_be_imported_is_told_before_the_download(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.add(MODEL, files() | {"config.json": b'{"model_type": "whisper"}'})
    with pytest.raises(UnsupportedModelError, match="whisper"):
        plan(hub, MODEL)


@pytest.mark.parametrize(
    ("facts", "licence"),
    [
        ({"cardData": {"license": "other", "license_name": "llama3"}}, "llama3"),
        ({"cardData": {"license": ["mit", "apache-2.0"]}}, "mit, apache-2.0"),
        ({"tags": ["text-generation", "license:gpl-3.0"]}, "gpl-3.0"),
        ({"cardData": {"license": "\x1b[2Jmit"}}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_licences(loopback: LoopbackHub, hub: Hub, facts: dict[str, Any], licence: str) -> None:
    loopback.add(MODEL, files(), **facts)
    assert plan(hub, MODEL).licence == licence


def test_nothing_of_this_name(hub: Hub) -> None:
    with pytest.raises(HubAccessError, match="private, or there is none"):
        plan(hub, "maker/other")
    with pytest.raises(HubNotFoundError, match="no such revision"):
        plan(hub, f"{MODEL}@v9")


def test_gated_and_private_models_say_what_to_do_and_open_with_a_token(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.tokens[MODEL] = TOKEN
    for facts, words in ({"gated": "manual"}, "accept their terms"), ({"private": True}, "access token"):
        loopback.add(MODEL, files(), **facts)
        with pytest.raises(HubAccessError, match=words):
            plan(hub, MODEL)
        with Hub(loopback.endpoint, token=lambda: TOKEN, patience=PATIENT) as allowed:
            assert plan(allowed, MODEL).gated == ("gated" in facts)
        with (
            Hub(loopback.endpoint, token=lambda: "hf_wrong", patience=PATIENT) as refused,
            pytest.raises(HubAccessError) as error,
        ):
            plan(refused, MODEL)
        assert "hf_wrong" not in str(error.value)


def _bent(**fields: Any) -> dict[str, Any]:
    return {"type": "file", "oid": "0" * 40, "size": 1, "path": "x.json"} | fields


@pytest.mark.parametrize(
    "entry",
    [
        _bent(oid="short"),
        _bent(oid=None),
        _bent(size=-1),
        _bent(size=1e300),
        _bent(size=True),
        _bent(lfs={"oid": "0" * 63, "size": 1}),
        _bent(lfs={"oid": "0" * 64, "size": 2}),
        _bent(lfs=[]) | {"lfs": [1]},
        _bent(path=7),
        _bent(path="CONFIG.json"),
    ],
)
def test_a_list_of_files_that_cannot_be_right(loopback: LoopbackHub, hub: Hub, entry: dict[str, Any]) -> None:
    loopback.listed(MODEL)["bent"] = entry
    with pytest.raises(FormatError):
        plan(hub, MODEL)


@pytest.mark.parametrize("path", ["../evil.json", "/evil.json", "a/b.json", "..", ".hidden", "a\\b", "a\0b", "C:x"])
def test_names_that_lead_elsewhere_are_never_chosen(loopback: LoopbackHub, hub: Hub, path: str) -> None:
    loopback.listed(MODEL)["bent"] = _bent(path=path)
    assert all(file.name in files() for file in plan(hub, MODEL).files)


def test_a_list_without_an_end(loopback: LoopbackHub, hub: Hub) -> None:
    again = f'<{loopback.endpoint}/api/models/{MODEL}/tree/x>; rel="next"'
    loopback.always[LISTING] = Fault(status=200, headers={"Link": again}, body=b"[]")
    with pytest.raises(FormatError, match="no end"):
        plan(hub, MODEL)


def test_a_list_that_goes_on_elsewhere(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.always[LISTING] = Fault(status=200, headers={"Link": '<https://other.example/x>; rel="next"'}, body=b"[]")
    with pytest.raises(SecurityError, match="another computer"):
        plan(hub, MODEL)


def test_an_answer_that_is_too_long(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.always[DESCRIPTION] = Fault(body=b" " * (5 << 20))
    with pytest.raises(HubError, match="too long"):
        plan(hub, MODEL)


def test_a_config_with_another_content(loopback: LoopbackHub, hub: Hub) -> None:
    loopback.always["config.json"] = Fault(content=b"{}")
    with pytest.raises(WrongContentError, match=r"config\.json"):
        plan(hub, MODEL)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["sha", "cardData", "license", "tags", "path", "type", "oid", "size", "lfs"]), inner
        )
    ),
    max_leaves=8,
)


@given(description=_JSON, listing=_JSON)
@settings(max_examples=60)
def test_any_json_ends_in_words(loopback: LoopbackHub, hub: Hub, description: object, listing: object) -> None:
    told = {"sha": "a" * 40} | description if isinstance(description, dict) else description
    loopback.always[DESCRIPTION] = Fault(body=json.dumps(told).encode())
    loopback.always[LISTING] = Fault(body=json.dumps(listing).encode())
    with pytest.raises(UserFacingError):
        plan(hub, MODEL)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b'{"sha": ' + b"9" * 10_000 + b"}", b"<html>"])
def test_what_is_no_json(loopback: LoopbackHub, hub: Hub, body: bytes) -> None:
    loopback.always[DESCRIPTION] = Fault(status=200, body=body)
    with pytest.raises(FormatError):
        plan(hub, MODEL)


def test_names() -> None:
    assert HubName.parse("a/b") == HubName("a", "b", "main")
    assert HubName.parse("Org-1/m.2_x@refs/pr/1").revision == "refs/pr/1"
    for text in (
        "",
        "a",
        "a/",
        "/b",
        "a/b/c",
        "../b",
        "a/..",
        "a/b@",
        "a/b@../c",
        "a--x/b",
        "a/b c",
        "a/b@x//y",
        "a/é",
    ):
        assert not is_hub_name(text)
        with pytest.raises(BadInputError):
            HubName.parse(text)
