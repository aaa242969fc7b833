"""The one view that the import has of all foreign models: in the terms of a Hugging Face folder, whatever they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from personal_ai.models.checkpoint import Checkpoint
from personal_ai.models.fields import Fields
from personal_ai.models.words import ForeignWords

UNKNOWN_LICENCE: Final = "unknown"


@dataclass(frozen=True, slots=True)
class ForeignModel:
    """An open model: `config` as config.json has it, the weights, and the words, which are read when asked for."""

    config: Fields
    checkpoint: Checkpoint
    words: Callable[[], ForeignWords]
    licence: str = UNKNOWN_LICENCE
