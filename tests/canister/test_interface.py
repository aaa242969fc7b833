"""The Python types say what resources/canister.did says."""

from __future__ import annotations

import pytest

from personal_ai.canister import interface
from personal_ai.common.paths import resource
from tests.canister.test_canister import ARGUMENTS, QUERIES, RESULTS
from tests.support.interfaces import InterfaceReader


@pytest.fixture(scope="module")
def definition() -> InterfaceReader:
    return InterfaceReader(resource("canister.did").read_text())


def test_the_same_methods(definition: InterfaceReader) -> None:
    assert definition.methods.keys() == ARGUMENTS.keys()
    assert sorted(name for name, (_, _, query) in definition.methods.items() if query) == sorted(QUERIES)


@pytest.mark.parametrize("method", [*ARGUMENTS])
def test_the_same_types(definition: InterfaceReader, method: str) -> None:
    arguments, results, _ = definition.methods[method]
    assert arguments == ARGUMENTS[method][0]
    assert results == [interface.STATUS if method == "status" else RESULTS[method]]
