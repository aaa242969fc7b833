"""A canister for each test, and one compiler cache for all of them."""

from __future__ import annotations

import platformdirs
import pytest

from tests.canister.installed import Installed, Network

_ZIG_CACHE = platformdirs.user_cache_path("personal-ai") / "zig"  # before tests have a home of their own


@pytest.fixture(autouse=True)
def zig_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(_ZIG_CACHE))


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    return Network(tmp_path_factory.mktemp("network"))


@pytest.fixture
def canister(network: Network) -> Installed:
    """A fresh canister without a model."""
    return network.canister()
