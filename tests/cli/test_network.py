"""`personal-ai network`: networks of one's own."""

from __future__ import annotations

import json

import pytest

from personal_ai.ic.profile import IC
from tests.cli.conftest import Run


@pytest.mark.usefixtures("own_home")
def test_a_network_is_described_changed_listed_and_removed(run: Run) -> None:
    assert IC.root_key_der is not None
    assert run("network", "add", "mine", "http://127.0.0.1:4943").exit_code == 0
    refused = run("network", "add", "far", "https://example.org")
    assert refused.exit_code == 1 and "names no root key" in refused.errors
    assert run("network", "change", "mine", "https://example.org", "--root-key", IC.root_key_der.hex()).exit_code == 0
    listed = [json.loads(line) for line in run("network", "list", "--json").output.splitlines()]
    assert listed[1] == {"name": "mine", "gateways": ["https://example.org"], "pinned": True}
    assert "mine  https://example.org  (its key is known)" in run("network", "list").output
    assert "What lives there stays" in run("network", "remove", "mine").output
    assert run("network", "remove", "mine").exit_code == 1
