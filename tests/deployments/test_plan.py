"""The plan's sums, against the cost table by hand."""

from personal_ai.deployments.plan import plan
from personal_ai.ic.profile import IC

GIB = 1 << 30


def test_a_gibibyte_of_weights() -> None:
    costs = plan(IC, wasm_bytes=0, upload_bytes=GIB, heap_bytes=0, days=30)
    assert costs.create == 500_000_000_000
    assert costs.upload == 2_000 * GIB, "2.15 T: the upload is the main cost"
    assert costs.rent_per_day == (317_500 + 10_000) * 86_400
    month = 30 * costs.rent_per_day
    assert 0.8e12 < month < 0.9e12
    assert costs.reserve == 300_000_000_000 + 2 * month + 500_000_000_000, "the threshold's month and one to live on"
    assert costs.total == costs.create + costs.install + costs.upload + costs.reserve


def test_heap_and_engine_are_rented_too() -> None:
    small = plan(IC, wasm_bytes=1 << 20, upload_bytes=0, heap_bytes=0)
    large = plan(IC, wasm_bytes=1 << 20, upload_bytes=0, heap_bytes=GIB)
    assert large.rent_per_day - small.rent_per_day in range(317_499 * 86_400, 317_501 * 86_400)
    assert small.install == 1_200_000 + 2_000 * (1 << 20)
