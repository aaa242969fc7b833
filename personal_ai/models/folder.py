"""A Hugging Face folder: config.json, safetensors files, tokenizer.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from personal_ai.common.errors import FormatError
from personal_ai.models.checkpoint import open_checkpoint
from personal_ai.models.fields import Fields, read_bounded, read_json
from personal_ai.models.foreign import UNKNOWN_LICENCE, ForeignModel
from personal_ai.models.words import folder_words

CONFIG_FILE: Final = "config.json"
_CARD_FILE: Final = "README.md"
_MAX_CARD_SIZE_BYTES = 1 << 20


@contextmanager
def open_folder(source: Path) -> Iterator[ForeignModel]:
    """Raises FormatError, UnsupportedModelError."""
    config = Fields(read_json(source / CONFIG_FILE), CONFIG_FILE)
    with open_checkpoint(source) as checkpoint:
        yield ForeignModel(config, checkpoint, lambda: folder_words(source, config), card_licence(source))


def card_licence(source: Path) -> str:
    """What the model card's head says."""
    try:
        card = read_bounded(source / _CARD_FILE, _MAX_CARD_SIZE_BYTES).decode(errors="replace")
    except FormatError:
        return UNKNOWN_LICENCE
    head = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    named = re.search(r"^license:\s*[\"']?([\w.+ -]{1,80})", head[1], re.MULTILINE) if head else None
    return named[1].strip() if named else UNKNOWN_LICENCE
