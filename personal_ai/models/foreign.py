"""What a folder or file with a foreign model is, and the one view that the import has of all of them.

Each format's room turns what it finds into the terms of a Hugging Face folder; the rest is the same for all.
Nothing foreign is run, and no pickle is opened.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from personal_ai.common.errors import FormatError
from personal_ai.models.checkpoint import Checkpoint, open_checkpoint
from personal_ai.models.fields import Fields, read_bounded, read_json
from personal_ai.models.words import ForeignWords, folder_words

CONFIG_FILE: Final = "config.json"
_CARD_FILE: Final = "README.md"
_MAX_CARD_SIZE_BYTES = 1 << 20
_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """An open model: `config` as config.json has it, the weights, and the words, which are read when asked for."""

    config: Fields
    checkpoint: Checkpoint
    words: Callable[[], ForeignWords]
    licence: str = _UNKNOWN


@contextmanager
def open_foreign(source: Path) -> Iterator[ForeignModel]:
    """Finds out what `source` is and opens it.

    Raises UnsupportedModelError for what cannot be imported, FormatError for what is broken or no model at all.
    """
    with _open_folder(source) as model:
        yield model


@contextmanager
def _open_folder(source: Path) -> Iterator[ForeignModel]:
    """A Hugging Face folder."""
    if not (source / CONFIG_FILE).is_file():
        raise FormatError(
            f"{source.name} is no model folder: there is no {CONFIG_FILE} in it.",
            next_step="Choose the folder that holds config.json, the .safetensors files and tokenizer.json.",
        )
    config = Fields(read_json(source / CONFIG_FILE), CONFIG_FILE)
    with open_checkpoint(source) as checkpoint:
        yield ForeignModel(config, checkpoint, lambda: folder_words(source, config), folder_licence(source))


def folder_licence(source: Path) -> str:
    """What the model card's head says."""
    try:
        card = read_bounded(source / _CARD_FILE, _MAX_CARD_SIZE_BYTES).decode(errors="replace")
    except FormatError:
        return _UNKNOWN
    head = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    named = re.search(r"^license:\s*[\"']?([\w.+ -]{1,80})", head[1], re.MULTILINE) if head else None
    return named[1].strip() if named else _UNKNOWN
