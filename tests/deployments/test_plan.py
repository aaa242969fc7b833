"""The bill: its sums against the price list by hand, and each item against what the practice network really takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from personal_ai.canister.instructions import engine_costs
from personal_ai.canister.upload import CHUNK_SIZE_BYTES
from personal_ai.compiler.foretelling import foretell
from personal_ai.deployments.plan import DOCUMENTED_STORAGE_PER_GIB_SECOND, Contents, Plan, Replies, contents_of, plan
from personal_ai.ic.profile import IC
from personal_ai.models.library import starter
from tests.benchmarks.spending import compare
from tests.compiler.decoders import LLAMA

GIB = 1 << 30
TOLERANCE = 0.01
PROGRAM = foretell(LLAMA, "int8")


def bill(wasm_bytes: int = 0, upload_bytes: int = 0, **options: Any) -> Plan:
    return plan(IC, Contents(wasm_bytes, upload_bytes, PROGRAM), **options)


def test_a_gibibyte_of_weights() -> None:
    costs = bill(upload_bytes=GIB)
    assert costs.cycles("create") == 500_000_000_000
    chunks = -(-GIB // CHUNK_SIZE_BYTES)
    per_chunk, per_byte = engine_costs().upload
    sent = 2_000 * (GIB + 32 * chunks) + chunks * per_chunk + GIB * per_byte
    messages = (chunks + 1) * (5_000_000 + 1_200_000 + 2_000 * 450)
    assert abs(costs.cycles("upload") - sent - messages) < 10
    assert 2.2e12 < costs.cycles("upload") < 2.4e12, "the upload is the main cost"
    assert costs.rent_per_day > (317_500 + 10_000) * 86_400
    assert costs.rent_per_day_documented < costs.rent_per_day / 2
    assert costs.cycles("storage") == 30 * costs.rent_per_day
    assert costs.total == sum(item.cycles for item in costs.items)


def test_the_reserve_holds_the_threshold_and_a_messages_limit() -> None:
    small, long = bill(), bill(days=365)
    assert small.cycles("reserve") > 300_000_000_000 + 500_000_000_000 + 90 * small.rent_per_day
    assert long.cycles("storage") == 365 * small.rent_per_day


def test_engine_and_heap_are_rented_too() -> None:
    larger = bill(wasm_bytes=GIB)
    assert larger.rent_per_day - bill().rent_per_day in range(317_499 * 86_400, 317_501 * 86_400)
    per_byte = 2_000 + engine_costs().install
    assert larger.cycles("install") - bill().cycles("install") == pytest.approx(per_byte * GIB)


def test_a_snapshot_costs_what_is_stored_once_more() -> None:
    costs = bill(upload_bytes=GIB)
    assert 0.9 < costs.snapshot_per_day / costs.rent_per_day <= 1
    ratio = costs.snapshot_per_day / costs.snapshot_per_day_documented
    assert ratio == pytest.approx(costs.storage_per_gib_second / DOCUMENTED_STORAGE_PER_GIB_SECOND, rel=0.001)


def test_a_larger_subnet_costs_more_in_proportion() -> None:
    doubled = plan(replace(IC, costs=replace(IC.costs, nodes=26)), Contents(1, 1, PROGRAM))
    for item in bill(1, 1).items:
        assert abs(doubled.cycles(item.what) - 2 * item.cycles) < 1000, item.what


def test_replies_are_counted_by_their_length() -> None:
    def cost(replies: Replies) -> int:
        return plan(IC, Contents(0, 0, PROGRAM), replies=replies).cycles("replies")

    assert cost(Replies(count=200)) == 2 * cost(Replies(count=100))
    assert cost(Replies(reply_tokens=256)) > cost(Replies(reply_tokens=128))


def test_the_starter_model_costs_what_was_planned(tmp_path: Path) -> None:
    """`python -m tests.benchmarks.spending --shape smollm2-135m` does the same with a model of a useful size."""
    items = compare(starter(), tmp_path)
    assert set(items) == {"create", "install", "upload", "verify", "storage", "replies"}
    assert {what: item.share for what, item in items.items() if abs(item.share) > TOLERANCE} == {}


def test_what_is_uploaded_is_known_before_it_is_compiled() -> None:
    contents = contents_of(starter())
    words = sum((starter().folder / name).stat().st_size for name in starter().files_without_weights())
    assert contents.upload_bytes == contents.program.sizes.size_bytes + words
