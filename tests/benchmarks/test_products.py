"""The benchmark of products runs each of them."""

from __future__ import annotations

from tests.benchmarks import products


def test_each_product_is_timed_with_each_matrix() -> None:
    results = products.run(runs=2)
    assert set(results) == set(products.PRODUCTS)
    assert all(len(rates) == len(products.MATRICES) and min(rates) > 0 for rates in results.values())
