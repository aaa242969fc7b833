"""A Hugging Face folder in, a package out; and every way in which that can fail leaves nothing behind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from personal_ai.common.errors import (
    BadInputError,
    Cancelled,
    FormatError,
    PersonalAIError,
    StorageError,
    UnsupportedModelError,
)
from personal_ai.common.jobs import Cancel, Progress
from personal_ai.models.chat_template import DEFAULT_TEMPLATE, TemplateRefusedError
from personal_ai.models.importing import Origin, import_folder
from personal_ai.models.library import Library
from personal_ai.models.messages import Message
from personal_ai.models.package import ModelPackage
from personal_ai.models.tokenizer import ChatTokenizer
from tests.support.checkpoints import SPECIAL_TOKENS, Shape, tokenizer, write_checkpoint
from tests.support.encoders import EncoderShape, write_encoder_checkpoint
from tests.support.exports import unpacked
from tests.support.gguf_files import write_gguf


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "My Model", Shape())


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "library")


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def retensor(source: Path, **changes: np.ndarray | None) -> None:
    path = source / "model.safetensors"
    tensors = load_file(path) | changes
    save_file({name: values for name, values in tensors.items() if values is not None}, path)


def test_the_package_says_what_it_is(source: Path, library: Library) -> None:
    (source / "README.md").write_text("---\nlanguage: en\nlicense: apache-2.0\n---\n# Hello\n")
    reports: list[Progress] = []
    package = import_folder(source, library, on_progress=reports.append, description="for tests")
    manifest = package.manifest
    assert (manifest.name, manifest.label, manifest.source) == ("my-model", "My Model", "My Model")
    assert (manifest.licence, manifest.revision, manifest.description) == ("apache-2.0", "unknown", "for tests")
    assert manifest.quantisation == "int8"
    assert manifest.parameters == sum(values.size for values in load_file(source / "model.safetensors").values())
    assert reports[-1].done == reports[-1].total == manifest.parameters
    package.verify()
    assert str(source.parent) not in manifest.to_bytes().decode(), "no path of this computer"


def test_a_hugging_face_cache_tells_id_and_revision(tmp_path: Path, library: Library) -> None:
    folder = tmp_path / "models--org--Name-1B" / "snapshots" / ("a" * 40)
    manifest = import_folder(write_checkpoint(folder, Shape()), library).manifest
    assert (manifest.name, manifest.source, manifest.revision) == ("name-1b", "org/Name-1B", "a" * 40)


def test_whoever_knows_the_origin_tells_it(source: Path, library: Library) -> None:
    (source / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    told = Origin("Name-2B", "org/Name-2B", "b" * 40, "mit")
    manifest = import_folder(source, library, origin=told).manifest
    assert (manifest.name, manifest.label) == ("name-2b", "Name-2B")
    assert (manifest.source, manifest.revision, manifest.licence) == ("org/Name-2B", "b" * 40, "mit")


def test_end_tokens_come_from_everywhere(source: Path, library: Library) -> None:
    (source / "generation_config.json").write_text(json.dumps({"eos_token_id": [5, 6, 10**6]}))
    package = import_folder(source, library)
    assert package.manifest.end_tokens == (0, 2, 5, 6), "eos, the template's end of turn, generation_config"
    assert ChatTokenizer(package).end_tokens == frozenset((0, 2, 5, 6))


def test_a_model_without_a_template_gets_a_plain_one(tmp_path: Path, library: Library) -> None:
    package = import_folder(write_checkpoint(tmp_path / "plain", Shape("gpt2"), template=None), library)
    assert (package.folder / "chat_template.jinja").read_text() == DEFAULT_TEMPLATE
    assert package.manifest.stop_texts == ("\nUser:", "\nAssistant:")
    assert package.manifest.end_tokens == (0,)
    tokenizer = ChatTokenizer(package)
    ids = tokenizer.encode_chat([Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Oh")])
    decoder = tokenizer.decoder()
    assert "".join(map(decoder.push, ids)) == "Be kind.\n\nUser: Hi\nAssistant: Oh\nAssistant:"
    assert ids == tokenizer.encode_text("Be kind.\n\nUser: Hi\nAssistant: Oh\nAssistant:")


def test_a_tokenizer_that_begins_every_text_begins_the_plain_template_too(tmp_path: Path, library: Library) -> None:
    source = write_checkpoint(tmp_path / "begins", Shape(), template=None)
    change(source / "tokenizer_config.json", bos_token=SPECIAL_TOKENS[1], tokenizer_class="LlamaTokenizerFast")
    assert ChatTokenizer(import_folder(source, library)).encode_chat([Message("user", "Hi")])[0] == 1


@pytest.mark.parametrize("form", ["text", "named"])
def test_a_template_may_stand_in_the_tokenizers_config(tmp_path: Path, library: Library, form: str) -> None:
    source = write_checkpoint(tmp_path / "inside", Shape(), template=None)
    template = "{% for m in messages %}{{ '<|im_start|>' + m.content + '<|im_end|>' }}{% endfor %}"
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]
    change(source / "tokenizer_config.json", chat_template=template if form == "text" else named)
    package = import_folder(source, library)
    assert (package.folder / "chat_template.jinja").read_text() == template
    assert package.manifest.stop_texts == ()


def test_old_constants_in_a_checkpoint_do_no_harm(source: Path, library: Library) -> None:
    retensor(source, **{"model.layers.0.self_attn.rotary_emb.inv_freq": np.ones(8, dtype=np.float32)})
    import_folder(source, library)


def test_a_head_that_is_also_stored_is_left_out_where_it_is_tied(tmp_path: Path, library: Library) -> None:
    source = write_checkpoint(tmp_path / "tied", Shape(tied=True))
    retensor(source, **{"lm_head.weight": load_file(source / "model.safetensors")["model.embed_tokens.weight"]})
    assert import_folder(source, library).manifest.decoder.tied_embedding


def broken_tensor(source: Path, value: float) -> None:
    values = load_file(source / "model.safetensors")["model.layers.1.mlp.up_proj.weight"]
    values[3, 3] = value
    retensor(source, **{"model.layers.1.mlp.up_proj.weight": values})


REFUSALS: dict[str, tuple[Callable[[Path], object], type[PersonalAIError], str]] = {
    "no config": (lambda s: (s / "config.json").unlink(), FormatError, "no config.json"),
    "config is no JSON": (lambda s: (s / "config.json").write_text("{"), FormatError, "no valid JSON"),
    "config too large": (lambda s: (s / "config.json").write_text(" " * (5 << 20)), FormatError, "larger"),
    "another architecture": (lambda s: change(s / "config.json", model_type="rwkv"), UnsupportedModelError, "rwkv"),
    "only pickle": (
        lambda s: (s / "model.safetensors").rename(s / "pytorch_model.bin"),
        UnsupportedModelError,
        "Pickle files",
    ),
    "weights cut short": (
        lambda s: (s / "model.safetensors").write_bytes((s / "model.safetensors").read_bytes()[:-1]),
        FormatError,
        "cut short",
    ),
    "a tensor missing": (
        lambda s: retensor(s, **{"model.norm.weight": None}),
        UnsupportedModelError,
        "model.norm.weight is missing",
    ),
    "a tensor misshapen": (
        lambda s: retensor(s, **{"model.norm.weight": np.ones(63, dtype=np.float32)}),
        UnsupportedModelError,
        r"shape \[63\] instead of \[64\]",
    ),
    "a tensor of another type": (
        lambda s: retensor(s, **{"model.norm.weight": np.ones(64, dtype=np.int32)}),
        UnsupportedModelError,
        "type I32",
    ),
    "a tensor too many": (
        lambda s: retensor(s, **{"model.layers.0.moe.gate": np.ones(2, dtype=np.float32)}),
        UnsupportedModelError,
        "does not have: model.layers.0.moe.gate",
    ),
    "NaN in a matrix": (lambda s: broken_tensor(s, np.nan), FormatError, "not numbers"),
    "infinity in a norm": (
        lambda s: retensor(s, **{"model.norm.weight": np.full(64, np.inf, dtype=np.float32)}),
        FormatError,
        "not numbers",
    ),
    "no tokenizer": (lambda s: (s / "tokenizer.json").unlink(), UnsupportedModelError, "no tokenizer.json"),
    "tokenizer is no tokenizer": (
        lambda s: (s / "tokenizer.json").write_text('{"decoder": {"type": "ByteLevel"}}'),
        FormatError,
        "broken",
    ),
    "tokenizer of a larger model": (
        lambda s: tokenizer(400).save(str(s / "tokenizer.json")),
        FormatError,
        "the model only 384",
    ),
    "a template that fails": (
        lambda s: (s / "chat_template.jinja").write_text("{{ raise_exception('no') }}"),
        TemplateRefusedError,
        "refused",
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS)
def test_bad_folders_are_refused_and_leave_nothing(
    source: Path, library: Library, tmp_path: Path, refusal: str
) -> None:
    spoil, error, reason = REFUSALS[refusal]
    spoil(source)
    with pytest.raises(error, match=reason):
        import_folder(source, library)
    assert not (tmp_path / "library").exists() or list((tmp_path / "library").iterdir()) == []


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/x.safetensors", "code.py", ".safetensors", ""])
def test_an_index_cannot_point_outside(source: Path, library: Library, name: str) -> None:
    (source / "model.safetensors").unlink()
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(FormatError, match="plain"):
        import_folder(source, library)


def test_a_missing_shard_is_named(tmp_path: Path, library: Library) -> None:
    source = write_checkpoint(tmp_path / "sharded", Shape(), shards=3)
    (source / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(FormatError, match="model-00002-of-00003"):
        import_folder(source, library)


def test_a_taken_name_is_refused_before_the_work(source: Path, library: Library) -> None:
    import_folder(source, library)
    reports: list[Progress] = []
    with pytest.raises(BadInputError, match="already"):
        import_folder(source, library, on_progress=reports.append)
    assert reports == []
    assert import_folder(source, library, name="another").name == "another"


SOURCES: dict[str, Callable[[Path], Path]] = {
    "safetensors": lambda folder: write_checkpoint(folder, Shape()),
    "safetensors in parts": lambda folder: write_checkpoint(folder, Shape("gpt2"), shards=3),
    "gguf": lambda folder: write_gguf(write_checkpoint(folder, Shape()), folder / "model.gguf"),
    "torch export": lambda folder: unpacked(folder, "llama", "dynamo"),
    "genai folder": lambda folder: unpacked(folder, "qwen2", "genai-int4"),
    "encoder": lambda folder: write_encoder_checkpoint(folder, EncoderShape(hidden=32, layers=1, intermediate=64)),
}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", SOURCES)
def test_cancel_leaves_nothing(kind: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = SOURCES[kind](tmp_path / "source")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    given = contents(tmp_path / "source")
    for share in (0.0, 0.5, 1.0):
        cancel = Cancel()

        def stop(progress: Progress, cancel: Cancel = cancel, share: float = share) -> None:
            if progress.done >= share * (progress.total or 0):
                cancel.cancel()

        with pytest.raises(Cancelled):
            import_folder(source, library, on_progress=stop, cancel=cancel)
        assert list((tmp_path / "library").iterdir()) == [] == list(scratch.iterdir())
    assert contents(tmp_path / "source") == given
    import_folder(source, library).verify()


def test_a_full_disk_leaves_nothing(
    source: Path, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("personal_ai.models.onnx_file._DataFile.append", full)
    with pytest.raises(StorageError, match="disk is full"):
        import_folder(source, library)
    assert list((tmp_path / "library").iterdir()) == []


@pytest.mark.parametrize("kind", SOURCES)
def test_nothing_in_the_folder_is_run(kind: str, library: Library, tmp_path: Path) -> None:
    source, marker = SOURCES[kind](tmp_path / "source"), tmp_path / "ran"
    for name in (
        "modeling.py",
        "tokenization.py",
        "configuration.py",
        "__init__.py",
        "conftest.py",
        "sitecustomize.py",
    ):
        (tmp_path / "source" / name).write_text(f"open({str(marker)!r}, 'w')")
    for name in ("pytorch_model.bin", "training_args.bin", "model.pt", "scheduler.pkl"):
        (tmp_path / "source" / name).write_bytes(b"cos\nsystem\n(S'touch " + str(marker).encode() + b"'\ntR.")
    package: ModelPackage = import_folder(source, library)
    assert not marker.exists()
    assert {path.suffix for path in package.folder.iterdir()} == {".onnx", ".data", ".json", ".jinja"}
