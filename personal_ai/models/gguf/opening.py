"""A GGUF file as a foreign model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from personal_ai.models.checkpoint import Checkpoint
from personal_ai.models.fields import Fields
from personal_ai.models.foreign import UNKNOWN_LICENCE, ForeignModel
from personal_ai.models.gguf.config import huggingface_config
from personal_ai.models.gguf.reader import MAGIC, GgufFile
from personal_ai.models.gguf.weights import GgufWeights
from personal_ai.models.gguf.words import gguf_words


def is_gguf(path: Path) -> bool:
    """Whether the file says so itself, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


@contextmanager
def open_gguf(path: Path) -> Iterator[ForeignModel]:
    """Raises FormatError, UnsupportedModelError."""
    with closing(GgufFile(path)) as file:
        config = huggingface_config(file)
        checkpoint = Checkpoint((GgufWeights(file, config),))
        licence = Fields(file.facts, file.name).text("general.license", 200, UNKNOWN_LICENCE)
        yield ForeignModel(config, checkpoint, lambda: gguf_words(file, config), licence)
