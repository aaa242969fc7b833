"""`model fit` and `deploy --plan`: told before anything is fetched, made or paid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from personal_ai.common.paths import Paths, resource
from personal_ai.models import speed
from tests.cli.conftest import Run
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.hub import LoopbackHub

MODEL = "maker/Tiny-1M"


@pytest.fixture
def measured(own_home: Path) -> None:
    content = {"version": 1, "machine": speed._machine(), "weights_per_s": {"int8": 2e9, "int4": 3e9}}
    Paths(own_home).speed.parent.mkdir(parents=True, exist_ok=True)
    Paths(own_home).speed.write_text(json.dumps(content))


def test_the_plan_names_every_item_and_does_nothing(run: Run, own_home: Path) -> None:
    done = run("deploy", "--model", "starter", "--network", "practice", "--plan", "--json")
    assert done.exit_code == 0, done.errors
    told = json.loads(done.output)
    items = {item["what"]: item["cycles"] for item in told["items"]}
    assert set(items) == {"create", "install", "upload", "verify", "storage", "replies", "reserve"}
    assert told["total_cycles"] == sum(items.values()) and told["xdr"] == told["total_cycles"] / 1e12
    assert told["currency"]["code"] == "USD" and told["currency"]["amount"] == round(told["xdr"] * 1.37, 2)
    assert [each["days"] for each in told["storage"]] == [30, 90, 365]
    assert all(each["cycles_at_documented_price"] < each["cycles"] for each in told["storage"])
    assert told["assumptions"] and told["fit"]["canister"]["verdict"] == "well"
    assert not Paths(own_home).journal.exists() and not Paths(own_home).practice_network.exists()


def test_the_catalogue_names_licences(run: Run, own_home: Path) -> None:
    listed = json.loads(run("model", "catalogue", "--json").output)
    told = run("model", "catalogue")
    words = told.output
    assert str(Paths(own_home).catalogue) in told.errors
    assert all(entry["id"] in words and entry["licence"] in words for entry in listed)
    own = json.loads(resource("catalogue.json").read_text()) | {"models": [listed[1] | {"label": "Mine"}]}
    own_home.mkdir(parents=True, exist_ok=True)
    Paths(own_home).catalogue.write_text(json.dumps(own))
    assert "Mine" not in words
    assert "Mine" in run("model", "catalogue").output.splitlines()[0]


def test_the_plan_in_words(run: Run, own_home: Path) -> None:
    done = run("deploy", "--plan")
    assert done.exit_code == 0
    for words in ("create", "storage for 365 days", "documented price", "Assumed: 100 replies", "runs well"):
        assert words in done.output
    assert run("deploy", "--plan", "--network", "other").exit_code == 1


@pytest.mark.usefixtures("measured")
def test_a_model_of_the_hub_before_it_is_fetched(run: Run, own_home: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", Shape())
    with LoopbackHub() as hub:
        hub.add(MODEL, {path.name: path.read_bytes() for path in folder.iterdir()}, cardData={"license": "mit"})
        done = run("model", "fit", MODEL, "--endpoint", hub.endpoint, "--json")
        assert done.exit_code == 0, done.errors
        assert hub.starts("model.safetensors") == []
        words = run("model", "fit", MODEL, "--endpoint", hub.endpoint).output
    int8, int4 = json.loads(done.output)
    assert (int8["quantisation"], int4["quantisation"]) == ("int8", "int4")
    assert int8["licence"] == "mit" and int8["here"]["tokens_per_s"] > 1000
    assert int4["here"]["size_bytes"] < int8["here"]["size_bytes"]
    assert f"{MODEL}, int8" in words and f"{MODEL}, int4" in words and "tokens per call" in words


@pytest.mark.usefixtures("measured")
def test_what_was_told_of_a_hub_model_is_what_its_package_is(run: Run, own_home: Path, tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "checkpoint", Shape(hidden=256, intermediate=512, layers=4))
    with LoopbackHub() as hub:
        hub.add(MODEL, {path.name: path.read_bytes() for path in folder.iterdir()})
        told = json.loads(run("model", "fit", MODEL, "--endpoint", hub.endpoint, "--json").output)[0]
        assert run("model", "import", MODEL, "--endpoint", hub.endpoint, "--name", "tiny").exit_code == 0
    made = json.loads(run("model", "fit", "tiny", "--json").output)[0]
    size_bytes = sum(path.stat().st_size for path in (Paths(own_home).models / "tiny").iterdir())
    assert told["here"]["size_bytes"] == pytest.approx(size_bytes, rel=0.05)
    assert told["canister"]["heap_bytes"] == pytest.approx(made["canister"]["heap_bytes"], rel=0.05)
    assert told["canister"]["instructions_per_token"] == made["canister"]["instructions_per_token"]
