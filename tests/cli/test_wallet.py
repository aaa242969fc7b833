"""Money from the command line: practice money in, sent, converted, and the story told."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from personal_ai.common.paths import Paths
from personal_ai.deployments.practice import PracticeNetwork
from tests.cli.conftest import Run


@pytest.fixture
def money(run: Run, own_home: object, password_file: str) -> Iterator[Run]:
    """`wallet` commands on a fresh vault, with JSON read back."""
    assert run("vault", "create", "--password-file", password_file).exit_code == 0

    def wallet(*arguments: str) -> object:
        return run("wallet", *arguments, "--password-file", password_file)

    yield wallet  # type: ignore[misc]
    PracticeNetwork(Paths.default().practice_network).stop()


def test_from_practice_money_to_a_history(money: Run) -> None:
    assert money("faucet", "icp", "10").exit_code == 0
    assert json.loads(money("balance", "--json").output)["icp_e8s"] == 10**9
    addresses = json.loads(money("receive", "--json").output)
    asked = money("send", "icp", "1", addresses["principal"])
    assert (asked.exit_code, "fee 0.0001 ICP" in asked.errors) == (1, True)
    assert "Nothing was paid" in asked.errors

    sent = json.loads(money("send", "icp", "1.5", "2vxsx-fae", "--yes", "--json").output)
    assert (sent["state"], sent["amount"], sent["block_index"]) == ("done", 150_000_000, 1)
    converted = money("convert", "2", "--yes")
    assert "convert 2 ICP" in converted.output
    assert "6.000 T cycles" in converted.output
    assert money("send", "cycles", "1", "2vxsx-fae", "--yes").exit_code == 0
    balance = money("balance").output
    assert "6.4998 ICP" in balance
    assert "1 ICP comes to 3.000 T cycles" in balance

    history = json.loads(money("history", "--json").output)
    assert sum(item["change"] for item in history["items"] if item["token"] == "icp") == 649_980_000
    assert history["unsettled"] == []
    assert "send-icp" in money("history").output
    assert money("resume").output == "0 payment(s) gone on with.\n"


def test_paying_oneself_is_warned_about(money: Run, run: Run, password_file: str) -> None:
    assert money("faucet", "icp", "1").exit_code == 0
    other = json.loads(run("identity", "create", "other", "--password-file", password_file, "--json").output)
    linking = money("send", "icp", "0.1", other["account"], "--yes")
    assert linking.exit_code == 1 and "ties Wallet and other together" in linking.errors
    assert "Nothing was paid" in linking.errors
    assert money("send", "icp", "0.1", other["account"], "--yes", "--linked").exit_code == 0


def test_what_makes_no_sense_is_explained(money: Run) -> None:
    for arguments, said in (
        (("send", "icp", "1,5", "2vxsx-fae"), "amount"),
        (("send", "icp", "1", "nobody"), "neither"),
        (("send", "icp", "1", "2vxsx-fae", "--top-up"), "with cycles"),
        (("send", "icp", "1", "2vxsx-fae", "--yes"), "0 ICP are there"),
        (("balance", "--identity", "nobody"), "no identity"),
        (("balance", "--network", "nowhere"), "no network"),
        (("faucet", "icp", "1", "--network", "ic"), "practice network only"),
        (("history", "--count", "0"), "1 to 1000"),
    ):
        result = money(*arguments)
        assert (result.exit_code, said in result.errors) == (1, True), (arguments, result.errors)
