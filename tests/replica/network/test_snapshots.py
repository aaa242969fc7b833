"""Snapshots: taken, loaded after damage, read piece by piece, paid for, and gone with their canister."""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import replace

import pytest

from personal_ai.common.errors import OutOfCyclesError, RejectedError
from personal_ai.ic.agent import Agent
from personal_ai.ic.identity import AnonymousIdentity
from personal_ai.ic.management import CanisterSettings, InstallMode, Management
from personal_ai.ic.management_snapshots import SNAPSHOT_WRITE_MAX_BYTES, SnapshotPart
from personal_ai.ic.principal import Principal
from personal_ai.ic.profile import CostTable
from personal_ai.replica.snapshot_methods import TAKE_INSTRUCTIONS
from tests.replica.network.running import TRILLION, Running, identity


@pytest.fixture
def counting(network: Running, owner_agent: Agent, echo_wasm: bytes) -> Principal:
    """An echo canister that has counted to one in heap and stable memory."""
    canister_id = network.install(owner_agent, echo_wasm)
    owner_agent.update(canister_id, "count_everywhere", b"")
    return canister_id


def count(agent: Agent, canister_id: Principal) -> int:
    return int.from_bytes(agent.update(canister_id, "count_everywhere", b"")[:8], "little")


def refused(attempt: object) -> str | None:
    with pytest.raises(RejectedError) as caught:
        attempt()  # type: ignore[operator]
    return caught.value.error_code


def test_a_snapshot_brings_everything_back(owner_agent: Agent, counting: Principal, echo_wasm: bytes) -> None:
    management = Management(owner_agent)
    snapshot = management.take_snapshot(counting)
    assert count(owner_agent, counting) == 2
    management.install_code(counting, InstallMode.REINSTALL, echo_wasm)
    assert count(owner_agent, counting) == 1
    for _ in range(2):
        management.load_snapshot(counting, snapshot.id)
        assert count(owner_agent, counting) == 2
    management.uninstall_code(counting)
    assert owner_agent.module_hash(counting) is None
    management.load_snapshot(counting, snapshot.id)
    assert owner_agent.module_hash(counting) == hashlib.sha256(echo_wasm).digest()
    assert count(owner_agent, counting) == 2


def test_snapshots_are_listed_replaced_and_deleted(owner_agent: Agent, counting: Principal) -> None:
    management = Management(owner_agent)
    before = management.canister_status(counting)
    first = management.take_snapshot(counting)
    held = management.canister_status(counting)
    assert held.memory_bytes == before.memory_bytes + first.size_bytes
    assert held.idle_cycles_per_day > before.idle_cycles_per_day
    second = management.take_snapshot(counting, replace_id=first.id)
    assert management.snapshots(counting) == [second]
    assert second.taken_at_ns > first.taken_at_ns
    assert refused(lambda: management.load_snapshot(counting, first.id)) == "IC0408"
    management.delete_snapshot(counting, second.id)
    assert refused(lambda: management.delete_snapshot(counting, second.id)) == "IC0408"
    assert management.snapshots(counting) == []
    assert management.canister_status(counting).memory_bytes == before.memory_bytes


def test_a_snapshot_is_read_piece_by_piece(owner_agent: Agent, counting: Principal, echo_wasm: bytes) -> None:
    management = Management(owner_agent)
    chunk_hash = management.upload_chunk(counting, b"a chunk")
    snapshot = management.take_snapshot(counting)
    contents = management.snapshot_contents(counting, snapshot.id)
    assert contents.chunk_hashes == (chunk_hash,)
    assert contents.sizes[SnapshotPart.MODULE] == len(echo_wasm)
    read = lambda part, offset, size: management.read_snapshot(counting, snapshot.id, part, offset, size)  # noqa: E731
    module = read(SnapshotPart.MODULE, 0, 100) + read(SnapshotPart.MODULE, 100, len(echo_wasm) - 100)
    assert module == echo_wasm
    heap = read(SnapshotPart.HEAP, 0, min(contents.sizes[SnapshotPart.HEAP], 2_000_000))
    assert any(heap)
    count(owner_agent, counting)
    assert read(SnapshotPart.HEAP, 0, len(heap)) == heap
    for part, size in contents.sizes.items():
        assert refused(lambda part=part, size=size: read(part, size, 1)) == "IC0408"
    assert refused(lambda: read(SnapshotPart.HEAP, 0, 2_000_001)) == "IC0408"


