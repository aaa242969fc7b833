"""Models come into the heap in slices: begun by a call, continued by the timer, unasked after an upgrade."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from personal_ai.canister import client as clients
from personal_ai.canister import interface
from personal_ai.canister.client import (
    CanisterBusy,
    CanisterClient,
    InvalidRequest,
    LoadProgress,
    NoModel,
    UnknownModel,
)
from personal_ai.canister.upload import Upload
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.ic import candid
from personal_ai.ic.principal import Principal
from tests.canister.installed import UPDATE_LIMIT, Installed, Network
from tests.canister.models import Talk, load, make_upload
from tests.support.checkpoints import Shape

SMALL = Shape(context=96)
# Measuring one piece of it takes more than one slice of loading.
LARGE = Shape(hidden=512, layers=6, heads=8, key_value_heads=8, intermediate=2048, context=128)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    return make_upload(tmp_path_factory.mktemp("small"), SMALL)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Upload:
    return make_upload(tmp_path_factory.mktemp("large"), LARGE)


@pytest.fixture(scope="module")
def uploaded(network: Network, large: Upload) -> Installed:
    """A canister that has the large model, active but for the last test in no state to count on."""
    canister = network.canister()
    load(canister.client, large)
    return canister


@pytest.fixture(autouse=True)
def quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "_POLL_FIRST_S", 0.01)


def _timer_calls(canister: Installed) -> int:
    return [method for method, _ in canister.calls].count("canister_global_timer")


def test_after_activate_the_client_only_polls(uploaded: Installed, large: Upload) -> None:
    uploaded.client.unload()
    uploaded.calls.clear()
    reports: list[Progress] = []
    uploaded.client.activate(on_progress=reports.append)
    assert [method for method, _ in uploaded.calls].count("activate") == 1
    assert _timer_calls(uploaded) >= 1
    assert uploaded.fire_timer() is None, "the timer is off when all is done"
    assert reports[-1].done == reports[-1].total == large.manifest.files[0].size_bytes
    assert max(outcome.instructions for _, outcome in uploaded.calls) < UPDATE_LIMIT // 10, "slices are short"
    Talk(uploaded.client, []).go_on(1, [7])


def test_after_an_upgrade_the_model_comes_back_by_itself(uploaded: Installed, large: Upload) -> None:
    talk = Talk(uploaded.client, [])
    talk.go_on(4, [7, 8, 9])
    uploaded.timers = False
    uploaded.upgrade()
    status = uploaded.client.status()
    assert status.model is not None
    assert status.model.loading == LoadProgress(0, large.manifest.files[0].size_bytes)
    with pytest.raises(NoModel):
        Talk(uploaded.client, [], b"early").go_on(1, [7])
    assert uploaded.fire_timer() is not None
    status = uploaded.client.status()
    assert status.model is not None and status.model.loading is not None
    assert status.model.loading.bytes_loaded == status.model.loading.bytes_total, "it is still being measured"
    with pytest.raises(CanisterBusy):
        Talk(uploaded.client, [], b"early").go_on(1, [7])
    while uploaded.fire_timer() is not None:
        pass
    uploaded.timers = True
    again = Talk(uploaded.client, [], b"again")
    again.go_on(4, [7, 8, 9])
    assert again.tokens == talk.tokens


def test_where_no_timer_comes_the_client_goes_on_by_itself(
    uploaded: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_STALLED_S", 0.02)
    uploaded.client.unload()
    uploaded.timers = False
    uploaded.client.activate()
    uploaded.timers = True
    Talk(uploaded.client, []).go_on(1, [7])


def test_activate_again_is_harmless(uploaded: Installed, large: Upload) -> None:
    talk = Talk(uploaded.client, [])
    talk.go_on(4, [7, 8, 9])
    for _ in range(2):
        uploaded.client.activate(large.manifest.hash)
    talk.go_on(2)


def test_unloaded_stays_unloaded(uploaded: Installed) -> None:
    uploaded.timers = False
    uploaded.upgrade()
    uploaded.fire_timer()
    uploaded.client.unload()
    uploaded.timers = True
    uploaded.client.status()
    status = uploaded.client.status()
    assert status.model is not None and (status.model.loaded, status.model.loading) == (None, None)
    uploaded.client.activate()


def test_the_old_model_answers_while_the_timer_loads_another(canister: Installed, small: Upload, large: Upload) -> None:
    load(canister.client, small)
    talk = Talk(canister.client, [])
    talk.go_on(2, [7, 8])
    canister.client.begin_upload(large.manifest)
    for index in canister.client.missing_chunks():
        canister.client.put_chunk(index, large.read_chunk(index))
    canister.timers = False
    argument = {"hash": large.manifest.hash, "unload_first": False}
    canister.update(canister.id, "activate", candid.encode([interface.ACTIVATION], [argument]))
    status = canister.client.status()
    assert status.staging is not None and status.staging_loading is not None
    talk.go_on(2)
    while canister.fire_timer() is not None:
        pass
    status = canister.client.status()
    assert status.model is not None and status.model.hash == large.manifest.hash and status.staging is None


class _Answers:
    """Answers `activate` as begun, then `status` with one load state after another."""

    def __init__(self, *states: tuple[str, Any]) -> None:
        self._states = itertools.chain(states, itertools.repeat(states[-1]))
        self.updates = 0

    def update(self, canister_id: Principal, method: str, arg: bytes, *, cancel: Cancel | None = None) -> bytes:
        self.updates += 1
        answer = ("ok", {"done": False, "bytes_loaded": 0, "bytes_total": 10})
        return candid.encode([interface.result(interface.ACTIVATION_STATE, interface.MODEL_ERROR)], [answer])

    def query(self, canister_id: Principal, method: str, arg: bytes) -> bytes:
        model = {"hash": bytes(32), "name": "m", "files": [], "state": next(self._states)}
        counters = {"requests": 0, "tokens_generated": 0, "tokens_computed": 0, "instructions": 0}
        status = {
            "interface_version": interface.VERSION,
            "engine_version": "1",
            "model": model,
            "staging": None,
            "heap_bytes": 0,
            "stable_bytes": 0,
            "cycles": 0,
            "counters": counters,
            "conversations": [],
        }
        return candid.encode([interface.STATUS], [status])


def test_what_stopped_the_timer_is_raised() -> None:
    loading = ("loading", {"done": False, "bytes_loaded": 5, "bytes_total": 10})
    answers = _Answers(loading, ("failed", ("invalid", "the program does not hold together")))
    with pytest.raises(InvalidRequest, match="hold together"):
        CanisterClient(answers, Principal(b"\x01")).activate(bytes(32))
    assert answers.updates == 1


def test_a_model_that_went_away_is_told() -> None:
    answers = _Answers(("unloaded", None))
    with pytest.raises(UnknownModel):
        CanisterClient(answers, Principal(b"\x01")).activate(b"\x07" * 32)
