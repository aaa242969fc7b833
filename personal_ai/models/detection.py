"""What a folder or file with a foreign model is; each format's room does the rest.

Nothing foreign is run, and no pickle is opened.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from personal_ai.common.errors import FormatError
from personal_ai.models.checkpoint import holds_safetensors
from personal_ai.models.exports.opening import holds_export, open_export
from personal_ai.models.folder import CONFIG_FILE, open_folder
from personal_ai.models.foreign import ForeignModel
from personal_ai.models.gguf.opening import is_gguf, open_gguf


def open_foreign(source: Path) -> AbstractContextManager[ForeignModel]:
    """Finds out what `source` is and opens it.

    Raises, also on entering, UnsupportedModelError for what cannot be imported, FormatError for what is broken or no
    model at all.
    """
    if gguf := _gguf_file(source):
        return open_gguf(gguf)
    if holds_export(source) and not holds_safetensors(source):
        return open_export(source)
    if (source / CONFIG_FILE).is_file():
        return open_folder(source)
    raise FormatError(
        f"{source.name} is no model folder and no GGUF or ONNX file: there is no {CONFIG_FILE} in it.",
        next_step="Choose a .gguf or .onnx file, or a folder with config.json, .safetensors files and tokenizer.json.",
    )


def _gguf_file(source: Path) -> Path | None:
    """`source` itself, or the one GGUF file of a folder that holds nothing else to import."""
    files = [source] if source.is_file() else [*source.glob("*.gguf")]
    alone = len(files) == 1 and not (source / CONFIG_FILE).is_file()
    return files[0] if alone and is_gguf(files[0]) else None