def test_taking_one_costs_its_size(network: Running, owner_agent: Agent, counting: Principal) -> None:
    management = Management(owner_agent)
    size_bytes = management.canister_status(counting).memory_bytes
    last = network.calls()[-1]["seq"]
    snapshot = management.take_snapshot(counting)
    (call,) = network.calls(after=last)
    costs = CostTable()
    ingress = call["cycles"] - (costs.update_base + TAKE_INSTRUCTIONS + snapshot.size_bytes)
    assert costs.ingress_base < ingress < costs.ingress_base + 2_000 * costs.ingress_per_byte
    assert abs(snapshot.size_bytes - size_bytes) < 2_000  # the status counts globals, metadata and the log as well


def test_whoever_may_not_or_cannot_pay(network: Running, owner_agent: Agent, counting: Principal) -> None:
    stranger = network.agent(AnonymousIdentity())
    assert refused(lambda: Management(stranger).take_snapshot(counting)) == "IC0512"
    stranger.close()
    management = Management(owner_agent)
    empty = network.create_canister(owner_agent)
    assert refused(lambda: management.take_snapshot(empty)) == "IC0408"
    threshold_s = 3 * TRILLION // (management.canister_status(counting).idle_cycles_per_day // 86_400)
    management.update_settings(counting, CanisterSettings(freezing_threshold=threshold_s))
    with pytest.raises(OutOfCyclesError):
        management.take_snapshot(counting)


def test_ten_at_most_and_none_when_the_canister_is_gone(
    network: Running, owner_agent: Agent, counting: Principal
) -> None:
    management = Management(owner_agent)
    for _ in range(10):
        management.take_snapshot(counting)
    assert refused(lambda: management.take_snapshot(counting)) == "IC0408"
    kept = [
        path.name for path in (network.folder / "snapshots").iterdir() if path.name.startswith(counting.bytes.hex())
    ]
    assert len(kept) == 10
    management.stop_canister(counting)
    management.delete_canister(counting)
    assert not any(path.name in kept for path in (network.folder / "snapshots").iterdir())


def test_they_outlive_a_kill_and_half_copies_do_not(own_network: Running, echo_wasm: bytes) -> None:
    agent = own_network.agent()
    canister_id = own_network.install(agent, echo_wasm)
    agent.update(canister_id, "count_everywhere", b"")
    snapshot = Management(agent).take_snapshot(canister_id)
    agent.close()
    own_network.kill()
    half = own_network.folder / "snapshots" / "00"
    half.mkdir()
    own_network.start()
    agent = own_network.agent()
    assert not half.exists()
    count(agent, canister_id)
    Management(agent).load_snapshot(canister_id, snapshot.id)
    assert count(agent, canister_id) == 2
    agent.close()
    assert own_network.control("GET", "audit").json()["unaccounted_cycles"] == 0


def test_snapshots_of_a_state_that_knew_no_uploads_are_there(own_network: Running, echo_wasm: bytes) -> None:
    agent = own_network.agent()
    canister_id = own_network.install(agent, echo_wasm)
    snapshot = Management(agent).take_snapshot(canister_id)
    agent.close()
    own_network.kill()
    with sqlite3.connect(own_network.folder / "state.sqlite") as db:
        db.execute("ALTER TABLE snapshot DROP COLUMN uploaded")
    db.close()
    own_network.start()
    agent = own_network.agent()
    management = Management(agent)
    assert management.snapshots(canister_id) == [snapshot]
    assert not management.snapshot_contents(canister_id, snapshot.id).uploaded
    management.load_snapshot(canister_id, snapshot.id)
    agent.close()


