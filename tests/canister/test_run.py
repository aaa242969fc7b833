"""Graphs in the real module: over many messages, repeated, replaced, refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from personal_ai.canister import tensors
from personal_ai.canister.client import (
    CanisterClient,
    InvalidRequest,
    LimitReached,
    NoModel,
    RunProgress,
)
from personal_ai.canister.upload import Upload
from personal_ai.common.errors import BadInputError, Cancelled
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.compiler.compile import compile_graph, compile_package
from personal_ai.models.encoders.embedder import Embedder, TextTokens
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.runtime import onnxruntime
from personal_ai.models.sampling import Sampling
from tests.canister.installed import QUERY_LIMIT, Installed
from tests.canister.models import load, make_upload
from tests.compiler.drawn_graphs import GRAPHS, MAXIMA, Drawn, given, save
from tests.support.checkpoints import Shape
from tests.support.encoders import EncoderShape, write_encoder_checkpoint

Array = npt.NDArray[Any]
CHAIN = Drawn(
    [
        ("MatMul", ["x", "w"], "h0", {}),
        *(("MatMul", [f"h{index}", "w"], f"h{index + 1}", {}) for index in range(12)),
        ("Tanh", ["h12"], "y", {}),
    ],
    {"x": ("rows", 256)},
    {"w": np.random.default_rng(1).standard_normal((256, 256)).astype(np.float32) / 16},
)


def _upload(folder: Path, drawn: Drawn, maxima: dict[str, int]) -> Upload:
    folder.mkdir()
    compile_graph(save(folder / "model.onnx", drawn), folder / "program", maxima=maxima)
    return Upload.of("graph", [("program", folder / "program")])


def _expected(folder: Path, values: dict[str, Array]) -> Array:
    (result,) = onnxruntime.InferenceSession(folder / "model.onnx").run(None, values)
    return np.asarray(result)


def _one_message(
    canister: Installed, values: dict[str, Array], max_instructions: int
) -> dict[str, Array] | RunProgress:
    answer = canister.update(canister.id, "run", tensors.run_request(values, max_instructions))
    return tensors.run_result(answer)


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("graphs")


@pytest.fixture(scope="module")
def chain(graphs: Path) -> Upload:
    return _upload(graphs / "chain", CHAIN, {"rows": 2000})


def _rows(count: int, seed: int = 0) -> dict[str, Array]:
    return {"x": np.random.default_rng(seed).standard_normal((count, 256)).astype(np.float32)}


@pytest.mark.parametrize("name", ["embeddings", "attention taken apart"])
def test_a_graph_answers_like_onnxruntime(canister: Installed, tmp_path: Path, name: str) -> None:
    load(canister.client, _upload(tmp_path / "graph", GRAPHS[name], MAXIMA))
    values = given(GRAPHS[name])
    answer = canister.client.run(values)["y"]
    np.testing.assert_allclose(answer, _expected(tmp_path / "graph", values), rtol=2e-5, atol=2e-5)
    queried = canister.client.run_query(values)
    assert not isinstance(queried, RunProgress)
    assert queried["y"].tobytes() == answer.tobytes()


def test_a_run_goes_over_as_many_messages_as_are_wanted_and_gives_the_same_bits(
    canister: Installed, graphs: Path, chain: Upload
) -> None:
    load(canister.client, chain)
    values = _rows(500)
    whole = canister.client.run(values)["y"]
    np.testing.assert_allclose(whole, _expected(graphs / "chain", values), rtol=1e-3, atol=1e-4)
    canister.client.run(_rows(1))  # takes its place
    before = len(canister.calls)
    told: list[Progress] = []
    pieces = canister.client.run(values, max_instructions=60_000_000, on_progress=told.append)["y"]
    assert pieces.tobytes() == whole.tobytes()
    used = [outcome.instructions for method, outcome in canister.calls[before:] if method == "run"]
    assert len(used) > 3
    assert max(used) < 500_000_000, "the inputs are hashed in each message, and a first tile is always done"
    assert told[-1].done == told[-1].total or told[-1].done > 3


def test_a_repeat_goes_on_and_after_the_end_costs_next_to_nothing(canister: Installed, chain: Upload) -> None:
    load(canister.client, chain)
    values = _rows(200)
    first = _one_message(canister, values, 1)
    again = _one_message(canister, values, 1)
    assert isinstance(first, RunProgress)
    assert isinstance(again, RunProgress)
    assert again.operators_total == first.operators_total > again.operators_done >= first.operators_done
    answer = canister.client.run(values)["y"]
    repeated = _one_message(canister, values, 0)
    assert not isinstance(repeated, RunProgress)
    assert repeated["y"].tobytes() == answer.tobytes()
    assert canister.calls[-1][1].instructions < 200_000_000, "only its inputs are looked at"


def test_a_query_goes_on_from_what_is_committed_and_keeps_nothing(canister: Installed, chain: Upload) -> None:
    load(canister.client, chain)
    values = _rows(300)
    assert isinstance(_one_message(canister, values, 1), RunProgress)
    queried = canister.client.run_query(values)
    assert not isinstance(queried, RunProgress)
    after = _one_message(canister, values, 1)
    assert isinstance(after, RunProgress)
    assert after.operators_done < after.operators_total
    assert max(o.instructions for method, o in canister.calls if method == "run_query") < QUERY_LIMIT


def test_cancelled_between_two_messages_it_goes_on_later(canister: Installed, chain: Upload) -> None:
    load(canister.client, chain)
    values = _rows(300)
    cancel = Cancel()
    with pytest.raises(Cancelled):
        canister.client.run(values, max_instructions=1, on_progress=lambda _: cancel.cancel(), cancel=cancel)
    assert canister.client.run(values)["y"].shape == (300, 256)


def test_an_upgrade_forgets_the_run_and_it_begins_again(canister: Installed, chain: Upload) -> None:
    load(canister.client, chain)
    values = _rows(100)
    before = canister.client.run(values)["y"]
    canister.upgrade()
    canister.client.activate()
    assert canister.client.run(values)["y"].tobytes() == before.tobytes()


def test_what_does_not_fit_the_graph_is_refused(canister: Installed, tmp_path: Path, chain: Upload) -> None:
    with pytest.raises(NoModel):
        canister.client.run(_rows(1))
    load(canister.client, chain)
    x = _rows(2)["x"]
    for wrong, reason in (
        ({}, "missing"),
        ({"x": x, "z": x}, "does not have"),
        ({"y": x}, "missing"),
        ({"x": x.astype(np.int64)}, "wrong type"),
        ({"x": x[0]}, "number of axes"),
        ({"x": x[:, :255]}, "do not go together"),
        ({"x": x[:0]}, "zero"),
    ):
        with pytest.raises(InvalidRequest, match=reason):
            canister.client.run(wrong)
    with pytest.raises(LimitReached, match="compiled for"):
        canister.client.run(_rows(2001))
    with pytest.raises(LimitReached, match="longer than a reply"):
        canister.client.run(_rows(1900))
    with pytest.raises(BadInputError, match="float64"):
        canister.client.run({"x": x.astype(np.float64)})
    load(canister.client, _upload(tmp_path / "graph", GRAPHS["embeddings"], MAXIMA))
    with pytest.raises(InvalidRequest, match="a row that the model's table does not have"):
        canister.client.run({"ids": np.full((1, 2), 40)})
    assert canister.client.run({"ids": np.full((1, 2), 39)})["y"].shape == (1, 2, 8)


def test_decoders_and_graphs_name_the_others_method(canister: Installed, tmp_path: Path, chain: Upload) -> None:
    load(canister.client, chain)
    with pytest.raises(InvalidRequest, match="run is its method"):
        _generate(canister.client)
    load(canister.client, make_upload(tmp_path, Shape()))
    with pytest.raises(InvalidRequest, match="generate is its method"):
        canister.client.run(_rows(1))
    assert _generate(canister.client)


def _generate(client: CanisterClient) -> object:
    empty = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    return client.generate(conversation=b"", keep=0, keep_hash=empty, append=[1], max_tokens=1, sampling=Sampling())


def test_an_encoder_embeds_in_the_canister_as_on_this_computer(canister: Installed, tmp_path: Path) -> None:
    source = write_encoder_checkpoint(tmp_path / "source", EncoderShape(hidden=64, layers=1))
    package = import_folder(source, Library(tmp_path / "library"))
    program = compile_package(package, tmp_path / "program")
    load(canister.client, Upload.of("encoder", [("program", program.path)]))
    text = "Where do my words go?"
    answer = canister.client.run(TextTokens(package).of(text))["embedding"].reshape(-1)
    assert float(answer @ Embedder(package).embed(text)) > 0.999  # both of length 1
