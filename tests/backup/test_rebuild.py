"""Every kind of package comes out of its program byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from personal_ai.backup.rebuild import rebuild
from personal_ai.common.errors import BadInputError, Cancelled, DamagedFileError, FormatError
from personal_ai.common.jobs import Cancel
from personal_ai.compiler.compile import compile_package
from personal_ai.models.importing import Quantisation, import_folder
from personal_ai.models.library import Library
from personal_ai.models.manifest import MANIFEST_FILE, WORD_FILES
from personal_ai.models.package import ModelPackage
from tests.support.checkpoints import Shape, write_checkpoint

SHAPES = {
    "Llama": Shape(),
    "Llama, tied": Shape(tied=True, key_value_heads=4),
    "GPT-2": Shape(architecture="gpt2", tied=True, key_value_heads=4),
    "Qwen2": Shape(architecture="qwen2"),
    "Gemma 3": Shape(architecture="gemma3_text"),
    "a screened head": Shape(vocabulary=4096),
}


def _compiled(tmp_path: Path, shape: Shape, quantisation: Quantisation) -> tuple[ModelPackage, Path, dict[str, bytes]]:
    checkpoint = write_checkpoint(tmp_path / "checkpoint", shape)
    package = import_folder(checkpoint, Library(tmp_path / "library"), name="small", quantisation=quantisation)
    program = tmp_path / "small.program"
    compile_package(package, program)
    words = {name: (package.folder / name).read_bytes() for name in (MANIFEST_FILE, *WORD_FILES)}
    return package, program, words


@pytest.mark.parametrize(
    ("shape", "quantisation"),
    [(name, "int8") for name in SHAPES]
    + [("Llama, tied", "f32"), ("Qwen2", "f32"), ("Llama", "int4"), ("GPT-2", "int4")],
)
def test_a_package_comes_back_byte_for_byte(tmp_path: Path, shape: str, quantisation: Quantisation) -> None:
    package, program, words = _compiled(tmp_path, SHAPES[shape], quantisation)
    rebuilt = rebuild(words, program, Library(tmp_path / "other"))
    assert rebuilt.manifest_sha256 == package.manifest_sha256
    for name in (MANIFEST_FILE, *package.manifest.files):
        assert (rebuilt.folder / name).read_bytes() == (package.folder / name).read_bytes(), name


def test_what_is_not_the_same_is_not_added(tmp_path: Path) -> None:
    _, program, words = _compiled(tmp_path, Shape(), "int8")
    other = Library(tmp_path / "other")
    content = bytearray(program.read_bytes())
    content[-200] ^= 1
    program.write_bytes(content)
    with pytest.raises(DamagedFileError, match="could not be rebuilt"):
        rebuild(words, program, other)
    for broken in (bytes(content[:1000]), b"", bytes(content[: len(content) // 2])):
        program.write_bytes(broken)
        with pytest.raises(FormatError):
            rebuild(words, program, other)
    with pytest.raises(FormatError):
        rebuild({**words, MANIFEST_FILE: b"{}"}, program, other)
    assert other.list() == [] and not list((tmp_path / "other").glob("*"))


def test_the_program_of_another_model_is_refused(tmp_path: Path) -> None:
    _, _, words = _compiled(tmp_path, Shape(), "int8")
    (tmp_path / "second").mkdir()
    _, program, _ = _compiled(tmp_path / "second", Shape(architecture="gpt2", tied=True, key_value_heads=4), "int8")
    with pytest.raises(FormatError, match="another shape"):
        rebuild(words, program, Library(tmp_path / "other"))


def test_a_name_that_is_taken_and_a_stop(tmp_path: Path) -> None:
    package, program, words = _compiled(tmp_path, Shape(), "int8")
    with pytest.raises(BadInputError, match="already"):
        rebuild(words, program, Library(package.folder.parent))
    stop = Cancel()
    stop.cancel()
    with pytest.raises(Cancelled):
        rebuild(words, program, Library(tmp_path / "other"), cancel=stop)
    assert Library(tmp_path / "other").list() == []