def test_logs_are_followed_by_number(network: Running, owner_agent: Agent, counting: Principal) -> None:
    management = Management(owner_agent)
    for line in (b"one", b"two"):
        owner_agent.update(counting, "print", line)
    lines = management.logs(counting)
    assert [line.content for line in lines] == [b"one", b"two"]
    assert [line.content for line in management.logs(counting, from_index=lines[1].index)] == [b"two"]
    viewer = identity("a viewer")
    reading = Management(agent := network.agent(viewer))
    assert refused(lambda: reading.logs(counting)) == "IC0406"
    for visibility in ((viewer.principal,), "public"):
        management.update_settings(counting, CanisterSettings(log_visibility=visibility))
        assert reading.logs(counting) == lines
    management.update_settings(counting, CanisterSettings(log_visibility="controllers"))
    assert refused(lambda: reading.logs(counting)) == "IC0406"
    agent.close()


def test_a_snapshot_that_was_read_out_is_put_back_into_another_canister(
    network: Running, owner_agent: Agent, counting: Principal, echo_wasm: bytes
) -> None:
    management = Management(owner_agent)
    taken = management.take_snapshot(counting)
    contents = management.snapshot_contents(counting, taken.id)
    other = network.create_canister(owner_agent)
    uploaded = management.begin_snapshot(other, contents)
    assert refused(lambda: management.load_snapshot(other, uploaded)) == "IC0408", "its module has not come yet"
    for part, size in contents.sizes.items():
        for offset in range(0, size, SNAPSHOT_WRITE_MAX_BYTES):
            length = min(SNAPSHOT_WRITE_MAX_BYTES, size - offset)
            piece = management.read_snapshot(counting, taken.id, part, offset, length)
            for _ in range(2):  # an answer may be lost
                management.write_snapshot(other, uploaded, part, offset, piece)
        assert refused(lambda part=part, size=size: management.write_snapshot(other, uploaded, part, size, b"!"))
    shown = management.snapshot_contents(other, uploaded)
    assert shown.uploaded and replace(shown, uploaded=False) == contents
    assert [one.size_bytes for one in management.snapshots(other)] == [taken.size_bytes]
    management.load_snapshot(other, uploaded)
    assert owner_agent.module_hash(other) == hashlib.sha256(echo_wasm).digest()
    assert count(owner_agent, other) == 2 and count(owner_agent, counting) == 2


def test_what_no_canister_could_be_is_not_taken_in(owner_agent: Agent, counting: Principal) -> None:
    management = Management(owner_agent)
    taken = management.take_snapshot(counting)
    contents = management.snapshot_contents(counting, taken.id)
    assert refused(lambda: management.write_snapshot(counting, taken.id, SnapshotPart.HEAP, 0, b"!")) == "IC0408"
    for part, size in ((SnapshotPart.HEAP, 1), (SnapshotPart.STABLE, 1 << 50), (SnapshotPart.MODULE, 1 << 40)):
        wrong = replace(contents, sizes={**contents.sizes, part: size})
        assert refused(lambda wrong=wrong: management.begin_snapshot(counting, wrong)) == "IC0408"
    assert refused(lambda: management.begin_snapshot(counting, replace(contents, globals=(("v128", -0),) * 1_001)))
    unfit = management.begin_snapshot(
        counting, replace(contents, globals=(*contents.globals, ("i64", -7), ("f32", 0.5)))
    )
    assert management.snapshot_contents(counting, unfit).globals[-2:] == (("i64", -7), ("f32", 0.5))
    size = contents.sizes[SnapshotPart.MODULE]
    module = management.read_snapshot(counting, taken.id, SnapshotPart.MODULE, 0, size)
    management.write_snapshot(counting, unfit, SnapshotPart.MODULE, 0, module)
    assert refused(lambda: management.load_snapshot(counting, unfit)) == "IC0408"
    assert count(owner_agent, counting) == 2, "nothing was changed"
