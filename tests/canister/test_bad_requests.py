"""Requests that are wrong, damaged or a stranger's: refused in words, and the conversation goes on."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from personal_ai.canister import interface
from personal_ai.canister.client import InvalidRequest
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import RejectedError
from personal_ai.ic import candid
from tests.canister.installed import Installed
from tests.canister.models import GREEDY, Talk, hash_of, load, make_upload
from tests.support.checkpoints import Shape

PROMPT = [5, 6, 7, 8, 300, 301, 5, 6, 90, 91, 92]


@pytest.fixture(scope="session")
def upload(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    return make_upload(tmp_path_factory.mktemp("model"), Shape())


@pytest.fixture
def loaded(canister: Installed, upload: Upload) -> Installed:
    load(canister.client, upload)
    return canister


def test_requests_that_are_wrong_in_themselves(loaded: Installed) -> None:
    talk = Talk(loaded.client, [])
    changes: list[tuple[dict[str, Any], str]] = [
        ({"append": [384]}, "vocabulary"),
        ({"append": []}, "no token"),
        ({"conversation": bytes(33)}, "at most 32 bytes"),
        ({"keep_hash": b""}, "32 bytes"),
        ({"keep_hash": bytes(32)}, "hash of nothing"),
        ({"stop": [[]]}, "1 to 64"),
        ({"stop": [[1] * 65]}, "1 to 64"),
        ({"stop": [[1]] * 17}, "at most 16"),
    ]
    for change, text in changes:
        request: dict[str, Any] = {
            "conversation": b"c",
            "keep": 0,
            "keep_hash": hash_of([]),
            "append": [1],
            "max_tokens": 1,
            "sampling": GREEDY,
            **change,
        }
        for call in (talk.client.generate, talk.client.generate_query):
            with pytest.raises(InvalidRequest, match=text):
                call(**request)
    talk.go_on(1, PROMPT)


@pytest.mark.parametrize("field", ["temperature", "top_p", "min_p", "repetition_penalty"])
@pytest.mark.parametrize("value", [-1.0, 1e30, float("nan"), float("inf")])
def test_sampling_out_of_range(loaded: Installed, field: str, value: float) -> None:
    fields = {"temperature": 0.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repetition_penalty": 1.0, "seed": 0}
    request = {
        "conversation": b"c",
        "keep": 0,
        "keep_hash": hash_of([]),
        "append": [1],
        "max_tokens": 1,
        "max_instructions": 0,
        "sampling": {**fields, field: value},
        "stop": [],
    }
    answer = loaded.update(loaded.id, "generate", candid.encode([interface.GENERATE_REQUEST], [request]))
    result = interface.result(interface.GENERATED, interface.GENERATE_ERROR)
    ((variant, error),) = candid.decode([result], answer)
    assert variant == "err" and error[0] == "invalid" and field in error[1]


def test_changed_requests_never_trap(loaded: Installed) -> None:
    request = {
        "conversation": b"c",
        "keep": 0,
        "keep_hash": hash_of([]),
        "append": PROMPT,
        "max_tokens": 2,
        "max_instructions": 1,
        "sampling": {
            "temperature": 0.5,
            "top_k": 3,
            "top_p": 0.5,
            "min_p": 0.125,
            "repetition_penalty": 1.25,
            "seed": 1,
        },
        "stop": [[1, 2], [3]],
    }
    valid = candid.encode([interface.GENERATE_REQUEST], [request])
    result = interface.result(interface.GENERATED, interface.GENERATE_ERROR)
    rng = random.Random(5)
    answered = 0
    for _ in range(400):
        changed = bytearray(valid)
        for _ in range(rng.randint(1, 3)):
            changed[rng.randrange(len(valid) // 2, len(valid))] = rng.randrange(256)
        ((variant, _),) = candid.decode([result], loaded.update(loaded.id, "generate", bytes(changed)))
        answered += variant == "ok"
    assert answered > 20


def test_a_stranger_cannot_generate(loaded: Installed) -> None:
    loaded.caller = replace(loaded.caller, bytes=b"\x09" * 29)
    with pytest.raises(RejectedError, match="only a controller"):
        Talk(loaded.client, []).go_on(1, PROMPT)
