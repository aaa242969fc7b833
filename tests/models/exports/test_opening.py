"""What other programs export becomes the package that its folder becomes; the rest is refused in words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from personal_ai.common.errors import BadInputError, FormatError, UnsupportedModelError
from personal_ai.models.detection import open_foreign
from personal_ai.models.importing import import_folder
from personal_ai.models.library import Library
from personal_ai.models.local import LocalModel
from personal_ai.models.messages import Message
from personal_ai.models.tokenizer import ChatTokenizer
from tests.support.checkpoints import Architecture
from tests.support.exports import checkpoint, exports, genai_logits, unpacked

TOKENS = [int(token) for token in np.random.default_rng(5).integers(0, 290, 40)]


@pytest.mark.parametrize(("architecture", "style"), [pair for pair in exports() if pair[1] != "genai-int4"])
def test_an_export_gives_the_numbers_of_its_folder(tmp_path: Path, architecture: Architecture, style: str) -> None:
    library = Library(tmp_path / "library")
    folder = import_folder(checkpoint(tmp_path / "source", architecture), library, quantisation="f32")
    export = import_folder(unpacked(tmp_path / "Export", architecture, style), library, quantisation="f32")
    for name in ("model.onnx", "model.onnx.data"):
        assert (export.folder / name).read_bytes() == (folder.folder / name).read_bytes(), name
    assert export.manifest.end_tokens == folder.manifest.end_tokens
    chat = [Message("user", "Grüße"), Message("assistant", "Hello!"), Message("user", "?")]
    assert ChatTokenizer(export).encode_chat(chat) == ChatTokenizer(folder).encode_chat(chat)


@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
def test_four_bits_are_those_that_its_own_runtime_reads(tmp_path: Path, architecture: str) -> None:
    folder = unpacked(tmp_path / "Export", architecture, "genai-int4")
    theirs = genai_logits(folder, TOKENS)
    package = import_folder(folder, Library(tmp_path / "library"), quantisation="f32")
    ours = LocalModel(package).logits(TOKENS)
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()
    assert ours.argmax() == theirs.argmax()


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked(tmp_path_factory.mktemp("exports") / "llama", "llama", "torchscript")


@pytest.fixture
def export(tmp_path: Path, llama: Path) -> Path:
    return Path(shutil.copytree(llama, tmp_path / "export"))


def refused(source: Path, error: type[BadInputError], reason: str) -> None:
    library = source.parent / "library"
    with pytest.raises(error, match=reason):
        import_folder(source, Library(library))
    assert not library.exists() or list(library.iterdir()) == []


def test_a_file_may_be_chosen_and_may_lie_in_the_inner_folder(export: Path) -> None:
    (export / "onnx").mkdir()
    (export / "model.onnx").rename(export / "onnx" / "model.onnx")
    library = Library(export.parent / "library")
    assert import_folder(export, library, name="by-folder").manifest.source == "export"
    assert import_folder(export / "onnx" / "model.onnx", library, name="by-file").manifest.source == "model"


def test_safetensors_come_first(export: Path) -> None:
    shutil.copy(checkpoint(export.parent / "source", "llama") / "model.safetensors", export)
    (export / "model.onnx").write_bytes(b"nonsense")
    import_folder(export, Library(export.parent / "library"))


def test_which_of_several_is_asked(export: Path) -> None:
    (export / "model.onnx").rename(export / "a.onnx")
    shutil.copy(export / "a.onnx", export / "b.onnx")
    refused(export, UnsupportedModelError, "a.onnx, b.onnx")


def test_a_file_alone_does_not_say_what_it_is(export: Path) -> None:
    (export / "config.json").unlink()
    refused(export / "model.onnx", UnsupportedModelError, "neither config.json nor genai_config.json")


def test_gemmas_exports_are_refused_by_name(export: Path) -> None:
    config = json.loads((export / "config.json").read_text()) | {"model_type": "gemma3_text"}
    (export / "config.json").write_text(json.dumps(config))
    refused(export, UnsupportedModelError, "'gemma3_text' is not one of those")


def changed(export: Path, model: onnx.ModelProto) -> Path:
    onnx.save(model, export / "model.onnx")
    return export


def test_an_unknown_layout_is_refused_with_what_is_missing(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    for node in model.graph.node:
        node.name = node.name.replace("q_proj", "query")
    refused(changed(export, model), UnsupportedModelError, r"model.layers.0.self_attn.q_proj.weight is missing")


def test_a_matrix_that_has_no_part_is_not_lost_silently(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    model.graph.initializer.append(numpy_helper.from_array(np.ones((32, 4), np.float32), "adapter"))
    refused(changed(export, model), UnsupportedModelError, "tensor that this architecture does not have: adapter")


def test_other_quantisations_are_refused_by_name(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    model.graph.node.append(helper.make_node("MatMulInteger", ["a", "b"], ["c"]))
    refused(changed(export, model), UnsupportedModelError, "MatMulInteger")


@pytest.mark.parametrize("location", ["../secret", "/etc/passwd", "", "a/b", "missing"])
def test_numbers_come_from_beside_the_file_alone(export: Path, location: str) -> None:
    (export.parent / "secret").write_bytes(bytes(1 << 20))
    model = onnx.load(export / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=location)
    refused(changed(export, model), FormatError, "beside")


def test_numbers_that_are_too_few_are_refused(export: Path) -> None:
    model = onnx.load(export / "model.onnx")
    model.graph.initializer[0].raw_data = b"1234"
    refused(changed(export, model), FormatError, "shape")


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(1000)])
def test_what_is_no_onnx_is_refused(export: Path, content: bytes) -> None:
    (export / "model.onnx").write_bytes(content)
    refused(export, BadInputError, "ONNX|missing")


@settings(max_examples=60)
@given(data=st.data())
def test_changed_files_are_read_or_refused(export: Path, data: st.DataObject) -> None:
    good = (export / "model.onnx").read_bytes()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 4))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    path = export / "changed" / "model.onnx"
    path.parent.mkdir(exist_ok=True)
    shutil.copy(export / "config.json", path.parent)
    path.write_bytes(bad[: data.draw(st.integers(0, len(bad)))])
    try:
        with open_foreign(path) as model:
            model.checkpoint.has_head  # noqa: B018
    except BadInputError:
        pass
