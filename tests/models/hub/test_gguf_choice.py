"""A GGUF file of a hub's model: which one is taken, what is told before it is fetched, and that an import follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.common.errors import FormatError, UnsupportedModelError
from personal_ai.models.gguf.reader import GgufFile, GgufHead
from personal_ai.models.hub import gguf_choice
from personal_ai.models.hub.connection import Hub
from personal_ai.models.hub.download import downloaded, unfinished
from personal_ai.models.hub.errors import HubError, HubNotFoundError
from personal_ai.models.hub.gguf_choice import choose
from personal_ai.models.hub.names import HubName
from personal_ai.models.hub.planning import HubFile, plan
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from tests.models.hub.conftest import files
from tests.support.checkpoints import Shape, write_checkpoint
from tests.support.gguf_files import write_gguf
from tests.support.hub import Fault, LoopbackHub

MODEL = "maker/small-GGUF"
NAMES = ("small-Q4_K_M.gguf", "small-IQ2_XS.gguf", "small.q8_0.gguf", "mmproj-small-f16.gguf", "small-f16.gguf")


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("gguf")
    write_checkpoint(folder / "model", Shape())
    return write_gguf(folder / "model", folder / "model.gguf", "Q8_0").read_bytes()


@pytest.fixture
def published(loopback: LoopbackHub, content: bytes) -> LoopbackHub:
    """Whatever follows the numbers in a file is ignored."""
    weights = {name: content + bytes([index]) for index, name in enumerate(NAMES)}
    loopback.add(MODEL, {"README.md": b"words", "LICENSE": b"x", **weights}, cardData={"license": "mit"})
    return loopback


def test_the_best_that_can_be_read_is_taken_and_the_others_are_told(published: LoopbackHub, hub: Hub) -> None:
    found = plan(hub, MODEL)
    assert [file.name for file in found.files] == ["README.md", "LICENSE", "small.q8_0.gguf"]
    assert [file.name for file in found.others] == ["small-Q4_K_M.gguf", "small-f16.gguf"]
    assert (found.id, found.selection, found.licence) == (MODEL, f"{MODEL}:small.q8_0.gguf", "mit")
    assert found.decoder.hidden_size == Shape().hidden
    assert 1000 < found.words_size_bytes < found.size_bytes


def test_another_is_taken_by_its_name(published: LoopbackHub, hub: Hub) -> None:
    assert plan(hub, f"{MODEL}:small-f16.gguf").files[-1].name == "small-f16.gguf"
    with pytest.raises(HubNotFoundError, match="no file small-Q5_0") as error:
        plan(hub, f"{MODEL}:small-Q5_0.gguf")
    assert "small.q8_0.gguf, small-Q4_K_M.gguf" in error.value.next_step


def test_a_file_that_is_no_gguf_is_no_model(published: LoopbackHub, hub: Hub) -> None:
    with pytest.raises(FormatError, match="README"):
        plan(hub, f"{MODEL}:README.md")


def test_safetensors_come_first_where_there_are_both(loopback: LoopbackHub, hub: Hub, content: bytes) -> None:
    loopback.add(MODEL, files() | {"small-Q8_0.gguf": content})
    assert plan(hub, MODEL).selection == MODEL
    assert plan(hub, f"{MODEL}:small-Q8_0.gguf").files[-1].name == "small-Q8_0.gguf"


def test_no_more_than_the_head_is_fetched_before_the_download(
    published: LoopbackHub, hub: Hub, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = plan(hub, MODEL).head_size_bytes
    assert end < len(content) - (64 << 10), "it comes in pieces of that size"
    monkeypatch.setattr(gguf_choice, "_FIRST_TRY_SIZE_BYTES", end)
    published.always["small.q8_0.gguf"] = Fault(cut_at=len(content) - 1)
    assert plan(hub, MODEL).head_size_bytes == end


def test_it_is_fetched_goes_on_after_a_break_and_is_imported(
    published: LoopbackHub, hub: Hub, tmp_path: Path, content: bytes
) -> None:
    found = plan(hub, MODEL)
    published.always["small.q8_0.gguf"] = Fault(cut_at=len(content) // 2)
    with pytest.raises(HubError), downloaded(hub, found, tmp_path / "downloads"):
        pass
    assert unfinished(tmp_path / "downloads") == [found.selection]
    published.always.clear()
    with downloaded(hub, plan(hub, found.selection), tmp_path / "downloads") as folder:
        assert published.starts("small.q8_0.gguf")[-1] >= len(content) // 2
        package = import_folder(folder, Library(tmp_path / "library"), name="small")
    assert package.manifest.decoder.hidden_size == found.decoder.hidden_size
    assert unfinished(tmp_path / "downloads") == []


def test_what_the_head_says_is_what_the_file_says(
    published: LoopbackHub, hub: Hub, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "model.gguf").write_bytes(content)
    file = GgufFile(tmp_path / "model.gguf")
    head = GgufHead(content[: len(content) - 9], len(content), "model.gguf")
    assert (head.facts, head.tensors) == (file.facts, file.tensors)
    assert head.rows("token_embd.weight", 0, 2).shape == file.rows("token_embd.weight", 0, 2).shape
    file.close()
    with pytest.raises(FormatError):
        GgufHead(content[:100], len(content), "model.gguf")


def _listed(*names: str) -> list[HubFile]:
    return [HubFile(name, 1, "0" * 64) for name in names]


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (("m-BF16.gguf", "m-F32.gguf", "m-Q4_0.gguf"), "m-Q4_0.gguf"),
        (("m.Q5_K_S.gguf", "m.Q5_K_M.gguf", "m.Q6_K.gguf"), "m.Q6_K.gguf"),
        (("Q8_0-model-Q4_K_S.gguf",), "Q8_0-model-Q4_K_S.gguf"),
        (("m.gguf",), "m.gguf"),
        (("m-Q8_0-00001-of-00002.gguf", "m-q4_k_m.gguf"), "m-q4_k_m.gguf"),
    ],
)
def test_the_order(names: tuple[str, ...], best: str) -> None:
    assert choose(MODEL, _listed(*names), "").file.name == best


@pytest.mark.parametrize("names", [("m-IQ4_XS.gguf", "m-Q2_K.gguf"), ("m-Q8_0-00001-of-00002.gguf",)])
def test_where_none_can_be_read_it_says_so(names: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedModelError, match=r"cannot be imported"):
        choose(MODEL, _listed(*names), "")


def test_names_with_a_file() -> None:
    name = HubName.parse("maker/small:m--1.Q8_0.gguf@v1")
    assert (name.id, name.file, name.revision) == ("maker/small", "m--1.Q8_0.gguf", "v1")
    assert HubName.of_folder(name.folder_name) == "maker/small:m--1.Q8_0.gguf"
    assert HubName.of_folder(HubName.parse("maker/small").folder_name) == "maker/small"
