"""A model that was opened and found whole: what is left of an import is writing it, whatever kind it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from personal_ai.common.errors import FormatError
from personal_ai.common.jobs import Cancel, Meter
from personal_ai.models.decoder import Decoder
from personal_ai.models.encoders.encoder import Encoder
from personal_ai.models.package import ModelPackage
from personal_ai.models.quantisation import Quantisation
from personal_ai.models.words import Words


class Write(Protocol):
    """Writes graph and weights into `folder`, advancing `meter` by each weight's number of values."""

    def __call__(self, folder: Path, *, quantisation: Quantisation, meter: Meter, cancel: Cancel) -> None: ...


@dataclass(frozen=True, slots=True)
class Prepared:
    """`parameters` counts the weights. `prove` tries what was written; it raises DamagedFileError, FormatError."""

    network: Decoder | Encoder
    parameters: int
    words: Words
    licence: str
    write: Write
    prove: Callable[[ModelPackage], None]


def check_numbers(answer: npt.NDArray[np.float32]) -> None:
    """Raises FormatError where a model answers with anything else."""
    if not np.isfinite(answer).all():
        raise FormatError("The model's answers are not numbers; its weights are broken.")
