"""The manifest's format, and packages on disk: damage is named, versions are refused."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError, FormatError, UnknownVersionError
from personal_ai.common.jobs import Cancel, Progress, ignore_progress
from personal_ai.models.decoder import Decoder, Llama3Scaling, PairScaling, Rope, Windows
from personal_ai.models.manifest import FileRecord, Manifest, checked_name, name_from
from personal_ai.models.package import ModelPackage
from tests.models.conftest import Importer
from tests.support.checkpoints import Shape

GOLDEN = Path(__file__).parent / "golden" / "manifest.json"
EXAMPLE = Manifest(
    name="example-1b",
    label="Example 1B",
    description="An example with ümlauts.",
    licence="apache-2.0",
    source="example/Example-1B",
    revision="0123456789abcdef0123456789abcdef01234567",
    quantisation="int8",
    parameters=1_234_567_890,
    end_tokens=(2, 7),
    stop_texts=("\nUser:",),
    network=Decoder(
        architecture="llama",
        vocabulary_size=32_000,
        hidden_size=2048,
        layer_count=16,
        head_count=32,
        key_value_head_count=8,
        head_size=64,
        intermediate_size=8192,
        context_length=8192,
        norm_epsilon=1e-5,
        activation="silu",
        rope=Rope(500_000.0, Llama3Scaling(32.0, 1.0, 4.0, 8192)),
        tied_embedding=True,
        qkv_bias=False,
        output_bias=False,
        mlp_bias=False,
        qk_norm=False,
        windows=Windows(512, (0, 1, 3), Rope(10_000.0, PairScaling((1.0, 2.0, 4.0), 1.25))),
        attention_scale=0.0625,
    ),
    files={
        name: FileRecord(f"{index:064x}", 10**index)
        for index, name in enumerate(
            ("model.onnx", "model.onnx.data", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
        )
    },
)


def changed(**changes: Any) -> bytes:
    return json.dumps(json.loads(GOLDEN.read_bytes()) | changes).encode()


def test_the_golden_manifest_is_read_and_written_back() -> None:
    assert Manifest.from_bytes(GOLDEN.read_bytes()) == EXAMPLE
    assert EXAMPLE.to_bytes() == GOLDEN.read_bytes()


def test_what_the_first_packages_did_not_say_is_plain() -> None:
    later = ("windows", "post_norms", "embedding_scale", "attention_scale", "rotary_size", "logit_cap")
    decoder = {name: value for name, value in json.loads(GOLDEN.read_bytes())["decoder"].items() if name not in later}
    plain = Manifest.from_bytes(changed(decoder=decoder)).decoder
    assert plain == dataclasses.replace(EXAMPLE.decoder, windows=None, attention_scale=None)


def test_unknown_fields_are_ignored_and_unknown_versions_refused() -> None:
    assert Manifest.from_bytes(changed(later="thing")) == EXAMPLE
    for version in (2, 0, "1", None):
        with pytest.raises(UnknownVersionError, match="version"):
            Manifest.from_bytes(changed(version=version))


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "something else"},
        {"name": "../escape"},
        {"name": None},
        {"quantisation": "int5"},
        {"parameters": -1},
        {"end_tokens": [-1]},
        {"end_tokens": "2"},
        {"stop_texts": [1]},
        {"label": "x" * 3000},
        {"decoder": {}},
        {"decoder": None},
        {"files": {}},
        {"files": {"../../etc/passwd": {"sha256": "0" * 64, "size_bytes": 1}}},
        {"files": {name: {"sha256": "zz", "size_bytes": 1} for name in EXAMPLE.files}},
        {"files": {name: {"sha256": "0" * 64, "size_bytes": -1} for name in EXAMPLE.files}},
    ],
    ids=str,
)
def test_other_content_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(BadInputError):
        Manifest.from_bytes(changed(**changes))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'], ids=lambda c: c[:5])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(FormatError):
        Manifest.from_bytes(content)


@pytest.mark.parametrize("name", ["a", "llama-3.2-1b", "0", "a" * 64, "x_y.z"])
def test_good_names(name: str) -> None:
    assert checked_name(name) == name
    assert name_from(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "a/b", "a\\b", "A", "a" * 65, "con", "nul.txt", "a.", "a b", "ä", "a\n", "-a"]
)
def test_names_that_no_folder_should_have(name: str) -> None:
    with pytest.raises(BadInputError):
        checked_name(name)


@given(st.text(max_size=100))
def test_a_name_can_be_made_from_anything(text: str) -> None:
    assert checked_name(name_from(text))


@pytest.fixture
def package(imported: Importer, tmp_path: Path) -> ModelPackage:
    original = imported(Shape(), "int8")[1]
    shutil.copytree(original.folder, tmp_path / original.name)
    return ModelPackage.open(tmp_path / original.name)


def test_a_whole_package_verifies(package: ModelPackage) -> None:
    seen: list[Progress] = []
    package.verify(seen.append)
    assert seen[-1].done == seen[-1].total == package.size_bytes
    assert set(package.files_without_weights()) == {path.name for path in package.folder.iterdir()} - {
        "model.onnx",
        "model.onnx.data",
    }


@pytest.mark.parametrize("file", EXAMPLE.files)
def test_a_damaged_file_is_named(package: ModelPackage, file: str) -> None:
    path = package.folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=re.escape(f"{file} of")):
        ModelPackage.open(package.folder).verify()


@pytest.mark.parametrize("file", [*EXAMPLE.files, "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_missing_or_cut_file_is_found_on_opening(package: ModelPackage, file: str, damage: str) -> None:
    path = package.folder / file
    content = path.read_bytes()
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[:-1] if file != "manifest.json" else content[:-9])
    with pytest.raises(DamagedFileError, match=file.replace(".", r"\.")):
        ModelPackage.open(package.folder)


def test_small_files_are_checked_when_they_are_read(package: ModelPackage) -> None:
    assert package.read("tokenizer.json") == (package.folder / "tokenizer.json").read_bytes()
    path = package.folder / "chat_template.jinja"
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DamagedFileError, match=r"chat_template\.jinja"):
        package.read("chat_template.jinja")


def test_verifying_can_be_cancelled(package: ModelPackage) -> None:
    cancel = Cancel()
    cancel.cancel()
    with pytest.raises(Cancelled):
        package.verify(ignore_progress, cancel)


@given(st.integers(0, 2000), st.binary(max_size=5))
@settings(max_examples=200)
def test_any_damage_to_a_manifest_is_typed(position: int, noise: bytes) -> None:
    content = GOLDEN.read_bytes()
    with contextlib.suppress(BadInputError):
        Manifest.from_bytes(content[:position] + noise + content[position + len(noise) :])


def test_the_first_packages_did_not_name_the_kind_of_scaling() -> None:
    decoder = json.loads(GOLDEN.read_bytes())["decoder"]
    del decoder["rope"]["scaling"]["kind"]
    assert Manifest.from_bytes(changed(decoder=decoder)).decoder.rope == EXAMPLE.decoder.rope
